//! `oathgate luks`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use luks_cryptsetup::moment;
use oathgate_tests::built::bin;
use oathgate_tests::process::{Finished, run};
use otp_core::uri::{KeyUri, Kind};
use otp_core::{Digits, otp};
use serde_json::Value;

use crate::world::{Disk, KEY, PASSPHRASE, PIN, good, ready};

/// The least cost that people may choose.
const COST: [&str; 2] = ["--pbkdf-memory=65536", "--pbkdf-force-iterations=3"];

fn oathgate(words: &[&str], typed: &str) -> Finished {
    bin("oathgate-luks");
    let mut command = Disk::inside(&[]);
    command.arg(bin("oathgate")).arg("luks").args(words);
    run(&mut command, typed.as_bytes())
}

fn json(finished: &Finished) -> Value {
    good(finished);
    serde_json::from_slice(&finished.stdout).unwrap()
}

/// A disk, and what was enrolled on it.
struct Enrolled {
    disk: Disk,
    path: String,
    said: Value,
}

impl Enrolled {
    /// Counted codes.
    fn new() -> Self {
        let disk = Disk::bare();
        let path = disk.path().to_str().unwrap().to_owned();
        let (backup, pin) = (format!("{path}.backup"), format!("{PIN}\n{PASSPHRASE}\n"));
        let words = ["enrol", &path, "--gate=header", "--hotp", "--stdin", "--json", "--backup", &backup];
        let said = json(&oathgate(&[&words[..], &COST].concat(), &pin));
        Self { disk, path, said }
    }

    fn code(&self, counter: u64) -> String {
        code(&self.said, counter)
    }

    /// Whether PIN and this code open it.
    fn test(&self, code: &str) -> Finished {
        oathgate(&["open", &self.path, "--test", "--stdin"], &format!("{PIN}{code}\n"))
    }
}

fn code(said: &Value, factor: u64) -> String {
    let uri = KeyUri::parse(said["uri"].as_str().unwrap()).unwrap();
    let digits = Digits::new(uri.digits).unwrap();
    otp::code(&uri.secret, uri.algorithm, digits, factor).to_string()
}

#[test]
fn a_disk_is_enrolled_and_opened() {
    if !ready() {
        return;
    }
    let enrolled = Enrolled::new();
    let refused = enrolled.test("000000");
    assert!(refused.code() == Some(1) && refused.stderr.contains("Wrong PIN or code"), "{}", refused.stderr);
    good(&enrolled.test(&enrolled.code(0)));
    let again = enrolled.test(&enrolled.code(0));
    assert!(again.code() == Some(1) && again.stderr.contains("already used"), "{}", again.stderr);
    assert!(enrolled.disk.opens(&enrolled.code(1)), "by the plugin too");
    // What opens it without a code.
    let recovery = enrolled.said["recovery"].as_str().unwrap();
    assert_eq!(recovery.len(), 29, "120 bits in groups of four");
    good(&enrolled.disk.run(&["open", "--test-passphrase", &enrolled.path], recovery));
    good(&enrolled.disk.run(&["open", "--test-passphrase", &enrolled.path], PASSPHRASE));
    // Wiped of the token, the header is the one that was copied before.
    let backup = PathBuf::from(enrolled.said["backup"].as_str().unwrap());
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o077, 0);
    let before = enrolled.disk.run(&["luksDump", backup.to_str().unwrap()], "").text();
    assert!(before.contains("UUID:") && !before.contains("oathgate"), "{before}");
}

#[test]
fn time_counts_too() {
    if !ready() {
        return;
    }
    let disk = Disk::bare();
    let path = disk.path().to_str().unwrap().to_owned();
    let (backup, key) = (format!("{path}.backup"), format!("{path}.key"));
    fs::write(&key, PASSPHRASE).unwrap();
    let words =
        ["enrol", &path, "--gate=header", "--stdin", "--json", "--backup", &backup, "--key-file", &key, "--digits=8"];
    let said = json(&oathgate(&[&words[..], &COST, &["--algorithm=SHA256"]].concat(), &format!("{PIN}\n")));
    let uri = KeyUri::parse(said["uri"].as_str().unwrap()).unwrap();
    assert_eq!((uri.kind, uri.secret.bits(), uri.digits), (Kind::Totp { period: 30 }, 256, 8));
    let now = code(&said, moment().now / 30);
    good(&oathgate(&["open", &path, "--test", "--stdin"], &format!("{PIN}{now}\n")));
}

#[test]
fn status_says_what_opens_it() {
    if !ready() {
        return;
    }
    let enrolled = Enrolled::new();
    let status = json(&oathgate(&["status", &enrolled.path, "--json"], ""));
    assert_eq!(status["uuid"], enrolled.said["uuid"]);
    // Keyslot 1 has the key of a token that this disk has not.
    assert_eq!(status["keyslots_without_code"], serde_json::json!([0, 1, 3]));
    assert_eq!(status["tokens"][0]["keyslots"], serde_json::json!([2]));
    assert_eq!(status["tokens"][0]["argon2id"]["memory"], 65536);
    let text = oathgate(&["status", &enrolled.path], "").text();
    assert!(text.contains("HOTP, SHA1, 6 digits") && text.contains("It is closed."), "{text}");
    for secret in [PIN, PASSPHRASE, enrolled.said["recovery"].as_str().unwrap()] {
        assert!(!text.contains(secret) && !status.to_string().contains(secret));
    }
}

#[test]
fn a_token_is_replaced_and_removed() {
    if !ready() {
        return;
    }
    let enrolled = Enrolled::new();
    let path = &enrolled.path;
    let (second, third) = (format!("{path}.2"), format!("{path}.3"));
    let words = ["rotate", path, "--token=0", "--hotp", "--stdin", "--json", "--backup", &second];
    let typed = format!("another pin of it\n{PASSPHRASE}\n");
    let said = json(&oathgate(&[&words[..], &COST].concat(), &typed));
    assert_eq!((&said["token"], &said["recovery"]), (&Value::from(1), &Value::Null));
    assert!(!enrolled.disk.opens(&enrolled.code(0)), "the old one is gone");
    let answer = format!("another pin of it{}\n", code(&said, 0));
    good(&oathgate(&["open", path, "--test", "--stdin"], &answer));
    let remove = ["remove", path, "--token=1", "--stdin", "--backup", &third];
    good(&oathgate(&remove, &format!("{PASSPHRASE}\n")));
    let status = json(&oathgate(&["status", path, "--json"], ""));
    assert_eq!(
        (&status["tokens"], &status["keyslots_without_code"]),
        (&serde_json::json!([]), &serde_json::json!([0, 1, 3]))
    );
    let none = oathgate(&["open", path, "--test", "--stdin"], &answer);
    assert!(none.code() == Some(3) && none.stderr.contains("oathgate luks enrol"), "{}", none.stderr);
}

#[test]
fn what_can_not_be_done_changes_nothing() {
    if !ready() {
        return;
    }
    let disk = Disk::bare();
    let path = disk.path().to_str().unwrap().to_owned();
    let backup = format!("{path}.backup");
    let enrol = |path: &str, more: &[&str], typed: &str| {
        let words = ["enrol", path, "--gate=header", "--hotp", "--stdin", "--json", "--backup", &backup];
        oathgate(&[&words[..], &COST, more].concat(), typed)
    };
    let before = fs::read(&path).unwrap();
    let (right, nothing) = (format!("{PIN}\n{PASSPHRASE}\n"), format!("{path}.nothing"));
    fs::write(&nothing, [0; 65536]).unwrap();
    fs::write(format!("{path}.old"), "of something else").unwrap();
    let old = format!("{path}.old");
    let cases = [
        (enrol(&path, &[], &format!("{PIN}\nwrong\n")), "no keyslot opens"),
        (enrol(&path, &[], &format!("too short\n{PASSPHRASE}\n")), "fewer than 12"),
        (enrol(&path, &[], &format!("{}\n{PASSPHRASE}\n", "long".repeat(26))), "more than 100 bytes"),
        (enrol(&path, &[], ""), "--stdin"),
        (enrol(&nothing, &[], &right), "has no LUKS2 header"),
        (enrol("/nonexistent", &[], &right), "can't open /nonexistent"),
        (enrol("/nonexistent", &[], &right), "attach the disk"),
        (enrol(&path, &["--write-crypttab=a b"], &right), "can't be the name"),
        (
            oathgate(&["enrol", &path, "--gate=header", "--pbkdf-memory=1024", "--pbkdf-force-iterations=3"], &right),
            "65536",
        ),
        (oathgate(&["rotate", &path, "--token=3", "--stdin", "--backup", &backup], &right), "there is no token 3"),
        (oathgate(&["remove", &path, "--token=0", "--stdin", "--backup", &backup], PASSPHRASE), "there is no token 0"),
        (oathgate(&["close", "oathgate-test-none"], ""), "oathgate-test-none"),
    ];
    for (refused, why) in cases {
        assert!(refused.code() != Some(0) && refused.stderr.contains(why), "{why}: {}", refused.stderr);
        assert!(!refused.stderr.contains("panicked") && !refused.stderr.contains(PASSPHRASE));
        assert!(!PathBuf::from(&backup).exists(), "{why}: no copy without a change");
    }
    assert_eq!(enrol(&path, &[], &format!("{PIN}\nwrong\n")).code(), Some(1), "a no, as for a wrong code");
    let words = ["enrol", &path, "--gate=header", "--hotp", "--stdin", "--json", "--backup", &old];
    let there = oathgate(&[&words[..], &COST].concat(), &right);
    assert!(there.code() == Some(3) && there.stderr.contains("name another new file"), "{}", there.stderr);
    assert_eq!(fs::read(&old).unwrap(), b"of something else");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_full_header_is_left_as_it_was() {
    if !ready() {
        return;
    }
    let disk = Disk::bare();
    let path = disk.path().to_str().unwrap().to_owned();
    let (backup, key) = (format!("{path}.backup"), format!("{path}.key"));
    fs::write(&key, KEY).unwrap();
    let quick = ["--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000", "--batch-mode", "--key-file", &key];
    let add = ["luksAddKey", &path, &key];
    let mut added = 0;
    while disk.run(&[&add[..], &quick].concat(), "").code() == Some(0) {
        added += 1;
    }
    // One is free again: the token's keyslot finds room, the recovery's does not.
    good(&disk.run(&["luksKillSlot", "--batch-mode", &path, &(added + 1).to_string()], ""));
    let slots = || json(&oathgate(&["status", &path, "--json"], ""))["keyslots_without_code"].clone();
    let before = slots();
    let words = ["enrol", &path, "--gate=header", "--hotp", "--stdin", "--json", "--backup", &backup];
    let full = oathgate(&[&words[..], &COST].concat(), &format!("{PIN}\n{PASSPHRASE}\n"));
    assert!(full.code() == Some(3) && full.stderr.contains("luksKillSlot"), "{}", full.stderr);
    assert_eq!(slots(), before, "the keyslot that was added is gone");
    assert!(PathBuf::from(&backup).exists());
}

#[test]
fn luks1_says_how_to_convert() {
    if !ready() {
        return;
    }
    let disk = Disk::bare();
    let path = disk.path().to_str().unwrap().to_owned();
    let quick = ["luksFormat", "--type=luks1", "--batch-mode", "--pbkdf-force-iterations=1000", &path, "-"];
    good(&disk.run(&quick, PASSPHRASE));
    let refused = oathgate(&["status", &path], "");
    assert!(refused.code() == Some(3) && refused.stderr.contains("convert --type luks2"), "{}", refused.stderr);
}
