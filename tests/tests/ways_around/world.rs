//! A server with an account of its own, whose key must pass a gate that never
//! opens: whatever comes in came in another way.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use oathgate_tests::built::bin;
use oathgate_tests::oathgated::Oathgated;
use oathgate_tests::process::{Finished, run};
use oathgate_tests::sshd::{Client, Key, Settings, Sshd};

/// Its uid and gid, of nobody's.
const UID: u32 = 424_242;

/// The account.
pub const ACCOUNT: &str = "walker";

/// `a password`, as shadow(5) has it.
const PASSWORD: &str =
    "$6$oathgate$PcEFO6JOwJ5JGAPOcQVQA3IvvkWVwxqlowemsaUp2sA9gb9vf7dnrd88xv8leWkGWzurHUWq7mcb4joeVEKYZ1";

/// A password and google-authenticator's code, for whoever is asked by PAM.
const PAM: &str = "\
auth required pam_unix.so
auth required pam_google_authenticator.so user=root secret=FOLDER/google_authenticator
account required pam_permit.so
session required pam_permit.so
";

/// What google-authenticator remembers: its secret, and two scratch codes.
const GOOGLE: &str = "2SH3V3GDW7ZNMGYE\n\" TOTP_AUTH\n12345678\n87654321\n";

/// Lays private account databases and PAM over the host's for what is started in there.
const NAMESPACE: &str = r#"set -e
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/shadow" /etc/shadow
mount --bind "$1/pam.d" /etc/pam.d
shift; exec "$@""#;

/// sshd's defaults where the harness has others.
const DEFAULTS: [&str; 2] = ["AuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys2", "X11Forwarding yes"];

pub struct World {
    pub sshd: Sshd,
    pub key: Key,
    folder: tempfile::TempDir,
    /// It knows nobody; doctor asks it.
    service: Oathgated,
}

impl World {
    /// None, with a word why, where there can't be an account of its own.
    fn new(uid: u32, shell: &str, first: &[&str]) -> Option<Self> {
        if !rustix::process::getuid().is_root() {
            eprintln!("skipped: needs root");
            return None;
        }
        if !Path::new(shell).exists() {
            eprintln!("skipped: needs {shell}");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("oathgate-walker-").tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        accounts(folder.path(), uid, shell);
        // The sources may lie where only root can look.
        copy(&bin("ssh-otp"), &folder.path().join("ssh-otp"));
        let wrapper = wrapper(folder.path()).into_iter().map(Into::into).collect();
        let first = first.iter().chain(&DEFAULTS).map(|line| (*line).to_owned()).collect();
        let sshd = Sshd::start(&Settings { wrapper, first, ..Settings::default() });
        let world = Self { key: sshd.key("gated"), sshd, service: verifier(folder.path()), folder };
        world.write(".ssh/authorized_keys", &world.line("restrict,pty,"));
        Some(world)
    }

    /// One with the line that `ssh install` writes.
    pub fn gated(shell: &str, first: &[&str]) -> Option<Self> {
        Self::new(UID, shell, first)
    }

    /// The same, where the account is root's.
    pub fn root(first: &[&str]) -> Option<Self> {
        Self::new(0, "/bin/sh", first)
    }

    /// The folder for whatever a test needs; everybody may look into it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The account's home.
    pub fn home(&self) -> PathBuf {
        self.folder().join("home")
    }

    /// A line for the key, with `options` in front of the command that asks.
    pub fn line(&self, options: &str) -> String {
        let program = self.folder().join("ssh-otp");
        let gate = format!("exec {} --key {} --socket /nonexistent", program.display(), self.key.fingerprint);
        format!("{options}command=\"{gate}\" {}\n", self.key.public)
    }

    /// Writes a file of the account's, below its home.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.home().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        chown(&path, Some(UID), Some(UID)).unwrap();
    }

    pub fn client(&self) -> Client {
        self.sshd.client(&self.key).user(ACCOUNT)
    }

    /// Logs in with these variables, which the server gets if it takes them.
    /// They are none of the client's own: it would go by them, too.
    pub fn try_with(&self, variables: &[(&str, &str)]) -> Finished {
        let words: Vec<String> = variables.iter().map(|(name, value)| format!("\"{name}={value}\"")).collect();
        let client = self
            .client()
            .option(&format!("SetEnv={}", if words.is_empty() { "A=b".to_owned() } else { words.join(" ") }));
        run(&mut client.ssh(&["-T"], Some("echo behind".as_ref())), b"")
    }

    /// Logs in without the key; `code` is what is typed where the password is not asked for.
    pub fn by_password(&self, method: &str, code: &str) -> Finished {
        let askpass = self.folder().join("askpass");
        let script = format!("#!/bin/sh\ncase $1 in *assword*) echo 'a password';; *) echo {code};; esac\n");
        fs::write(&askpass, script).unwrap();
        fs::set_permissions(&askpass, Permissions::from_mode(0o700)).unwrap();
        let client =
            self.client().option(&format!("PreferredAuthentications={method}")).option("NumberOfPasswordPrompts=1");
        let mut command = client.ssh(&["-T"], Some("echo around".as_ref()));
        run(command.env("SSH_ASKPASS", &askpass).env("SSH_ASKPASS_REQUIRE", "force"), b"")
    }

    /// What `oathgate doctor ssh` finds, and its exit code.
    pub fn doctor(&self) -> (Option<i32>, Vec<serde_json::Value>) {
        self.doctor_with(&[])
    }

    /// The same, with further arguments.
    pub fn doctor_with(&self, further: &[&str]) -> (Option<i32>, Vec<serde_json::Value>) {
        let words = wrapper(self.folder());
        let (program, arguments) = words.split_first().unwrap();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .arg(bin("oathgate"))
            .arg("--socket")
            .arg(self.service.root_socket())
            .args(["doctor", "ssh", ACCOUNT, "--json"])
            .args(further)
            .arg("--config");
        let finished = run(command.arg(self.sshd.folder().join("sshd_config")), b"");
        let findings = serde_json::from_slice(&finished.stdout);
        let findings: Vec<_> =
            findings.unwrap_or_else(|error| panic!("{error}: {}{}", finished.text(), finished.stderr));
        (finished.code(), findings)
    }

    /// Checks that doctor names a way around: what it says, and where.
    pub fn named(&self, line: &str, place: &str) {
        let (code, findings) = self.doctor();
        let has = |finding: &serde_json::Value, field: &str, text: &str| {
            finding[field].as_str().is_some_and(|value| value.contains(text))
        };
        let named = findings.iter().any(|finding| {
            finding["state"] == "bad"
                && has(finding, "line", line)
                && has(finding, "at", place)
                && (finding["change"].is_string() || finding["run"].is_string())
        });
        assert!(named && code == Some(1), "{line:?} at {place:?}: {code:?} {findings:#?}");
        assert!(findings.iter().all(|finding| finding["state"] != "good"), "{findings:#?}");
    }
}

fn wrapper(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    ["unshare", "-m", "sh", "-c", NAMESPACE, "sh", &folder].map(str::to_owned).into()
}

/// One that knows the account.
fn verifier(folder: &Path) -> Oathgated {
    let mut service = Oathgated::start();
    service.stop();
    let words = wrapper(folder);
    let mut program = Command::new(&words[0]);
    program.args(&words[1..]).arg(bin("oathgated"));
    service.resume_by(program);
    service
}

fn accounts(folder: &Path, uid: u32, shell: &str) {
    let home = folder.join("home");
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let entry = format!("{ACCOUNT}:x:{uid}:{uid}::{}:{shell}\n", home.display());
    fs::write(folder.join("passwd"), passwd + &entry).unwrap();
    fs::write(folder.join("shadow"), format!("{ACCOUNT}:{PASSWORD}:20000:0:99999:7:::\n")).unwrap();
    fs::set_permissions(folder.join("shadow"), Permissions::from_mode(0o600)).unwrap();
    fs::create_dir(folder.join("pam.d")).unwrap();
    fs::write(folder.join("pam.d/sshd"), PAM.replace("FOLDER", &folder.display().to_string())).unwrap();
    fs::write(folder.join("google_authenticator"), GOOGLE).unwrap();
    fs::set_permissions(folder.join("google_authenticator"), Permissions::from_mode(0o400)).unwrap();
    fs::create_dir_all(home.join(".ssh")).unwrap();
    chown(&home, Some(uid), Some(uid)).unwrap();
}

/// By another process: one that this one forks meanwhile would hold the copy
/// open for writing, and nobody could start it (ETXTBSY).
fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

/// Checks that the client's own text was run.
pub fn came_around(finished: &Finished) {
    assert!(finished.text().contains("around"), "{}{}", finished.text(), finished.stderr);
}

/// Checks that nothing ran but the gate, which could not ask.
pub fn kept_out(finished: &Finished) {
    assert_eq!((finished.code(), finished.text().as_str()), (Some(1), ""), "{}", finished.stderr);
    assert!(finished.stderr.contains("cannot check codes"), "{}", finished.stderr);
}
