//! A server with one account, and keys that must pass the gate.

use oathgate_tests::built::bin;
use oathgate_tests::fake_verifier::{Act, FakeVerifier};
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
        _ => Outcome::Invalid { line: "another question".into() },
    })
}

/// Lets everybody in without a code.
pub fn no_code(_: &Request) -> Act {
    Act::Say(Outcome::Pass {})
}
