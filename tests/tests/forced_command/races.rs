//! Many at once: one code opens one door, and nobody's code shuts out another's.

use oathgate_tests::oathgated::{Device, hotp};
use oathgate_tests::sshd::{Client, Session};
use otp_wire::message::OwnerName;
use otp_wire::{Ask, Outcome};

use crate::world::{Enrolled, Real};

const LOGINS: usize = 16;
/// Tries that a session has (`ssh-otp` gives three).
const TRIES: u32 = 3;

/// How many rounds; more of them in a soak.
fn rounds() -> usize {
    std::env::var("OATHGATE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(50)
}

/// Sessions that are held at the prompt. Who was refused is asked again, so
/// most of them serve in several rounds.
struct Held<'a> {
    client: &'a Client,
    waiting: Vec<(Session, u32)>,
}

impl<'a> Held<'a> {
    fn new(client: &'a Client) -> Self {
        Self { client, waiting: vec![] }
    }

    /// Waits until all of them are asked.
    fn fill(&mut self) {
        let missing = LOGINS - self.waiting.len();
        let new: Vec<Session> = (0..missing).map(|_| self.client.session(Some("echo got-in"))).collect();
        for session in new {
            session.expect("Code");
            self.waiting.push((session, 0));
        }
    }

    /// Types `code` in all of them at once; how many came in.
    fn release(&mut self, code: &str) -> usize {
        for (session, _) in &mut self.waiting {
            session.send(&format!("{code}\r"));
        }
        let mut came_in = 0;
        for (mut session, tries) in std::mem::take(&mut self.waiting) {
            if tries + 1 == TRIES {
                came_in += usize::from(session.wait().1.contains("got-in"));
            } else {
                match session.expect_any(&["got-in", "Code", "cannot check codes right now"]) {
                    0 => came_in += 1,
                    1 => self.waiting.push((session, tries + 1)),
                    // Kept out as well: sixteen hashes may last longer than anybody waits.
                    _ => {}
                }
            }
        }
        came_in
    }
}

/// Enrols one more device for the same key, in place of the last one.
fn renew(world: &Real, person: &mut Enrolled, round: usize) {
    let administrator = world.service.administrator();
    administrator.revoke(&person.device);
    let enrol = hotp(&world.account, "alice", Some(&person.key.fingerprint), &format!("round-{round}"));
    person.device = administrator.enrol(enrol);
}

#[test]
fn one_code_in_sixteen_hands_opens_one_door() {
    let world = Real::new();
    let mut alice = world.enrol("alice");
    let client = alice.client.clone();
    let mut held = Held::new(&client);
    for round in 0..rounds() {
        renew(&world, &mut alice, round);
        held.fill();
        assert_eq!(held.release(&alice.device.code(0)), 1, "round {round}");
    }
}

fn new_scratch(world: &Real) -> Vec<String> {
    let name = OwnerName { account: world.account.clone(), owner: Some("alice".into()) };
    match world.service.administrator().ask(Ask::ScratchNew(name)) {
        Outcome::Scratch(codes) => codes.iter().map(|code| code.expose().to_owned()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_scratch_code_in_sixteen_hands_opens_one_door() {
    let world = Real::new();
    let alice = world.enrol("alice");
    let mut held = Held::new(&alice.client);
    let mut codes = Vec::new();
    // Half as many: each of them is hashed with Argon2id, sixteen times.
    for round in 0..rounds() / 2 {
        if codes.is_empty() {
            codes = new_scratch(&world);
        }
        held.fill();
        assert_eq!(held.release(&codes.pop().unwrap()), 1, "round {round}");
    }
}

/// Two codes, each in eight hands.
#[test]
fn two_codes_open_two_doors() {
    let world = Real::new();
    let alice = world.enrol("alice");
    let mut held = Held::new(&alice.client);
    held.fill();
    for (number, (session, _)) in held.waiting.iter_mut().enumerate() {
        session.send(&format!("{}\r", alice.device.code(number as u64 % 2)));
    }
    let came_in = held.waiting.iter().filter(|(session, _)| session.expect_any(&["got-in", "Code"]) == 0).count();
    // The later code may be judged first, and then the earlier one is too old.
    assert!((1..=2).contains(&came_in), "{came_in}");
}

#[test]
fn sixteen_people_come_in_at_once() {
    let world = Real::new();
    let people: Vec<Enrolled> = (0..LOGINS).map(|number| world.enrol(&format!("person-{number}"))).collect();
    let devices: Vec<&Device> = people.iter().map(|person| &person.device).collect();
    for counter in 0..3 {
        let mut sessions: Vec<Session> =
            people.iter().map(|person| person.client.session(Some("echo got-in"))).collect();
        for session in &sessions {
            session.expect("Code");
        }
        for (session, device) in sessions.iter_mut().zip(&devices) {
            session.send(&format!("{}\r", device.code(counter)));
        }
        let came_in =
            sessions.iter_mut().filter_map(|session| session.wait().1.contains("got-in").then_some(())).count();
        assert_eq!(came_in, LOGINS, "round {counter}");
    }
}
