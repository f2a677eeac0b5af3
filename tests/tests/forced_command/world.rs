//! A server with one account, and keys that must pass the gate.

use oathgate_tests::fake_verifier::{Act, FakeVerifier};
pub use oathgate_tests::gated::{Enrolled, Real, line, socket};
use oathgate_tests::process::Finished;
use oathgate_tests::sshd::{Client, Key, Settings, Sshd};
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

/// Accepts `123456`, and `ABCD-EFGH-IJKL-2345` as a scratch code.
pub fn one_code(request: &Request) -> Act {
    let accepted = |scratch_left| Outcome::Accepted { credential: None, label: None, scratch_left, digits: None };
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
