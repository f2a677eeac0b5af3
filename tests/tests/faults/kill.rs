//! `kill -9` of those who ask, at any moment: the next login works at once, no
//! code works twice, each accepted one is in the audit, and nothing is left.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use oathgate_tests::built::bin;
use oathgate_tests::oathgated::{Administrator, Oathgated, hotp};
use oathgate_tests::process::Running;
use oathgate_tests::sshd::id;
use otp_core::Secret;
use otp_wire::frame::MAX_LISTING;
use otp_wire::{SpawnVerifier, Verifier};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::front::{Fronts, KEY};
use crate::person::{ACCOUNTS, Person, Tried, root, rounds};

/// How a front end was ended.
struct Ended {
    /// It said that the code was accepted.
    let_in: bool,
    /// Before it could say anything.
    killed: bool,
}

/// Starts `command` in a process group of its own and kills that after `moment`.
fn killed_after(command: &mut Command, code: &str, moment: Duration, yes: &str) -> Ended {
    std::os::unix::process::CommandExt::process_group(command, 0);
    let mut running = Running::start(command);
    // It may be gone before it is told.
    if command.get_envs().all(|(name, _)| name != "LC_OTP") {
        running.send(&format!("{code}\n"));
    }
    let said = running.stdout.wait_for(yes, moment);
    let group = Pid::from_raw(running.pid().cast_signed()).unwrap();
    let _ = kill_process_group(group, Signal::KILL);
    let status = running.wait(Duration::from_secs(20));
    Ended { let_in: said.is_ok() || running.stdout.so_far().contains(yes), killed: status.code().is_none() }
}

/// One kind of login of one person.
struct Victim<'a> {
    person: &'a mut Person,
    /// The command that types a code, and what it says when it was right.
    login: &'a dyn Fn(&Person) -> Command,
    yes: &'a str,
    verifier: &'a dyn Verifier,
}

impl Victim<'_> {
    /// Ends logins at random moments, `rounds` times; how many did not come to
    /// their end.
    fn is_killed(&mut self, rounds: u64) -> u64 {
        let mut killed = 0;
        let whole = self.undisturbed();
        for round in 0..rounds {
            let part = RandomState::new().hash_one(round) % 1200;
            let moment = whole.mul_f64(part as f64 / 1000.0);
            let code = self.person.code();
            let ended = killed_after(&mut (self.login)(self.person), &code, moment, self.yes);
            killed += u64::from(ended.killed && !ended.let_in);
            let case = format!("{} round {round}, after {moment:?}", self.person.account);
            let begun = Instant::now();
            // What it asked may be judged a moment later than it died.
            let tried = self.person.log_in(self.verifier);
            assert!(!ended.let_in || tried == Tried::Spent, "{case}: let in, and then {tried:?}");
            self.person.recovers(self.verifier, &case);
            self.person.is_audited(self.verifier, &case);
            assert!(begun.elapsed() < Duration::from_secs(3), "{case}: {:?}", begun.elapsed());
        }
        killed
    }

    /// How long a login takes that nobody ends.
    fn undisturbed(&mut self) -> Duration {
        let times = (0..5).map(|_| {
            let mut command = (self.login)(self.person);
            let begun = Instant::now();
            let ended = killed_after(&mut command, &self.person.code(), Duration::from_secs(20), self.yes);
            let took = begun.elapsed();
            assert!(ended.let_in, "undisturbed");
            assert_eq!(self.person.log_in(self.verifier), Tried::Spent);
            took
        });
        times.min().unwrap()
    }
}

/// The files below `folder`.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map_while(Result::ok);
    let below = entries.flat_map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => files(&entry.path()),
        Ok(kind) if kind.is_file() => vec![entry.path()],
        _ => vec![],
    });
    below.collect()
}

/// Checks that the secret of `person` is in no file below `folders`, nor in
/// one that lies directly in a folder for temporary files.
fn nothing_is_left(person: &Person, folders: &[&Path]) {
    let text = person.device.0.secret.expose();
    let raw = Secret::from_base32(text).unwrap();
    let own = folders.iter().flat_map(|folder| files(folder));
    let common = ["/tmp", "/var/tmp", "/dev/shm"].map(|folder| fs::read_dir(folder).into_iter().flatten());
    let common = common.into_iter().flatten().map_while(Result::ok);
    // What somebody leaves by accident is small; other programs' files may not be.
    let small =
        |entry: &fs::DirEntry| entry.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() < 1 << 20);
    let common = common.filter(small);
    let mut searched = 0;
    for path in own.chain(common.map(|entry| entry.path())) {
        let content = fs::read(&path).unwrap_or_default();
        for secret in [text.as_bytes(), raw.expose()] {
            assert!(!content.windows(secret.len()).any(|window| window == secret), "{} in {}", text, path.display());
        }
        searched += 1;
    }
    assert!(searched > 2, "the store is among them");
}

/// Two people by the PAM module and two by the forced command, beside each other.
#[test]
fn of_those_who_ask_the_service() {
    let service = Oathgated::start();
    let (fronts, administrator) = (Fronts::of(&service), service.administrator());
    let mut people = ACCOUNTS.map(|account| Person::enrol(&administrator, account));
    let killed: Vec<u64> = std::thread::scope(|scope| {
        let (fronts, service) = (&fronts, &service);
        let threads = people.iter_mut().enumerate().map(|(number, person)| {
            scope.spawn(move || {
                let by_pam: &dyn Fn(&Person) -> Command = &|person| fronts.pam(&person.account);
                let by_ssh: &dyn Fn(&Person) -> Command =
                    &|person| fronts.ssh_otp(&person.account, Some(&person.code()));
                let (login, yes) = if number % 2 == 0 { (by_pam, "result PAM_SUCCESS\n") } else { (by_ssh, "in\n") };
                Victim { person, login, yes, verifier: &root(service) }.is_killed(rounds(60))
            })
        });
        threads.collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    println!("ended before they were answered: {killed:?} of {} each", rounds(60));
    assert!(killed.iter().all(|killed| *killed > 0), "{killed:?}");
    people.iter().for_each(|person| nothing_is_left(person, &[service.folder(), fronts.folder()]));
}

/// With the verifier that it has started, and that works on the user's own store.
#[test]
fn of_a_forced_command_with_its_own_verifier() {
    let home = tempfile::tempdir().unwrap();
    let verifier = SpawnVerifier::user_store(&bin("oathgated"), home.path()).max_reply(MAX_LISTING);
    let administrator = Administrator::of_user_store(home.path());
    let account = id("-un");
    let device = administrator.enrol(hotp(&account, &account, Some(KEY), "phone"));
    let mut person = Person::with(&account, device, Some(KEY));
    let login = |person: &Person| {
        let mut command = crate::bare(bin("ssh-otp"));
        command.args(["--user-store", "--key", KEY]).env("USER", &person.account).env("HOME", home.path());
        command.env("SHELL", "/bin/sh").env("SSH_ORIGINAL_COMMAND", "echo in").env("LC_OTP", person.code());
        command.env("TMPDIR", home.path()).stdin(Stdio::null());
        command
    };
    let killed = Victim { person: &mut person, login: &login, yes: "in\n", verifier: &verifier }.is_killed(rounds(100));
    println!("ended before it was answered: {killed} of {}", rounds(100));
    assert!(killed > 0);
    nothing_is_left(&person, &[home.path()]);
}
