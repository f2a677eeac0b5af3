//! `oathgate doctor luks`: real headers, and a crypttab of the test's own.

use std::fs;
use std::process::Command;

use oathgate_tests::built::bin;
use oathgate_tests::process::{Finished, run};
use serde_json::Value;

use crate::store;
use crate::world::{Disk, good, hotp, ready, shown, token};

/// What is said of a disk by a machine, which has these lines in its crypttab.
fn doctor(mut machine: Command, disk: &Disk, lines: &str, words: &[&str]) -> (Finished, Vec<(String, String)>) {
    bin("oathgate-luks");
    let crypttab = disk.path().with_extension("crypttab");
    fs::write(&crypttab, lines).unwrap();
    machine.arg(bin("oathgate")).args(["doctor", "luks", "--json", "--crypttab"]).arg(crypttab).args(words);
    let finished = run(&mut machine, b"");
    let findings: Vec<Value> =
        serde_json::from_slice(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.stderr));
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    let said = findings.iter().map(|finding| (text(finding, "state"), text(finding, "line"))).collect();
    (finished, said)
}

fn has(said: &[(String, String)], state: &str, part: &str) -> bool {
    said.iter().any(|(its, line)| its == state && line.contains(part))
}

#[test]
fn a_line_is_held_against_the_header() {
    if !ready() {
        return;
    }
    let disk = Disk::with(&token(hotp(), 0));
    let path = disk.path().display().to_string();
    let look = |lines: &str| doctor(Disk::inside(&[]), &disk, lines, &[]);
    let (right, said) = look(&format!("# a comment\ndata {path} none luks,nofail\nswap /dev/zero /dev/urandom swap\n"));
    good(&right);
    assert!(has(&said, "good", "the plugin is where cryptsetup looks"), "{said:?}");
    assert!(said.iter().all(|(state, _)| state == "good" || state == "warning"), "{said:?}");
    let (wrong, said) = look(&format!("data {path} /root/key luks,nofail\n"));
    assert!(wrong.code() == Some(1) && has(&said, "bad", "data has a key file"), "{said:?}");
    let (gone, said) = look("data /nonexistent none luks,nofail\n");
    assert!(gone.code() == Some(3) && has(&said, "unseen", "can't be looked at"), "{said:?}");
    assert!(!disk.opens("000000"));
    let (failed, said) = look(&format!("data {path} none luks,nofail\n"));
    assert!(failed.code() == Some(0) && has(&said, "warning", "1 wrong answers"), "{said:?}");
    assert!(disk.opens(&shown(0)), "it used up no code");
}

#[test]
fn a_disk_may_be_named_and_may_have_no_token() {
    if !ready() {
        return;
    }
    let (disk, bare) = (Disk::with(&token(hotp(), 0)), Disk::bare());
    let (disk_path, bare_path) = (disk.path(), bare.path());
    let words = [disk_path.to_str().unwrap(), bare_path.to_str().unwrap()];
    let (named, said) = doctor(Disk::inside(&[]), &disk, "", &words[..1]);
    assert!(named.code() == Some(0) && has(&said, "warning", "is not in crypttab"), "{said:?}");
    // The same UUID: both are copies of one file.
    let (bad, said) = doctor(Disk::inside(&[]), &bare, "", &words[1..]);
    assert!(bad.code() == Some(1) && has(&said, "bad", "asks for no code"), "{said:?}");
    let (none, said) = doctor(Disk::inside(&[]), &disk, "", &[]);
    assert!(none.code() == Some(0) && has(&said, "warning", "no volume of"), "{said:?}");
    let (strange, said) = doctor(Disk::inside(&[]), &disk, "", &["/dev/null"]);
    assert!(strange.code() == Some(1) && said.len() == 1, "{said:?}");
    // Without the plugin nobody would ask.
    let (unasked, said) = doctor(Disk::without_plugin(), &disk, "", &words[..1]);
    assert!(unasked.code() == Some(1) && has(&said, "bad", "load no plugin"), "{said:?}");
}

#[test]
fn keyslots_of_other_tokens_have_no_passphrase() {
    if !ready() {
        return;
    }
    let disk = Disk::with(&token(hotp(), 0));
    let path = disk.path().display().to_string();
    let look = |kind: &str| {
        let json = format!("{{\"type\":\"{kind}\",\"keyslots\":[\"0\"]}}");
        good(&disk.run(&["token", "import", "--token-id=1", "--token-replace", &path], &json));
        doctor(Disk::inside(&[]), &disk, &format!("data {path} none luks,nofail\n"), &[])
    };
    let (typed, said) = look("systemd-recovery");
    assert!(typed.code() == Some(0) && !has(&said, "warning", "keyslot 0"), "{said:?}");
    let (held, said) = look("systemd-tpm2");
    assert!(held.code() == Some(1) && has(&said, "bad", "no recovery passphrase"), "{said:?}");
    assert!(has(&said, "warning", "keyslot 0") && has(&said, "warning", "systemd-tpm2"), "{said:?}");
    let status = run(Disk::inside(&[]).arg(bin("oathgate")).args(["luks", "status", &path]), b"").text();
    assert!(status.contains("systemd-tpm2") && status.contains("no recovery passphrase"), "{status}");
}

#[test]
fn the_verifier_says_what_it_keeps() {
    let Some(mut enrolled) = store::Enrolled::new() else { return };
    let lines = format!("data {} /run/oathgate-disk-key luks,nofail\n", enrolled.path);
    let look = |enrolled: &store::Enrolled| doctor(enrolled.inside(), &enrolled.disk, &lines, &[]);
    let (new, said) = look(&enrolled);
    assert!(new.code() == Some(0) && has(&said, "warning", "was ever used"), "{said:?}");
    assert!(!said.iter().any(|(_, line)| line.contains("scratch")), "{said:?}");
    good(&enrolled.opens(&enrolled.code(0)));
    let (used, said) = look(&enrolled);
    assert!(used.code() == Some(0) && has(&said, "good", "data asks for a code"), "{said:?}");
    let credential = enrolled.said["credential"].as_str().unwrap();
    good(&run(enrolled.inside().arg(bin("oathgate")).args(["disable", credential]), b""));
    let (disabled, said) = look(&enrolled);
    assert!(disabled.code() == Some(1) && has(&said, "bad", "takes no code"), "{said:?}");
    assert!(disabled.text().contains(&format!("enable {credential}")), "{}", disabled.text());
    enrolled.service.stop();
    let (silent, said) = look(&enrolled);
    assert!(silent.code() == Some(1) && said.iter().any(|(state, _)| state == "bad"), "{said:?}");
}
