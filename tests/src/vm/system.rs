//! In the guest: the system's own programs, and people with codes.

#![allow(clippy::expect_used)]

use std::fs;
use std::process::Command;

use oathgate_tests::process::{self, Finished};
use otp_core::{Algorithm, Digits, Secret, otp};

/// Says what comes next, and when: seconds since the guest started.
pub fn step(what: &str) {
    let uptime = fs::read_to_string("/proc/uptime").expect("/proc");
    println!("{:>8} {what}", uptime.split(' ').next().unwrap_or_default());
}

/// Runs a program of the guest with `input`.
pub fn run(words: &[&str], input: &str) -> Finished {
    let (program, arguments) = words.split_first().expect("a program");
    process::run(Command::new(program).args(arguments), input.as_bytes())
}

/// Runs what must succeed; what it said.
pub fn must(words: &[&str]) -> String {
    let finished = run(words, "");
    assert!(finished.status.success(), "{words:?}: {}{}", finished.text(), finished.stderr);
    finished.text().trim_end().to_owned()
}

/// A property of a unit.
pub fn property(unit: &str, name: &str) -> String {
    must(&["systemctl", "show", "--value", "--property", name, unit])
}

/// Installs the verifier as the README says, and starts it.
pub fn install() {
    must(&["systemd-sysusers"]);
    must(&["oathgate", "init"]);
    must(&["systemctl", "enable", "--now", "oathgated-root.socket", "oathgated.socket"]);
    must(&["systemctl", "start", "oathgated.service"]);
}

/// An ordinary user with a counting authenticator.
pub struct Person {
    /// The account.
    pub name: &'static str,
    /// The account's uid.
    pub uid: u32,
    secret: Secret,
}

impl Person {
    /// Makes the account and enrols it for logins without a key.
    pub fn new(name: &'static str) -> Self {
        must(&["useradd", "--create-home", "--shell", "/bin/bash", name]);
        let uid = must(&["id", "-u", name]).parse().expect("a uid");
        Self { name, uid, secret: Self::enrol(name, &[]) }
    }

    /// One more authenticator of the same person, for the SSH key in this file.
    pub fn with_key(&self, public: &str) -> Self {
        Self { secret: Self::enrol(self.name, &["--label", "key", "--ssh-key", public]), ..*self }
    }

    fn enrol(name: &str, more: &[&str]) -> Secret {
        let words = [&["oathgate", "enrol", name, "--hotp", "--json"], more].concat();
        let json: serde_json::Value = serde_json::from_str(&must(&words)).expect("JSON");
        let uri = json["uri"].as_str().expect("a URI");
        let secret = uri.split(['?', '&']).find_map(|part| part.strip_prefix("secret="));
        Secret::from_base32(secret.expect("a secret")).expect("base32")
    }

    /// What the authenticator shows.
    pub fn code(&self, counter: u64) -> String {
        otp::code(&self.secret, Algorithm::Sha1, Digits::SIX, counter).to_string()
    }

    /// The secret, to search for where it must not be.
    pub fn secret(&self) -> String {
        self.secret.to_base32().to_string()
    }

    /// Has a code judged for `account`, asking as this person.
    pub fn verify(&self, account: &str, code: &str) -> Finished {
        self.run(&["oathgate", "verify", account, "--stdin", "--json"], code)
    }

    /// Runs a program as this person.
    pub fn run(&self, words: &[&str], input: &str) -> Finished {
        let name = self.name;
        let (reuid, home) = (format!("--reuid={name}"), format!("HOME=/home/{name}"));
        let drop = ["setpriv", &reuid, "--regid", name, "--init-groups", "--reset-env", "env", &home];
        run(&[&drop, words].concat(), input)
    }

    /// Whether a code of this person's own is accepted.
    pub fn comes_in(&self, counter: u64) {
        let finished = self.verify(self.name, &self.code(counter));
        assert_eq!(finished.code(), Some(0), "{} {counter}: {}{}", self.name, finished.text(), finished.stderr);
    }

    /// Whether a code is refused as one that was used before.
    pub fn is_refused_as_used(&self, code: &str) {
        let finished = self.verify(self.name, code);
        assert_eq!(finished.code(), Some(1), "{}{}", finished.text(), finished.stderr);
        assert!(finished.text().contains("\"replayed\""), "{}", finished.text());
    }
}

/// Writes a file of the system's.
pub fn write(path: &str, text: &str) {
    fs::write(path, text).expect("room on the root volume");
}
