//! The program as people and scripts meet it.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const KEY_LINE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA me@here";

/// A folder with the program, an ssh-otp beside it, and a key.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("oathgate").permissions(private()).tempdir().unwrap();
        let place = Self { folder };
        copy(Path::new(env!("CARGO_BIN_EXE_oathgate")), &place.path("oathgate"));
        fs::write(place.path("ssh-otp"), "").unwrap();
        fs::write(place.path("id.pub"), format!("{KEY_LINE}\n")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(self.path("oathgate"))
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

/// Copies a program, by another process: one that this one forks meanwhile
/// would hold the copy open for writing, and nobody could start it (ETXTBSY).
fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

fn private() -> fs::Permissions {
    fs::Permissions::from_mode(0o700)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn exit_statuses() {
    let place = Place::new();
    for (arguments, status) in [
        (&["--help"][..], 0),
        (&["--version"], 0),
        (&["completions", "bash"], 0),
        (&[], 2),
        (&["frobnicate"], 2),
        (&["list", "a/b"], 2),
        (&["enrol", "--digits", "5"], 2),
        (&["enrol", "--algorithm", "MD5"], 2),
        (&["enrol", "--hotp", "--period", "30"], 2),
        (&["enrol", "--json", "--png", "x"], 2),
        (&["enrol", "--ssh-key", "missing.pub"], 2),
        (&["list", "--user-store", "--socket", "x"], 2),
        (&["verify", "123456", "extra"], 2),
        (&["audit", "--since", "yesterday", "--socket", "nowhere"], 2),
        (&["backup"], 2),
        (&["backup", "copy", "--socket", "nowhere"], 2),
        (&["restore", "copy", "--socket", "nowhere"], 2),
        (&["backup", "copy", "--user-store"], 3),
        (&["list", "--socket", "nowhere"], 3),
        (&["verify", "--stdin", "root", "--socket", "nowhere"], 3),
        (&["list", "--user-store"], 3),
        (&["ssh", "install", "id.pub", "--file", "missing"], 1),
    ] {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", stderr(&output));
        if status != 0 && !arguments.is_empty() {
            assert!(stderr(&output).starts_with("error: "), "{arguments:?}");
            assert_eq!(stdout(&output), "", "{arguments:?}");
        }
        assert!(!stderr(&output).contains('\x1b'), "colours only on a terminal");
    }
}

#[test]
fn errors_say_what_to_do() {
    let place = Place::new();
    let output = place.run(&["list", "--socket", "nowhere"]);
    let lines = stderr(&output);
    let lines: Vec<&str> = lines.lines().collect();
    assert!(
        matches!(lines[..], [error, hint] if error.starts_with("error: no verifier at nowhere") && hint.starts_with("hint: "))
    );
}

fn install(place: &Place, more: &[&str]) -> Output {
    // Not an ssh-otp that anybody could try.
    let words = ["ssh", "install", "id.pub", "--file", "authorized_keys", "--yes", "--no-trial"];
    place.run(&[&words, more].concat())
}

#[test]
fn a_line_is_put_in_and_taken_out() {
    let place = Place::new();
    let file = place.path("authorized_keys");
    let before = format!("# keys\n\n  {KEY_LINE}\nssh-rsa AAAA other\nfrom=\"10.0.0.1\" {KEY_LINE}");
    fs::write(&file, &before).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();

    let dry = install(&place, &["--dry-run"]);
    assert!(dry.status.success(), "{}", stderr(&dry));
    assert_eq!(fs::read_to_string(&file).unwrap(), before);

    let output = install(&place, &["--user-store"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let after = fs::read_to_string(&file).unwrap();
    let gate = format!("restrict,pty,command=\"exec {} --user-store --key SHA256:", place.path("ssh-otp").display());
    assert_eq!(after.matches(&gate).count(), 2, "every line of the key:\n{after}");
    assert!(after.starts_with("# keys\n\n  restrict") && after.contains("\nssh-rsa AAAA other\n"), "{after}");
    for line in [&format!("-   {KEY_LINE}"), "+   restrict,pty", "Keep this session open", "oathgate ssh remove"] {
        assert!(stdout(&output).contains(line), "{line}\nin\n{}", stdout(&output));
    }
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);

    let again = install(&place, &["--user-store"]);
    assert!(stdout(&again).contains("nothing was changed"));
    assert_eq!(fs::read_to_string(&file).unwrap(), after);

    let removed = place.run(&["ssh", "remove", "id.pub", "--file", "authorized_keys", "--json"]);
    assert!(removed.status.success(), "{}", stderr(&removed));
    let report: serde_json::Value = serde_json::from_str(&stdout(&removed)).unwrap();
    assert_eq!((&report["changed"], &report["lines"][1]["line"]), (&true.into(), &5.into()));
    assert_eq!(fs::read_to_string(&file).unwrap(), before, "byte for byte");
    let backup = report["backup"].as_str().unwrap();
    assert_eq!(fs::read_to_string(place.path(backup)).unwrap(), after);
}

#[test]
fn a_line_that_can_not_be_gated_changes_nothing_at_all() {
    let place = Place::new();
    let file = place.path("authorized_keys");
    for options in ["command=\"rrsync /srv\"", "port-forwarding", "environment=\"BASH_ENV=x\"", "cert-authority"] {
        let before = format!("{KEY_LINE}\n{options} {KEY_LINE}\n");
        fs::write(&file, &before).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let output = install(&place, &[]);
        assert_eq!(output.status.code(), Some(1), "{options}");
        assert!(stderr(&output).contains("line 2") && stderr(&output).contains("hint: "), "{}", stderr(&output));
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
    }
    assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), 4, "no copies are left behind");
}

#[test]
fn a_path_that_shells_would_read_otherwise_is_refused() {
    let place = Place::new();
    let folder = place.path("a'b");
    fs::create_dir(&folder).unwrap();
    for program in ["oathgate", "ssh-otp"] {
        copy(&place.path(program), &folder.join(program));
    }
    let file = place.path("authorized_keys");
    fs::write(&file, KEY_LINE).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(folder.join("oathgate"));
        command.args(arguments).current_dir(place.folder.path()).output().unwrap()
    };
    let output = run(&["ssh", "install", "id.pub", "--file", "authorized_keys"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("can't be written into authorized_keys"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(&file).unwrap(), KEY_LINE);
}

#[test]
fn man_pages_are_written_by_the_program_itself() {
    let place = Place::new();
    fs::create_dir(place.path("man")).unwrap();
    assert!(place.run(&["man", "man"]).status.success());
    let page = fs::read_to_string(place.path("man/oathgate-enrol.1")).unwrap();
    assert!(page.replace('\\', "").contains("--ssh-key"));
    assert!(!stdout(&place.run(&["--help"])).contains("man pages"), "it is for packagers");
}
