//! Headers that are not as they should be.

use std::fs;

use oathgate_tests::process::run;

use crate::world::{Disk, PASSPHRASE, PIN, good, hotp, ready, shown, token};

#[test]
fn a_header_that_is_read_only_gives_no_key() {
    if !ready() {
        return;
    }
    let disk = Disk::with(&token(hotp(), 0));
    let path = disk.path();
    let path = path.to_str().unwrap();
    let before = fs::read(path).unwrap();
    let mut command = Disk::inside(&["--ro-bind", path, path]);
    command.arg("cryptsetup").args(Disk::open(path));
    let refused = run(&mut command, format!("{PIN}{}", shown(0)).as_bytes());
    assert_ne!(refused.code(), Some(0));
    assert!(refused.stderr.contains("header can't be written"), "{}", refused.stderr);
    assert_eq!(fs::read(path).unwrap(), before);
    assert!(disk.opens(&shown(0)), "it was not used up");
}

#[test]
fn damaged_and_foreign_tokens_are_passed_over() {
    if !ready() {
        return;
    }
    let disk = Disk::bare();
    let path = disk.path();
    let path = path.to_str().unwrap();
    let json = token(hotp(), 0).to_json().unwrap();
    let cases = [
        (json.replace("\"version\":1", "\"version\":2"), "newer oathgate"),
        (json.replace("\"digits\":6", "\"digits\":60"), "6, 7 or 8 digits"),
        (json.replace("\"version\":1", "\"version\":1,\"x\":1"), "damaged"),
        (json.replace("\"header\"", "\"store\""), "damaged"),
    ];
    for (bad, why) in cases {
        let refused = disk.run(&["token", "import", "--token-id=0", path], &bad);
        assert!(refused.code() != Some(0) && refused.stderr.contains(why), "{bad}: {}", refused.stderr);
        // Somebody without the plugin put it there.
        let unseen = ["token", "import", "--token-id=0", "--disable-external-tokens", path];
        good(&disk.run(&unseen, &bad));
        let opened = disk.answer(&format!("{PIN}{}", shown(0)));
        assert!(opened.code() != Some(0) && opened.stderr.contains(why), "{bad}: {}", opened.stderr);
        good(&disk.run(&["token", "remove", "--token-id=0", path], ""));
    }
    // One of ours behind a stranger still opens.
    let foreign = r#"{"type":"stranger","keyslots":["1"],"key":"value"}"#;
    disk.import(foreign);
    good(&disk.run(&["token", "import", "--token-id=1", path], &json));
    assert!(disk.opens(&shown(0)));
}

#[test]
fn a_state_that_somebody_changed_gives_no_key() {
    if !ready() {
        return;
    }
    let disk = Disk::with(&token(hotp(), 0));
    assert!(disk.opens(&shown(0)));
    let json = disk.json();
    let path = disk.path();
    good(&disk.run(&["token", "remove", "--token-id=0", path.to_str().unwrap()], ""));
    let back = json.replace("\"next\":1", "\"next\":0");
    assert_ne!(json, back);
    disk.import(&back);
    let refused = disk.answer(&format!("{PIN}{}", shown(0)));
    assert!(refused.code() != Some(0) && refused.stderr.contains("somebody changed the header"), "{}", refused.stderr);
}

#[test]
fn a_re_encryption_that_is_pending_changes_nothing_about_codes() {
    if !ready() {
        return;
    }
    let disk = Disk::with(&token(hotp(), 0));
    let path = disk.path();
    let path = path.to_str().unwrap();
    let words = ["reencrypt", "--init-only", "--batch-mode", "--key-slot=0", "--key-file=-", path];
    good(&disk.run(&words, PASSPHRASE));
    assert!(disk.run(&["luksDump", path], "").text().contains("online-reencrypt"));
    // Where it opens, the code is used up; where the header is not to be
    // written, it is not, and nothing opens.
    let opened = disk.opens(&shown(0));
    assert_eq!(disk.token().state.next, u64::from(opened));
    assert!(!(opened && disk.opens(&shown(0))));
}
