//! As installed: the places that are compiled in, a host without a service,
//! and sockets that systemd hands over.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use oathgate_tests::built::{bin, library};
use oathgate_tests::process::{Finished, PATIENCE, Running, run};
use otp_core::{Algorithm, Digits, Secret, otp};
use otp_wire::{Ask, DEADLINE, Everything, Outcome, Request, SocketVerifier, Verifier};

fn root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: needs root");
    }
    root
}

/// A mount namespace in which oathgate is installed; the machine keeps its own
/// /etc, /var/lib and /usr/libexec.
struct Host {
    folder: tempfile::TempDir,
    inside: Running,
}

/// Lays writable folders over those of the machine, says so, and waits.
const LAY: &str = "
    set -e
    mount -t tmpfs -o mode=0755 oathgate \"$1\"
    mkdir -p \"$1/upper\" \"$1/work\" \"$1/pam.d\"
    mount -t overlay -o lowerdir=/etc,upperdir=\"$1/upper\",workdir=\"$1/work\" oathgate /etc
    mount -t tmpfs -o mode=0755 oathgate /var/lib
    mount -t tmpfs -o mode=0755 oathgate /usr/libexec
    mkdir /usr/libexec/oathgate
    cp \"$2\" /usr/libexec/oathgate/oathgated
    cp \"$3\" /usr/libexec/oathgate/oathgate
    echo ready
    exec cat
";

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", LAY, "sh"]).arg(folder.path());
        let inside = Running::start(command.arg(bin("oathgated")).arg(bin("oathgate")));
        inside.stdout.wait_for("ready", PATIENCE).unwrap_or_else(|_| panic!("{}", inside.stderr.so_far()));
        Self { folder, inside }
    }

    /// Runs a program in there.
    fn run(&self, program: impl AsRef<OsStr>, words: &[&str], input: &str) -> Finished {
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.inside.pid())).arg(program).args(words);
        run(&mut command, input.as_bytes())
    }

    fn oathgate(&self, words: &[&str]) -> Finished {
        self.run("/usr/libexec/oathgate/oathgate", words, "")
    }

    fn write(&self, path: &str, text: &str) {
        let script = "mkdir -p \"$(dirname \"$1\")\" && cat >\"$1\" && chmod 0644 \"$1\"";
        let written = self.run("sh", &["-c", script, "sh", path], text);
        assert!(written.status.success(), "{}", written.stderr);
    }

    fn pam(&self, user: &str, typed: &str) -> String {
        let stacks = self.folder.path().join("pam.d");
        let host = env!("CARGO_BIN_EXE_pam_host");
        self.run(host, &[stacks.to_str().unwrap(), "su", user], &format!("{typed}\n")).text()
    }
}

#[test]
fn without_a_service_root_spawns_the_verifier() {
    if !root() {
        return;
    }
    let before = Path::new("/etc/oathgate").exists();
    let host = Host::new();
    let module = library("libpam_oathgate.so");
    let stack = format!("auth required {} verifier=spawn\n", module.display());
    host.write(host.folder.path().join("pam.d/su").to_str().unwrap(), &stack);
    assert!(host.pam("root", "123456").contains("result PAM_AUTHINFO_UNAVAIL"), "nothing is prepared yet");

    host.write("/etc/oathgate/oathgate.toml", "verifier = \"spawn\"\n");
    let made = host.oathgate(&["init"]);
    assert_eq!(made.code(), Some(0), "{}{}", made.text(), made.stderr);
    let enrolled = host.oathgate(&["enrol", "root", "--hotp", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&enrolled.stdout).expect(&enrolled.stderr);
    let secret = json["uri"].as_str().unwrap().split(['?', '&']).find_map(|part| part.strip_prefix("secret="));
    let secret = Secret::from_base32(secret.unwrap()).unwrap();
    let code = |counter| otp::code(&secret, Algorithm::Sha1, Digits::SIX, counter).to_string();
    assert!(host.pam("root", "000000").contains("result PAM_AUTH_ERR"));
    assert!(host.pam("root", &code(0)).contains("result PAM_SUCCESS"));
    assert!(host.pam("root", &code(0)).contains("result PAM_AUTH_ERR"), "used");
    assert!(host.pam("root", &code(1)).contains("result PAM_SUCCESS"));
    assert!(host.pam("daemon", &code(2)).contains("result PAM_AUTH_ERR"), "nobody else's");
    assert_eq!(Path::new("/etc/oathgate").exists(), before, "the machine's own is as it was");
}

#[test]
fn one_code_for_two_names_on_one_uid() {
    if !root() {
        return;
    }
    let host = Host::new();
    let twins = "ann:x:4242:4242::/:/bin/sh\nben:x:4242:4242::/:/bin/sh\n";
    let appended = host.run("sh", &["-c", "cat >>/etc/passwd"], twins);
    assert!(appended.status.success());
    host.write("/etc/oathgate/oathgate.toml", "verifier = \"spawn\"\n");
    assert_eq!(host.oathgate(&["init"]).code(), Some(0));
    assert_eq!(host.oathgate(&["enrol", "ann", "--json"]).code(), Some(0));
    let stack = "auth required MODULE verifier=spawn nullok\nauth required pam_permit.so\n";
    let module = library("libpam_oathgate.so");
    let stack = stack.replace("MODULE", module.to_str().unwrap());
    host.write(host.folder.path().join("pam.d/su").to_str().unwrap(), &stack);
    assert!(host.pam("ann", "000000").contains("result PAM_AUTH_ERR"), "ann has a code");
    assert!(host.pam("ben", "000000").contains("result PAM_SUCCESS"), "ben has none, and the stack says nullok");
    assert!(host.pam("ANN", "000000").contains("result PAM_AUTH_ERR"), "no such account, so nothing to be null");
}

#[test]
fn systemd_hands_the_sockets_over() {
    if !Path::new("/usr/bin/systemd-socket-activate").exists() {
        eprintln!("skipped: needs systemd-socket-activate");
        return;
    }
    for (first, second) in [("root", "socket"), ("socket", "root")] {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let common = |command: &mut Command| {
            command.arg("--store").arg(path("store/store.db")).arg("--keys").arg(path("keys"));
            command.arg("--config").arg(path("oathgate.toml"));
        };
        let mut init = Command::new(bin("oathgated"));
        common(init.arg("--init"));
        assert!(init.stdout(Stdio::null()).status().unwrap().success());
        let mut command = Command::new("/usr/bin/systemd-socket-activate");
        command.arg("-l").arg(path(first)).arg("-l").arg(path(second)).arg(bin("oathgated"));
        common(&mut command);
        let service = Running::start(&mut command);
        service.stderr.wait_for("Listening on", PATIENCE).unwrap();
        service.stderr.wait_for("Listening on", PATIENCE).unwrap();
        for name in ["root", "socket"] {
            fs::set_permissions(path(name), fs::Permissions::from_mode(0o600)).unwrap();
            let own = rustix::process::geteuid().as_raw();
            let verifier = SocketVerifier::new(&path(name), vec![own]);
            let request = Request::<Everything>::new(Ask::Status {}).unwrap();
            let outcome = verifier.ask(&request, Instant::now() + DEADLINE).unwrap().outcome;
            let Outcome::Status(status) = outcome else { panic!("{name}: {outcome:?}") };
            let expected = if name == "root" || own == 0 { "root" } else { "account" };
            assert_eq!(status.peer, expected, "{name}");
        }
    }
}
