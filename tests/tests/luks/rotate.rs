//! A new key at the store gate.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use oathgate_tests::built::bin;
use oathgate_tests::process::{Finished, PATIENCE, Running, run};
use serde_json::{Value, json};

use crate::store::Enrolled;
use crate::world::{KEY, PASSPHRASE, Pipe, good};

fn words<'a>(enrolled: &'a Enrolled, backup: &'a str) -> [&'a str; 7] {
    ["rotate", &enrolled.path, "--token=0", "--stdin", "--json", "--backup", backup]
}

fn rotate(enrolled: &Enrolled, backup: &str, passphrase: &str) -> Finished {
    enrolled.oathgate(&words(enrolled, backup), &format!("{passphrase}\n"))
}

/// The keyslots of the token, and those of no token.
fn keyslots(enrolled: &Enrolled) -> (Value, Value) {
    let status = enrolled.oathgate(&["status", &enrolled.path, "--json"], "");
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    (status["tokens"][0]["keyslots"].clone(), status["keyslots_without_code"].clone())
}

#[test]
fn the_key_is_another_and_the_code_the_same() {
    let Some(enrolled) = Enrolled::new() else { return };
    let (before, backup) = (keyslots(&enrolled), format!("{}.2", enrolled.path));
    good(&enrolled.test(&enrolled.code(0)));
    let rotated = rotate(&enrolled, &backup, PASSPHRASE);
    good(&rotated);
    let said: Value = serde_json::from_slice(&rotated.stdout).unwrap();
    assert_eq!((&said["token"], &said["recovery"], &said["uri"]), (&json!(0), &Value::Null, &Value::Null));
    let after = keyslots(&enrolled);
    assert_eq!(after, (json!([said["keyslot"]]), before.1.clone()));
    assert_ne!(after.0, before.0);
    assert!(!rotated.stderr.contains(PASSPHRASE));
    // The verifier's key opens it, by both front ends; the header as it was has none for it.
    good(&enrolled.opens(&enrolled.code(1)));
    good(&enrolled.test(&enrolled.code(2)));
    let old = enrolled.oathgate(&["open", &backup, "--test", "--stdin"], &format!("{}\n", enrolled.code(3)));
    assert!(old.code() != Some(0) && old.stderr.contains("can't be opened"), "{}", old.stderr);
    assert_eq!(enrolled.disk.run(&["open", "--test-passphrase", &enrolled.path], PASSPHRASE).code(), Some(0));
}

#[test]
fn what_is_refused_changes_nothing() {
    let Some(mut enrolled) = Enrolled::new() else { return };
    let (before, backup) = (fs::read(&enrolled.path).unwrap(), format!("{}.2", enrolled.path));
    let key = format!("{}.key", enrolled.path);
    fs::write(&key, KEY).unwrap();
    let with = |more: &[&str]| enrolled.oathgate(&[&words(&enrolled, &backup)[..], more].concat(), "x\n");
    let cases = [
        (rotate(&enrolled, &backup, "wrong"), 1, "no keyslot opens"),
        (with(&["--hotp"]), 2, "the code stays as it is"),
        (with(&["--key-file", "/nonexistent"]), 3, "can't read /nonexistent"),
    ];
    for (refused, exit, why) in cases {
        assert!(refused.code() == Some(exit) && refused.stderr.contains(why), "{why}: {}", refused.stderr);
        assert!(!Path::new(&backup).exists(), "{why}");
    }
    enrolled.service.stop();
    let silent = rotate(&enrolled, &backup, PASSPHRASE);
    assert!(silent.code() == Some(3) && !Path::new(&backup).exists(), "{}", silent.stderr);
    assert_eq!(fs::read(&enrolled.path).unwrap(), before);
    enrolled.service.resume();
    good(&enrolled.test(&enrolled.code(0)));
}

/// Rotates, and stops the verifier when it was asked what it keeps and not yet
/// to keep another key: the passphrase comes from a pipe that only then is written.
fn rotate_half(enrolled: &mut Enrolled) -> (Option<i32>, String) {
    let pipe = Pipe::new(format!("{}.pipe", enrolled.path).into());
    let backup = format!("{}.half", enrolled.path);
    let mut command = enrolled.inside();
    command.arg(bin("oathgate")).arg("luks").args(words(enrolled, &backup)).arg("--key-file").arg(&pipe.0);
    let mut running = Running::start(&mut command);
    let mut writer = pipe.writer();
    enrolled.service.stop();
    writer.write_all(PASSPHRASE.as_bytes()).unwrap();
    drop(writer);
    let code = running.wait(PATIENCE).code();
    (code, String::from_utf8(running.stderr.to_end(PATIENCE)).unwrap())
}

#[test]
fn a_verifier_that_is_gone_midway_leaves_the_old_key() {
    let Some(mut enrolled) = Enrolled::new() else { return };
    let before = keyslots(&enrolled);
    let (code, stderr) = rotate_half(&mut enrolled);
    assert!(code == Some(3) && stderr.contains("still opens with the same code"), "{stderr}");
    enrolled.service.resume();
    let half = keyslots(&enrolled);
    assert_eq!((half.0.as_array().unwrap().len(), &half.1), (2, &before.1), "a keyslot for each key");
    opens_and_rotates(&enrolled, &before.1);
}

/// Both front ends open it with the next codes, and the next rotation leaves
/// nothing over.
fn opens_and_rotates(enrolled: &Enrolled, without_code: &Value) {
    good(&enrolled.opens(&enrolled.code(0)));
    good(&enrolled.test(&enrolled.code(1)));
    good(&rotate(enrolled, &format!("{}.again", enrolled.path), PASSPHRASE));
    let after = keyslots(enrolled);
    assert_eq!((after.0.as_array().unwrap().len(), &after.1), (1, without_code));
    good(&enrolled.opens(&enrolled.code(2)));
    good(&enrolled.test(&enrolled.code(3)));
}

#[test]
fn after_the_verifier_has_the_new_key_it_is_the_one_that_opens() {
    let Some(enrolled) = Enrolled::new() else { return };
    let (before, backup) = (keyslots(&enrolled), format!("{}.2", enrolled.path));
    // A helper that ends before it takes the old keyslot away.
    let (helper, script) = (bin("oathgate-luks"), format!("{}.helper", enrolled.path));
    let text = "#!/bin/sh\norder=$(cat)\ncase $order in *'\"settle\"'*) exit 1 ;; esac\n\
                printf '%s\\n' \"$order\" | /run/helper\n";
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let helper = helper.to_str().unwrap();
    let mut command = enrolled.inside_with(&["--ro-bind", helper, "/run/helper", "--ro-bind", &script, helper]);
    command.arg(bin("oathgate")).arg("luks").args(words(&enrolled, &backup));
    let half = run(&mut command, format!("{PASSPHRASE}\n").as_bytes());
    assert!(half.code() == Some(3) && half.stderr.contains("still opens with the same code"), "{}", half.stderr);
    assert_eq!(keyslots(&enrolled).0.as_array().unwrap().len(), 2);
    opens_and_rotates(&enrolled, &before.1);
}
