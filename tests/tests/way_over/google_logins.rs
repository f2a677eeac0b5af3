//! From google-authenticator's own files, by logins, and back.

use std::fs;
use std::process::Command;

use oathgate_tests::homes::{FIRST, own};
use oathgate_tests::process::run;
use otp_core::Secret;

use crate::stage::{Stage, code};

const MODULE: &str = "pam_google_authenticator.so";
const DOCUMENT: &str = "from-google-authenticator.md";

/// What a person sees after google-authenticator made the file.
struct Made {
    secret: Secret,
    scratch: Vec<String>,
}

impl Stage {
    /// Has Debian's own program make a person's state file.
    fn make(&self, person: &str, uid: u32, kind: &[&str]) -> Made {
        let path = self.path(person).join(".google_authenticator");
        let mut command = Command::new("google-authenticator");
        command.args(["-f", "-q", "-C", "-r", "3", "-R", "30", "-w", "3", "-e", "5", "-s"]).arg(&path).args(kind);
        let made = run(&mut command, b"");
        assert_eq!(made.code(), Some(0), "{}", made.stderr);
        own(&path, uid, 0o400);
        let text = fs::read_to_string(&path).unwrap();
        let scratch = text.lines().filter(|line| line.len() == 8 && line.parse::<u32>().is_ok());
        let secret = Secret::from_base32(text.lines().next().unwrap()).unwrap();
        Made { secret, scratch: scratch.map(str::to_owned).collect() }
    }
}

#[test]
fn people_go_on_where_they_were_and_can_go_back() {
    let test = "google_logins::people_go_on_where_they_were_and_can_go_back";
    let Some(stage) = Stage::inside(test, &["ann", "bob"], MODULE) else { return };
    let ann = stage.make("ann", FIRST, &["-t", "-d"]);
    let bob = stage.make("bob", FIRST + 1, &["-c"]);
    assert_eq!((ann.scratch.len(), bob.scratch.len()), (5, 5));
    stage.stack(MODULE);
    #[allow(clippy::disallowed_methods)] // the other module knows no other clock
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    // Whatever the step is by now, this one and the next are within the window.
    let step = now / 30;
    assert!(stage.login("ann", &code(&ann.secret, step)) && stage.login("bob", &code(&bob.secret, 1)));
    assert!(stage.login("ann", &ann.scratch[0]));

    let migrated = stage.follow(DOCUMENT, "The way");
    assert!(migrated.contains("2 covered, 0 not covered"), "{migrated}");
    assert_eq!(fs::read_to_string(stage.path("pam.d/su")).unwrap(), "auth required pam_oathgate.so\n");
    for (person, typed, accepted, why) in [
        ("ann", code(&ann.secret, step), false, "used there"),
        ("ann", code(&ann.secret, step + 1), true, "the next one"),
        ("ann", code(&ann.secret, step + 1), false, "used here"),
        ("ann", ann.scratch[0].clone(), false, "a scratch code that was used there"),
        ("ann", ann.scratch[1].clone(), true, "another one"),
        ("ann", ann.scratch[1].clone(), false, "it was used here"),
        ("bob", code(&bob.secret, 1), false, "used there"),
        ("bob", code(&bob.secret, 2), true, "the next one"),
        ("bob", code(&bob.secret, 2), false, "used here"),
    ] {
        assert_eq!(stage.login(person, &typed), accepted, "{person}: {why}");
    }

    stage.follow(DOCUMENT, "Back");
    let anns = fs::read_to_string(stage.path("ann.google_authenticator")).unwrap();
    for (person, uid, state) in [("ann", FIRST, anns), ("bob", FIRST + 1, stage.export("bob", "libpam").text())] {
        let path = stage.path(person).join(".google_authenticator");
        fs::remove_file(&path).unwrap();
        fs::write(&path, state).unwrap();
        own(&path, uid, 0o400);
    }
    assert_eq!(fs::read_to_string(stage.path("pam.d/su")).unwrap(), format!("auth required {MODULE}\n"));
    for (person, typed, accepted, why) in [
        ("ann", code(&ann.secret, step + 1), false, "used here, and the file says so"),
        ("ann", code(&ann.secret, step), false, "used there, before"),
        ("bob", code(&bob.secret, 2), false, "used here"),
        ("bob", code(&bob.secret, 4), true, "the wrong try before took one more, which is the module's way"),
    ] {
        assert_eq!(stage.login(person, &typed), accepted, "{person}, back: {why}");
    }
    stage.follow(DOCUMENT, "The way");
    assert!(!stage.login("bob", &code(&bob.secret, 4)), "used there in between");
    assert!(stage.login("bob", &code(&bob.secret, 5)), "the next one, once more over");
}
