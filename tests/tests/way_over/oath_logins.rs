//! From a users.oath that pam_oath has written to, by logins, and back.

use std::fs;

use oathgate_tests::homes::own;
use otp_core::Secret;

use crate::stage::{Stage, code};

const MODULE: &str = "pam_oath.so";
const DOCUMENT: &str = "from-pam_oath.md";

/// A key of its own for each, as oathtool takes it.
fn key(person: &str) -> (Secret, String) {
    let bytes: Vec<u8> = person.bytes().cycle().take(20).collect();
    (Secret::copy(&bytes).unwrap(), bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[test]
fn people_go_on_where_they_were_and_can_go_back() {
    let test = "oath_logins::people_go_on_where_they_were_and_can_go_back";
    let Some(stage) = Stage::inside(test, &["ann", "bob"], MODULE) else { return };
    let ((ann, ann_hex), (bob, bob_hex)) = (key("ann"), key("bob"));
    let users = stage.path("users.oath");
    fs::write(&users, format!("HOTP\tann\t-\t{ann_hex}\nHOTP/T30\tbob\t-\t{bob_hex}\n")).unwrap();
    own(&users, 0, 0o600);
    let line = format!("{MODULE} usersfile={} window=5 digits=6", users.display());
    stage.stack(&line);
    #[allow(clippy::disallowed_methods)] // the other module knows no other clock
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let step = now / 30;
    assert!(stage.login("ann", &code(&ann, 0)) && stage.login("bob", &code(&bob, step)));
    assert!(fs::read_to_string(&users).unwrap().contains(&code(&ann, 0)), "it has written its state");

    let migrated = stage.follow(DOCUMENT, "The way");
    assert!(migrated.contains("2 covered, 0 not covered"), "{migrated}");
    for (person, typed, accepted, why) in [
        ("ann", code(&ann, 0), false, "used there"),
        ("ann", code(&ann, 1), true, "the next one"),
        ("ann", code(&ann, 1), false, "used here"),
        ("bob", code(&bob, step), false, "used there"),
        ("bob", code(&bob, step + 1), true, "the next one"),
        ("bob", code(&bob, step + 1), false, "used here"),
    ] {
        assert_eq!(stage.login(person, &typed), accepted, "{person}: {why}");
    }

    let times = stage.export("bob", "users-oath");
    assert!(times.stderr.contains("let a step go by"), "used codes can't stand there: {}", times.stderr);
    stage.follow(DOCUMENT, "Back");
    fs::copy(stage.path("ann.oath"), &users).unwrap();
    assert_eq!(fs::read_to_string(stage.path("pam.d/su")).unwrap(), format!("auth required {line}\n"));
    assert!(!stage.login("ann", &code(&ann, 1)), "used here");
    assert!(stage.login("ann", &code(&ann, 2)), "the next one");
}
