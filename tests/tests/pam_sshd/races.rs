//! Many at once, held at the prompt and released together.

use oathgate_tests::oathgated::hotp;
use oathgate_tests::sshd::Client;

use crate::world::{Login, Person, World, possible};

const LOGINS: usize = 16;
/// Prompts that ssh answers in one connection.
const PROMPTS: u32 = 3;

/// How many rounds; more of them in a soak.
fn rounds() -> usize {
    std::env::var("OATHGATE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(50)
}

/// Logins that are held at the prompt. sshd asks again whoever was refused, so
/// most of them serve in several rounds.
struct Held<'a> {
    client: &'a Client,
    waiting: Vec<(Login, u32)>,
}

impl<'a> Held<'a> {
    fn new(client: &'a Client) -> Self {
        Self { client, waiting: vec![] }
    }

    /// Waits until all of them are asked.
    fn fill(&mut self) {
        let missing = LOGINS - self.waiting.len();
        let new: Vec<Login> = (0..missing).map(|_| Login::start(self.client)).collect();
        for mut login in new {
            login.prompt().expect("a prompt");
            self.waiting.push((login, 1));
        }
    }

    /// Types `code` in all of them at once; how many came in.
    fn release(&mut self, code: &str) -> usize {
        for (login, _) in &mut self.waiting {
            login.answer(code);
        }
        let mut came_in = 0;
        for (mut login, prompts) in std::mem::take(&mut self.waiting) {
            if prompts < PROMPTS && login.prompt().is_some() {
                self.waiting.push((login, prompts + 1));
            } else {
                came_in += usize::from(login.came_in());
            }
        }
        came_in
    }
}

/// One more device for the same key, in place of the last one.
fn renew(world: &World, person: &mut Person, round: usize) {
    let administrator = world.service.administrator();
    administrator.revoke(&person.device);
    let enrol = hotp(&world.account, "alice", Some(&person.key.fingerprint), &format!("round-{round}"));
    person.device = administrator.enrol(enrol);
}

#[test]
fn one_code_in_sixteen_hands_opens_one_door() {
    if !possible() {
        return;
    }
    let world = World::new();
    let mut alice = world.enrol("alice");
    let client = alice.client.clone();
    let mut held = Held::new(&client);
    for round in 0..rounds() {
        renew(&world, &mut alice, round);
        held.fill();
        assert_eq!(held.release(&alice.device.code(0)), 1, "round {round}");
    }
}

#[test]
fn one_scratch_code_in_sixteen_hands_opens_one_door() {
    if !possible() {
        return;
    }
    let world = World::new();
    let mut alice = world.enrol("alice");
    let client = alice.client.clone();
    let mut held = Held::new(&client);
    // Half as many: each of them is hashed with Argon2id, sixteen times.
    for round in 0..rounds() / 2 {
        let number = round % alice.device.0.scratch.len();
        if round > 0 && number == 0 {
            alice.device.0.scratch = world.new_scratch("alice");
        }
        held.fill();
        assert_eq!(held.release(&alice.device.scratch(number)), 1, "round {round}");
    }
}

#[test]
fn sixteen_people_come_in_at_once() {
    if !possible() {
        return;
    }
    let world = World::new();
    let people: Vec<Person> = (0..LOGINS).map(|number| world.enrol(&format!("person-{number}"))).collect();
    for counter in 0..3 {
        let mut logins: Vec<Login> = people.iter().map(|person| Login::start(&person.client)).collect();
        for login in &mut logins {
            login.prompt().expect("a prompt");
        }
        for (login, person) in logins.iter_mut().zip(&people) {
            login.answer(&person.device.code(counter));
        }
        let came_in = logins.into_iter().filter_map(|login| login.came_in().then_some(())).count();
        assert_eq!(came_in, LOGINS, "round {counter}");
    }
}
