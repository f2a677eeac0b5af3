//! A disk that fails: at every call in turn, until nothing fails any more.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use base64ct::{Base64Unpadded, Encoding};
use oathgate_tests::built::bin;
use oathgate_tests::oathgated::{Administrator, Oathgated, hotp};
use oathgate_tests::shim::{Calls, Fault, Faults, OF_DISKS};
use oathgate_tests::sshd::id;
use otp_wire::message::Enrol;
use otp_wire::{Ask, Outcome, SpawnVerifier};

use crate::bare;
use crate::person::{ACCOUNTS, Person, Tried, ask, root, rounds};

/// A service whose disk can fail, and somebody with a code there.
pub struct World {
    pub service: Oathgated,
    pub faults: Faults,
    pub person: Person,
}

impl World {
    pub fn new() -> Self {
        let mut service = Oathgated::start();
        let person = Person::enrol(&service.administrator(), ACCOUNTS[0]);
        service.stop();
        let faults = Faults::new(service.store().parent().unwrap());
        let mut world = Self { service, faults, person };
        world.start();
        assert!(world.answers(), "a start without faults: {}", world.service.running().stderr.so_far());
        world
    }

    /// Starts the service. It listens before it opens its store, so it may
    /// still end.
    fn start(&mut self) {
        let mut program = bare(bin("oathgated"));
        self.faults.preload(&mut program);
        self.service.resume_by(program);
    }

    /// Whether the service runs.
    pub fn answers(&self) -> bool {
        ask(&root(&self.service), Ask::Status {}).is_ok()
    }

    pub fn restart(&mut self) {
        self.service.stop();
        self.start();
    }

    /// Logs in while calls fail; nothing is accepted that is not on the disk.
    fn log_in(&mut self, case: &str) {
        let tried = self.person.log_in(&root(&self.service));
        assert!(tried != Tried::Accepted || self.faults.log_is_synced(), "{case}: accepted before it was durable");
    }

    /// What must hold afterwards, here and after a restart.
    pub fn recovers(&mut self, case: &str) {
        self.person.recovers(&root(&self.service), case);
        self.service.stop();
        is_whole(&self.service.store());
        self.start();
        assert!(self.answers(), "{case}: the next start: {}", self.service.running().stderr.so_far());
        self.person.recovers(&root(&self.service), case);
        self.person.is_audited(&root(&self.service), case);
    }
}

/// What SQLite itself says.
fn is_whole(store: &Path) {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = rusqlite::Connection::open_with_flags(store, flags).unwrap();
    let said: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(said, "ok");
}

/// A few ways to fail; all of them in a soak.
fn of_disks() -> impl Iterator<Item = Fault> {
    OF_DISKS.into_iter().take(usize::try_from(rounds(3)).unwrap())
}

fn case(fault: Fault, first: u64) -> String {
    format!("{fault} call {first}")
}

#[test]
fn at_every_call_of_a_login() {
    let mut world = World::new();
    for fault in of_disks() {
        let calls = every_call(|first| {
            world.faults.begin(Calls::Files, fault, first);
            world.log_in(&case(fault, first));
            let failed = world.faults.end();
            world.recovers(&case(fault, first));
            failed
        });
        println!("a login: {calls} calls, {fault} the n-th on");
    }
}

/// A new owner with a key of their own.
fn somebody(number: usize) -> Enrol {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    let key = format!("SHA256:{}", Base64Unpadded::encode_string(&hash));
    Enrol { scratch: false, ..hotp(ACCOUNTS[0], &format!("owner-{number}"), Some(&key), "phone") }
}

#[test]
fn at_every_call_of_an_enrolment() {
    let mut world = World::new();
    let mut number = 0;
    for fault in of_disks() {
        let calls = every_call(|first| {
            let (case, administrator) = (case(fault, first), world.service.administrator());
            number += 1;
            world.faults.begin(Calls::Files, fault, first);
            let enrolled = administrator.ask(Ask::Enrol(somebody(number)));
            let kept = world.faults.log_is_synced();
            let failed = world.faults.end();
            assert!(!matches!(enrolled, Outcome::Enrolled(_)) || kept, "{case}: enrolled before it was durable");
            let again = administrator.ask(Ask::Enrol(somebody(number)));
            // Where the answer got lost, it may be there: whole, or not at all.
            let new = matches!(again, Outcome::Enrolled(_)) && !matches!(enrolled, Outcome::Enrolled(_));
            assert!(new || matches!(again, Outcome::Invalid(_)), "{case}: {enrolled:?}, then {again:?}");
            world.recovers(&case);
            failed
        });
        println!("an enrolment: {calls} calls, {fault} the n-th on");
    }
}

#[test]
fn at_every_call_of_a_start() {
    let mut world = World::new();
    for fault in of_disks() {
        let mut started = 0;
        let calls = every_call(|first| {
            // Killed, and with a write-ahead log that is to be read.
            assert_eq!(world.person.log_in(&root(&world.service)), Tried::Accepted);
            world.service.stop();
            world.faults.begin(Calls::Files, fault, first);
            world.start();
            started += u64::from(world.answers());
            world.log_in(&case(fault, first));
            let failed = world.faults.end();
            world.restart();
            world.recovers(&case(fault, first));
            failed
        });
        println!("a start: {calls} calls, after {started} of them it runs, {fault} the n-th on");
    }
}

/// Starting, deciding and ending in one: a user's own store, with its rollback journal.
#[test]
fn at_every_call_of_a_users_own_verifier() {
    let home = tempfile::tempdir().unwrap();
    let sound = SpawnVerifier::user_store(&bin("oathgated"), home.path());
    let mut person = Person::enrol(&Administrator::of_user_store(home.path()), &id("-un"));
    let folder = home.path().join(".local/share/oathgate");
    let faults = Faults::new(&folder);
    let failing = SpawnVerifier::user_store(&faults.wrapped(&bin("oathgated")), home.path());
    for fault in of_disks() {
        let calls = every_call(|first| {
            let case = case(fault, first);
            faults.begin(Calls::Files, fault, first);
            let tried = person.log_in(&failing);
            let kept = faults.database_is_synced();
            let failed = faults.end();
            assert!(tried != Tried::Accepted || kept, "{case}: accepted before it was durable");
            person.recovers(&sound, &case);
            is_whole(&folder.join("store.db"));
            failed
        });
        println!("a user's own verifier: {calls} calls, {fault} the n-th on");
    }
}

/// Through the checkpoints of the write-ahead log too, and with requests in one commit.
#[test]
fn at_any_call_under_load() {
    let mut world = World::new();
    let administrator = world.service.administrator();
    let mut people: Vec<Person> = ACCOUNTS[1..].iter().map(|account| Person::enrol(&administrator, account)).collect();
    for round in 0..rounds(10) {
        let random = RandomState::new().hash_one(round);
        let fault = OF_DISKS[usize::try_from(random % 5).unwrap()];
        world.faults.begin(Calls::Files, fault, random / 5 % 2000);
        std::thread::scope(|scope| {
            for person in &mut people {
                let verifier = root(&world.service);
                scope.spawn(move || (0..100).all(|_| !matches!(person.log_in(&verifier), Tried::Undecided(_))));
            }
        });
        world.faults.end();
        let case = format!("round {round}, {}", case(fault, random / 5 % 2000));
        people.iter_mut().for_each(|person| person.recovers(&root(&world.service), &case));
        world.recovers(&case);
        people.iter_mut().for_each(|person| person.is_audited(&root(&world.service), &case));
    }
}

/// Lets the first call fail, then the second, and so on, each time in another
/// run of `act`, until nothing fails any more. `act` is told the number; how
/// many calls there were.
fn every_call(mut act: impl FnMut(u64) -> u64) -> u64 {
    let failing = (1..5000).take_while(|first| act(*first) > 0).count();
    assert!((1..4000).contains(&failing), "{failing} calls");
    failing as u64
}
