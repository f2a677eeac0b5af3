//! A server with one account, and keys that must pass the gate.

use oathgate_tests::built::bin;
use oathgate_tests::fake_verifier::{Act, FakeVerifier};
use oathgate_tests::oathgated::{Device, Oathgated, hotp};
use oathgate_tests::process::Finished;
use oathgate_tests::sshd::{Client, Key, Settings, Sshd, id};
use otp_wire::message::Reason;
use otp_wire::{Ask, Outcome, Request};

/// A server, a verifier that follows a script, and one key behind the gate.
pub struct Scripted {
    pub sshd: Sshd,
    pub verifier: FakeVerifier,
    pub key: Key,
}

impl Scripted {
    pub fn new(act: impl Fn(&Request) -> Act + Send + Sync + 'static) -> Self {
        let sshd = Sshd::start(&Settings::default());
        let verifier = FakeVerifier::start(&sshd.folder().join("verifier"), act);
        let key = sshd.key("gated");
        sshd.authorise(&key, &line(&format!("--key {} {}", key.fingerprint, socket(verifier.path()))));
        Self { sshd, verifier, key }
    }

    pub fn client(&self) -> Client {
        self.sshd.client(&self.key)
    }

    /// What the verifier was asked: verbs, and codes behind `verify`.
    pub fn asked(&self) -> Vec<String> {
        self.verifier.asked().iter().map(|request| word(&request.ask)).collect()
    }
}

/// A server and the real verifier; every key has an owner of the same name.
pub struct Real {
    pub sshd: Sshd,
    pub service: Oathgated,
    pub account: String,
}

/// A key behind the gate, with the device that shows its codes.
pub struct Enrolled {
    pub key: Key,
    pub client: Client,
    pub device: Device,
}

impl Real {
    pub fn new() -> Self {
        Self { sshd: Sshd::start(&Settings::default()), service: Oathgated::start(), account: id("-un") }
    }

    /// A key that must pass the gate, and has no code yet.
    pub fn key(&self, name: &str) -> Key {
        let key = self.sshd.key(name);
        let arguments = format!("--key {} {}", key.fingerprint, socket(&self.service.root_socket()));
        self.sshd.authorise(&key, &line(&arguments));
        key
    }

    pub fn enrol(&self, name: &str) -> Enrolled {
        let key = self.key(name);
        let device = self.service.administrator().enrol(hotp(&self.account, name, Some(&key.fingerprint), name));
        Enrolled { client: self.sshd.client(&key), key, device }
    }
}

/// Tries `code` with a command that shows whether it ran.
pub fn try_code(client: &Client, code: &str) -> Finished {
    client.run("echo in", Some(code))
}

/// Checks that the command ran, and nothing else was said.
pub fn came_in(finished: &Finished) {
    let seen = (finished.code(), finished.text(), finished.stderr.clone());
    assert_eq!(seen, (Some(0), "in\n".to_owned(), String::new()));
}

/// Checks that nothing ran, and that one line says `why`.
pub fn kept_out(finished: &Finished, why: &str) {
    assert_eq!((finished.code(), finished.text().as_str()), (Some(1), ""), "{}", finished.stderr);
    assert!(finished.stderr.contains(why), "{}", finished.stderr);
    assert_eq!(finished.stderr.trim_end().lines().count(), 1, "{}", finished.stderr);
}

fn word(ask: &Ask) -> String {
    match ask {
        Ask::Verify(verify) => format!("verify {}", verify.code.expose()),
        other => other.verb().to_owned(),
    }
}

/// The options of a line in authorized_keys, as the documentation has them.
pub fn line(arguments: &str) -> String {
    format!("restrict,pty,command=\"exec {} {arguments}\"", bin("ssh-otp").display())
}

/// The arguments that name a socket on which this test's own uid answers.
pub fn socket(path: &std::path::Path) -> String {
    let user_store = if rustix::process::getuid().is_root() { "" } else { "--user-store" };
    format!("{user_store} --socket {}", path.display())
}

/// Accepts `123456`, and `ABCD-EFGH-IJKL-2345` as a scratch code.
pub fn one_code(request: &Request) -> Act {
    let accepted = |scratch_left| Outcome::Accepted { credential: None, label: None, scratch_left };
    Act::Say(match &request.ask {
        Ask::Begin(_) => Outcome::Ask { label: Some("phone".into()), line: None },
        Ask::Verify(verify) if verify.code.expose() == "123456" => accepted(None),
        Ask::Verify(verify) if verify.code.expose() == "ABCD-EFGH-IJKL-2345" => accepted(Some(9)),
        Ask::Verify(_) => Outcome::Refused { reason: Reason::Wrong, line: "oathgate: that code is wrong".into() },
        _ => Outcome::Invalid("another question".into()),
    })
}

/// Lets everybody in without a code.
pub fn no_code(_: &Request) -> Act {
    Act::Say(Outcome::Pass {})
}
