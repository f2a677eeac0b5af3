//! A system of the test's own: /etc, /run, a verifier where the package has
//! it, and three people.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use oathgate_tests::namespace::{self, empty, lay, module};
use oathgate_tests::oathgated::{Device, Oathgated, hotp};
use oathgate_tests::terminal::Terminal;
use otp_wire::message::{AuditFilter, AuditRow};
use otp_wire::{Ask, Outcome};

/// The module, in a place that every user reads.
pub const MODULE: &str = "/run/pam_oathgate.so";
/// Our own program that calls PAM, in such a place too.
pub const HOST: &str = "/run/pam_host";
/// The prompt.
pub const CODE: &str = "Verification code: ";
/// Everybody's password, and what shadow(5) has of it.
pub const PASSWORD: &str = "correct horse";
const HASH: &str = "$5$rounds=1000$oathgate$B.94JpUfyeQHG3iCsj6ukQcui.dH7/RT3eBJTg0jx.D";

const PASSWD: &str = "\
root:x:0:0::/:/bin/sh
www-data:x:33:33::/:/usr/sbin/nologin
ann:x:60001:60001::/:/bin/sh
bob:x:60002:60002::/:/bin/sh
carl:x:60003:60003::/:/bin/sh
";
const GROUP: &str = "\
root:x:0:
tty:x:5:
shadow:x:42:www-data
www-data:x:33:
web:x:60000:ann,bob
ann:x:60001:
bob:x:60002:
carl:x:60003:
";
/// login.defs(5): nobody waits, nothing is written down.
const LOGIN_DEFS: &str = "FAIL_DELAY 0\nFAILLOG_ENAB no\nLASTLOG_ENAB no\nMAIL_DIR /run\nLOGIN_RETRIES 2\n";

/// The system; it goes with the namespace.
pub struct System {
    pub service: Oathgated,
    etc: tempfile::TempDir,
}

impl System {
    /// Enters a namespace for the test of this name; nothing where the test is
    /// run there by another process, or can't be.
    pub fn enter(test: &str) -> Option<Self> {
        Self::with(test, "")
    }

    /// The same with these settings of the verifier's.
    pub fn with(test: &str, settings: &str) -> Option<Self> {
        namespace::inside(test).then(|| Self::new(settings))
    }

    fn new(settings: &str) -> Self {
        let etc = tempfile::Builder::new().prefix("oathgate-etc-").tempdir().unwrap();
        fs::set_permissions(etc.path(), Permissions::from_mode(0o755)).unwrap();
        for (name, text) in [
            ("passwd", PASSWD.to_owned()),
            ("group", GROUP.to_owned()),
            ("nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n".to_owned()),
            // sudo looks this host up.
            ("hosts", format!("127.0.0.1 localhost {}\n", rustix::system::uname().nodename().to_string_lossy())),
            ("login.defs", LOGIN_DEFS.to_owned()),
            ("shadow", ["root", "ann", "bob", "carl"].map(|name| format!("{name}:{HASH}:19000::::::\n")).concat()),
        ] {
            fs::write(etc.path().join(name), text).unwrap();
        }
        // For unix_chkpwd(8), by which pam_unix asks where it has no rights.
        let shadow = etc.path().join("shadow");
        chown(&shadow, Some(0), Some(42)).unwrap();
        fs::set_permissions(&shadow, Permissions::from_mode(0o640)).unwrap();
        fs::create_dir(etc.path().join("pam.d")).unwrap();
        fs::copy("/etc/ld.so.cache", etc.path().join("ld.so.cache")).unwrap();
        let module = module();
        let service = Self::serve(settings, etc.path());
        fs::copy(module, MODULE).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_pam_host"), HOST).unwrap();
        Self { service, etc }
    }

    /// Lays the system over the machine's, and starts the verifier in it.
    fn serve(settings: &str, etc: &Path) -> Oathgated {
        oathgate_tests::built::bin("oathgated");
        lay(etc, "/etc");
        ["/run", "/var/log"].iter().for_each(|place| empty(place));
        let mut service = Oathgated::start();
        if !settings.is_empty() {
            service.stop();
            fs::write(service.folder().join("oathgate.toml"), settings).unwrap();
            service.resume();
        }
        fs::create_dir("/run/oathgate").unwrap();
        symlink(service.root_socket(), "/run/oathgate/root").unwrap();
        symlink(service.public_socket(), "/run/oathgate/socket").unwrap();
        service
    }

    /// Writes what a service does; `auth` are its lines for that, in which
    /// `MODULE` stands for the module.
    pub fn stack(&self, service: &str, auth: &str) {
        let auth = auth.replace("MODULE", &format!("{MODULE} nodelay"));
        let text = format!("{auth}\naccount required pam_permit.so\nsession required pam_permit.so\n");
        self.write(&format!("pam.d/{service}"), &text);
    }

    /// Writes a file of /etc.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.etc.path().join(name), text).unwrap();
    }

    /// The same, for root's eyes.
    pub fn write_private(&self, name: &str, text: &str) {
        self.write(name, text);
        fs::set_permissions(self.etc.path().join(name), Permissions::from_mode(0o600)).unwrap();
    }

    /// A device for an account.
    pub fn enrol(&self, account: &str) -> Device {
        self.service.administrator().enrol(hotp(account, account, None, account))
    }

    /// What was decided, newest first: account, service, whether it was
    /// accepted, and the peer.
    pub fn decided(&self) -> Vec<(String, String, bool, u32)> {
        let filter = AuditFilter { limit: 100, ..AuditFilter::default() };
        let Outcome::Audit(rows) = self.service.administrator().ask(Ask::Audit(filter)) else { panic!("no audit") };
        let logins = rows.into_iter().filter(|row: &AuditRow| !row.service.is_empty());
        logins.map(|row| (row.account, row.service, row.verdict == "accept", row.peer)).collect()
    }
}

/// Whether the machine has this file of `package`; says so where it hasn't.
pub fn has(file: &str, package: &str) -> bool {
    let there = Path::new(file).exists();
    if !there {
        eprintln!("skipped: needs {package}");
    }
    there
}

/// A command of `user`'s.
pub fn of(user: &str, command: &[&str]) -> Command {
    let mut as_user = Command::new("setpriv");
    as_user.args(["--reuid", user, "--regid", user, "--init-groups"]).args(command);
    as_user
}

/// The same on a terminal.
pub fn at_terminal(user: &str, command: &[&str]) -> Terminal {
    Terminal::start(&of(user, command))
}

/// Answers each prompt in its turn; the exit code, and what was shown.
pub fn answered(mut terminal: Terminal, answers: &[(&str, &str)]) -> (Option<i32>, String) {
    for (prompt, answer) in answers {
        terminal.expect(prompt);
        terminal.answer(answer);
    }
    terminal.wait()
}
