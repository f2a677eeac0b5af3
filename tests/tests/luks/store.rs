//! The store gate: a real verifier keeps the key, and `oathgate`, the plugin
//! and what they leave in the header get along.

use std::process::Command;

use oathgate_tests::built::bin;
use oathgate_tests::oathgated::Oathgated;
use oathgate_tests::process::{Finished, Running, run};
use otp_core::uri::KeyUri;
use otp_core::{Digits, otp};
use serde_json::Value;

use crate::world::{Disk, PASSPHRASE, good, ready};

/// A disk whose key a verifier keeps.
pub struct Enrolled {
    pub service: Oathgated,
    pub disk: Disk,
    pub path: String,
    /// What enrolment said.
    pub said: Value,
}

impl Enrolled {
    /// Counted codes; none where only root could ask the verifier.
    pub fn new() -> Option<Self> {
        if !ready() {
            return None;
        }
        if !rustix::process::geteuid().is_root() {
            println!("skipped: needs root");
            return None;
        }
        bin("oathgate-luks");
        let (service, disk) = (Oathgated::start(), Disk::bare());
        let path = disk.path().to_str().unwrap().to_owned();
        let mut enrolled = Self { service, disk, path, said: Value::Null };
        enrolled.said = enrolled.enrol("backup");
        Some(enrolled)
    }

    fn enrol(&self, backup: &str) -> Value {
        let backup = format!("{}.{backup}", self.path);
        let words = ["enrol", &self.path, "--gate=store", "--hotp", "--stdin", "--json", "--backup", &backup];
        let made = self.oathgate(&words, &format!("{PASSPHRASE}\n"));
        good(&made);
        serde_json::from_slice(&made.stdout).unwrap()
    }

    /// A machine with the verifier in its place.
    pub fn inside(&self) -> Command {
        self.inside_with(&[])
    }

    /// The same, with more `bwrap` options.
    pub fn inside_with(&self, more: &[&str]) -> Command {
        Disk::inside(&[&["--bind", self.service.folder().to_str().unwrap(), "/run/oathgate"], more].concat())
    }

    pub fn oathgate(&self, words: &[&str], typed: &str) -> Finished {
        run(self.inside().arg(bin("oathgate")).arg("luks").args(words), typed.as_bytes())
    }

    /// By `oathgate luks open --test`.
    pub fn test(&self, code: &str) -> Finished {
        self.oathgate(&["open", &self.path, "--test", "--stdin"], &format!("{code}\n"))
    }

    fn cryptsetup(&self) -> Command {
        let mut command = self.inside();
        command.arg("cryptsetup").args(Disk::open(&self.path));
        command
    }

    /// By cryptsetup and the plugin.
    pub fn opens(&self, code: &str) -> Finished {
        run(&mut self.cryptsetup(), code.as_bytes())
    }

    pub fn code(&self, counter: u64) -> String {
        let uri = KeyUri::parse(self.said["uri"].as_str().unwrap()).unwrap();
        otp::code(&uri.secret, uri.algorithm, Digits::new(uri.digits).unwrap(), counter).to_string()
    }
}

#[test]
fn a_code_opens_it_once_by_oathgate_and_by_cryptsetup() {
    let Some(enrolled) = Enrolled::new() else { return };
    let wrong = enrolled.test("000000");
    assert!(wrong.code() == Some(1) && wrong.stderr.contains("Wrong code"), "{}", wrong.stderr);
    good(&enrolled.test(&enrolled.code(0)));
    let again = enrolled.opens(&enrolled.code(0));
    assert!(again.code() != Some(0) && again.stderr.contains("already used"), "{}", again.stderr);
    good(&enrolled.opens(&enrolled.code(1)));
    assert_eq!(enrolled.test(&enrolled.code(1)).code(), Some(1));
    // A device that has run away.
    assert_ne!(enrolled.opens(&enrolled.code(40)).code(), Some(0));
    good(&enrolled.opens(&format!("{} {}", enrolled.code(20), enrolled.code(21))));
    good(
        &enrolled.disk.run(&["open", "--test-passphrase", &enrolled.path], enrolled.said["recovery"].as_str().unwrap()),
    );
}

#[test]
fn of_six_at_once_one_opens_it() {
    let Some(enrolled) = Enrolled::new() else { return };
    let mut all: Vec<Running> = (0..6).map(|_| Running::start(&mut enrolled.cryptsetup())).collect();
    all.iter_mut().for_each(|one| {
        one.send(&enrolled.code(0));
        one.close();
    });
    let ends = all.iter_mut().map(|one| one.wait(oathgate_tests::process::PATIENCE).code());
    assert_eq!(ends.filter(|code| *code == Some(0)).count(), 1);
}

#[test]
fn without_the_verifier_the_passphrases_turn_comes() {
    let Some(mut enrolled) = Enrolled::new() else { return };
    let code = enrolled.code(0);
    enrolled.service.stop();
    let refused = enrolled.opens(&code);
    assert!(refused.code() != Some(0) && refused.stderr.contains("is the verifier running?"), "{}", refused.stderr);
    good(&enrolled.disk.run(&["open", "--test-passphrase", &enrolled.path], PASSPHRASE));
    enrolled.service.resume();
    good(&enrolled.opens(&code));
}

#[test]
fn after_five_wrong_codes_the_passphrases_turn_comes() {
    let Some(enrolled) = Enrolled::new() else { return };
    for _ in 0..5 {
        assert_ne!(enrolled.opens("000000").code(), Some(0));
    }
    let aside = enrolled.opens(&enrolled.code(0));
    assert!(aside.code() != Some(0) && aside.stderr.contains("use a passphrase"), "{}", aside.stderr);
    // The verifier counts by itself, and root opens its door.
    let door = format!("disk:{}", enrolled.said["uuid"].as_str().unwrap());
    let unlocked = run(enrolled.inside().arg(bin("oathgate")).args(["unlock", &door]), b"");
    assert!(unlocked.text().contains("Opened 1 door"), "{} {}", unlocked.text(), unlocked.stderr);
}

#[test]
fn the_header_holds_no_key_and_status_tells_the_gate() {
    let Some(enrolled) = Enrolled::new() else { return };
    let status = enrolled.oathgate(&["status", &enrolled.path, "--json"], "");
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!((&status["tokens"][0]["gate"], &status["tokens"][0]["failures"]), (&"store".into(), &0.into()));
    let json: Value = serde_json::from_str(&enrolled.disk.json()).unwrap();
    let fields: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["failures", "gate", "keyslots", "type", "version"]);
    let line = enrolled.said["crypttab"].as_str().unwrap();
    assert!(line.ends_with(" /run/oathgate-disk-key luks,nofail"), "{line}");
}

#[test]
fn what_is_removed_opens_nothing() {
    let Some(mut enrolled) = Enrolled::new() else { return };
    let words = ["enrol", &enrolled.path, "--gate=store", "--hotp", "--stdin", "--json"];
    let twice = enrolled.oathgate(&words, "x\n");
    assert!(twice.stderr.contains("already"), "{}", twice.stderr);
    let (number, backup) = (enrolled.said["token"].to_string(), format!("{}.removed", enrolled.path));
    let words = ["remove", &enrolled.path, "--token", &number, "--stdin", "--backup", &backup];
    let gone = enrolled.oathgate(&words, &format!("{PASSPHRASE}\n"));
    good(&gone);
    assert!(gone.text().contains("is forgotten"), "{}", gone.text());
    assert_ne!(enrolled.opens(&enrolled.code(0)).code(), Some(0));
    enrolled.said = enrolled.enrol("again");
    good(&enrolled.opens(&enrolled.code(0)));
}

#[test]
fn an_enrolment_that_fails_leaves_neither_token_nor_credential() {
    let Some(mut enrolled) = Enrolled::new() else { return };
    enrolled.disk = Disk::bare();
    enrolled.path = enrolled.disk.path().to_str().unwrap().to_owned();
    let backup = format!("{}.failed", enrolled.path);
    let words = ["enrol", &enrolled.path, "--gate=store", "--hotp", "--stdin", "--json", "--backup", &backup];
    let failed = enrolled.oathgate(&words, "not the passphrase\n");
    assert!(failed.code() != Some(0) && failed.stdout.is_empty(), "{}", failed.stderr);
    let status = enrolled.oathgate(&["status", &enrolled.path, "--json"], "");
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["tokens"], serde_json::json!([]));
    let door = format!("disk:{}", status["uuid"].as_str().unwrap());
    let listed = run(enrolled.inside().arg(bin("oathgate")).args(["list", "--json"]), b"");
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let of_disk = listed["owners"].as_array().unwrap().iter().filter(|row| row["owner"] == door.as_str());
    let active = of_disk.flat_map(|row| row["credentials"].as_array().unwrap()).filter(|one| one["state"] != "revoked");
    assert_eq!(active.count(), 0, "{listed}");
    enrolled.said = enrolled.enrol("then");
    good(&enrolled.opens(&enrolled.code(0)));
}

#[test]
fn the_gate_is_asked_for() {
    let Some(enrolled) = Enrolled::new() else { return };
    let asked = enrolled.oathgate(&["enrol", &enrolled.path, "--stdin"], "x\n");
    assert!(asked.code() == Some(2) && asked.stderr.contains("--gate store"), "{}", asked.stderr);
}
