//! The tarball of `make static`, unpacked in a home directory: enrol, install
//! and log in where nothing of ours is installed.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use oathgate_tests::built;
use oathgate_tests::process::{Finished, run};
use oathgate_tests::sshd::{Key, Settings, Sshd, id};
use otp_core::{Algorithm, Digits, Secret, otp};

/// Built once, without optimisation: that changes nothing about how it is linked.
static TARBALL: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = built::folder().parent().unwrap().to_owned();
    let tarball = target.join("static/test.tar.gz");
    let mut make = Command::new("make");
    make.arg("-C").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).args(["static", "STATIC_PROFILE=unoptimised"]);
    make.arg(format!("TARBALL={}", tarball.display())).env("CARGO_TARGET_DIR", target).env_remove("RUSTFLAGS");
    let made = make.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    tarball
});

/// The uid inside: no account on any machine, as one that only a directory
/// server knows looks to a static program.
const UID: &str = "42044";

/// Somebody with a home directory, into which the tarball was unpacked.
struct Somebody {
    sshd: Sshd,
    key: Key,
    home: PathBuf,
    name: String,
}

impl Somebody {
    fn new() -> Self {
        let sshd = Sshd::start(&Settings::default());
        let (key, home) = (sshd.key("laptop"), sshd.home());
        fs::create_dir_all(home.join(".local")).unwrap();
        fs::create_dir(home.join(".ssh")).unwrap();
        let unpacked = run(Command::new("tar").arg("-C").arg(home.join(".local")).arg("-xzf").arg(&*TARBALL), b"");
        assert!(unpacked.status.success(), "{}", unpacked.stderr);
        Self { sshd, key, home, name: id("-un") }
    }

    fn program(&self, name: &str) -> PathBuf {
        self.home.join(".local/bin").join(name)
    }

    /// Runs `oathgate` in a sandbox that has these `files` besides the home.
    fn oathgate(&self, files: &[&str], words: &[&str]) -> Finished {
        let mut command = Command::new("bwrap");
        command.args(["--unshare-user", "--uid", UID, "--gid", UID]).args(files);
        command.arg("--bind").args([&self.home, &self.home]).args(["--proc", "/proc", "--dev", "/dev", "--clearenv"]);
        command.args(["--setenv", "USER", &self.name, "--setenv", "SHELL", "/bin/sh", "--setenv", "HOME"]);
        run(command.arg(&self.home).arg(self.program("oathgate")).arg("--user-store").args(words), b"")
    }
}

fn sandbox() -> bool {
    let words = ["--unshare-user", "--uid", UID, "--ro-bind", "/", "/", "true"];
    let works = Command::new("bwrap").args(words).output().is_ok_and(|done| done.status.success());
    if !works {
        eprintln!("skipped: bubblewrap can't make a sandbox here");
    }
    works
}

#[test]
fn a_home_directory_is_all_that_is_needed() {
    if !sandbox() {
        return;
    }
    let somebody = Somebody::new();
    // An empty root: no loader, no libraries, no /etc.
    let enrolled = somebody.oathgate(&[], &["enrol", "--ssh-key", &somebody.key.fingerprint, "--hotp", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&enrolled.stdout).expect(&enrolled.stderr);
    let secret = Secret::from_base32(json["secret"].as_str().unwrap()).unwrap();
    let code = |counter| otp::code(&secret, Algorithm::Sha1, Digits::SIX, counter).to_string();
    assert_eq!(json["account"], somebody.name.as_str(), "whom USER says, for nobody else can");

    let file = somebody.home.join(".ssh/authorized_keys");
    fs::write(&file, format!("{} me\n", somebody.key.public)).unwrap();
    let nobody = somebody.home.join("passwd");
    fs::write(&nobody, "").unwrap();
    let machine = ["--ro-bind", "/", "/", "--ro-bind", nobody.to_str().unwrap(), "/etc/passwd"];
    let installed = somebody.oathgate(&machine, &["ssh", "install", &somebody.key.fingerprint, "--yes"]);
    assert_eq!(installed.code(), Some(0), "{}{}", installed.text(), installed.stderr);
    let line = fs::read_to_string(&file).unwrap();
    let gate = format!("restrict,pty,command=\"exec {} --user-store ", somebody.program("ssh-otp").display());
    assert!(line.starts_with(&gate), "{line}");

    fs::write(somebody.sshd.folder().join("authorized_keys"), line).unwrap();
    let client = somebody.sshd.client(&somebody.key);
    let refused = client.run("echo in", None);
    assert!(refused.stderr.contains("LC_OTP=123456") && refused.stdout.is_empty(), "{}", refused.stderr);
    for (typed, expected) in [(code(0), "in\n"), (code(0), ""), (code(1), "in\n")] {
        let finished = client.run("echo in", Some(&typed));
        assert_eq!(finished.text(), expected, "{}", finished.stderr);
    }
}

#[test]
fn nothing_in_it_is_dynamic_or_asks_for_the_systems_libraries() {
    let folder = tempfile::tempdir().unwrap();
    let unpacked = run(Command::new("tar").arg("-C").arg(folder.path()).arg("-xzf").arg(&*TARBALL), b"");
    assert!(unpacked.status.success(), "{}", unpacked.stderr);
    let mut programs = 0;
    for entry in fs::read_dir(folder.path().join("bin")).unwrap() {
        let path = entry.unwrap().path();
        let headers = run(Command::new("readelf").arg("-lWd").arg(&path), b"").text();
        assert!(!headers.contains("INTERP") && !headers.contains("(NEEDED)"), "{}", path.display());
        // getpwnam(3) of a static program would load another libc's libraries.
        let symbols = run(Command::new("nm").arg(&path), b"").text();
        assert!(symbols.contains(" main"), "{} has symbols", path.display());
        for function in ["getpwnam_r", "getpwuid_r", "getgrouplist"] {
            let found = symbols.lines().find(|line| line.ends_with(&format!(" {function}")));
            assert_eq!(found, None, "{}", path.display());
        }
        programs += 1;
    }
    assert!(programs >= 3, "{programs}");
}
