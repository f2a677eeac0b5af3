//! The other PAM modules themselves: they take what is written here, and what
//! they leave behind goes on here.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use oathgate_tests::process::run;
use oathgate_tests::sshd::id;

use crate::import::code;
use crate::world::{SECRET, World};

/// Whether Debian's packages of the other modules are here.
fn installed(module: &str) -> bool {
    let folders = fs::read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path().join("security").join(module));
    let found = folders.into_iter().any(|path| path.exists());
    if !found {
        eprintln!("skipped: no {module}");
    }
    found
}

impl World {
    /// Asks another module about a code, as PAM would.
    fn login(&self, line: &str, code: &str) -> bool {
        let folder = self.path("pam.d");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("su"), format!("auth required {line}\n")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pam_host"));
        let finished = run(command.arg(&folder).args(["su", &id("-un")]), format!("{code}\n").as_bytes());
        finished.text().contains("result PAM_SUCCESS\n")
    }

    /// A file as the other modules want it: in a folder that they may write, private.
    fn state(&self, name: &str, content: &str) -> PathBuf {
        fs::create_dir_all(self.path("state")).unwrap();
        let path = self.path("state").join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }
}

fn google(path: &Path) -> String {
    format!("pam_google_authenticator.so secret={} user={}", path.display(), id("-un"))
}

fn oath(path: &Path) -> String {
    format!("pam_oath.so usersfile={} window=5 digits=6", path.display())
}

#[test]
fn google_authenticator_takes_our_file_and_we_take_its_own() {
    if !installed("pam_google_authenticator.so") {
        return;
    }
    let world = World::new();
    world.file("uri", format!("otpauth://hotp/alice?secret={SECRET}&counter=3\n"));
    let path = world.state("google", &world.convert(&["uri", "--to", "libpam"]));
    let module = google(&path);
    assert!(!world.login(&module, &code(SECRET, 2)), "used before");
    let before = fs::read_to_string(&path).unwrap();
    assert!(world.login(&module, &code(SECRET, 4)), "the first that is shown, and one more");
    assert_ne!(fs::read_to_string(&path).unwrap(), before, "it has written its state");

    let finished = world.import(&[path.to_str().unwrap()]);
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
    assert!(!world.verify(&code(SECRET, 4)), "used there");
    assert!(world.verify(&code(SECRET, 5)), "the next one");
}

#[test]
fn a_file_that_google_authenticator_made_is_read_and_written_back() {
    if !Path::new("/usr/bin/google-authenticator").exists() {
        eprintln!("skipped: no google-authenticator");
        return;
    }
    let world = World::new();
    for (name, kind) in [("time", &["-t", "-d"][..]), ("button", &["-c"])] {
        let path = world.path(name);
        let mut command = Command::new("google-authenticator");
        command.args(["-f", "-q", "-C", "-r", "4", "-R", "60", "-w", "7", "-e", "6", "-s"]).arg(&path).args(kind);
        let made = run(&mut command, b"");
        assert_eq!(made.code(), Some(0), "{}", made.stderr);
        let document = world.json(&[name]);
        let entry = &document["entries"][0];
        assert_eq!((&entry["digits"], &entry["usable"]), (&6.into(), &true.into()));
        assert_eq!(entry["type"], if name == "time" { "totp" } else { "hotp" });
        // The same lines, in whatever order.
        let lines = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
            lines.sort();
            lines
        };
        assert_eq!(lines(&world.convert(&[name, "--to", "libpam"])), lines(&fs::read_to_string(&path).unwrap()));
    }
}

#[test]
fn pam_oath_takes_our_file_and_we_take_its_own() {
    if !installed("pam_oath.so") {
        return;
    }
    let world = World::new();
    let user = id("-un");
    world.file("uri", format!("otpauth://hotp/{user}?secret={SECRET}&counter=3\n"));
    let path = world.state("users.oath", &world.convert(&["uri", "--to", "users-oath"]));
    let module = oath(&path);
    assert!(!world.login(&module, &code(SECRET, 2)), "used before");
    assert!(world.login(&module, &code(SECRET, 3)), "the next one");
    assert!(fs::read_to_string(&path).unwrap().contains(&code(SECRET, 3)), "it has written the last code");

    let finished = world.import(&[path.to_str().unwrap()]);
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
    assert!(!world.verify(&code(SECRET, 3)), "used there");
    assert!(world.verify(&code(SECRET, 4)), "the next one");
}

#[test]
fn pam_oaths_used_time_codes_are_not_taken_again() {
    if !installed("pam_oath.so") {
        return;
    }
    let world = World::new();
    let user = id("-un");
    world.file("uri", format!("otpauth://totp/{user}?secret={SECRET}\n"));
    let path = world.state("users.oath", &world.convert(&["uri", "--to", "users-oath"]));
    #[allow(clippy::disallowed_methods)] // the other module knows no other clock
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    // Whatever the step is by now, this code is within its window.
    assert!(world.login(&oath(&path), &code(SECRET, now / 30 + 1)));
    let finished = world.import(&[path.to_str().unwrap()]);
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
    assert!(!world.verify(&code(SECRET, now / 30 + 1)), "used there");
    assert!(!world.verify(&code(SECRET, now / 30)), "older than the one that was used");
}
