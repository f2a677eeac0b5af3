//! A host of its own: an account `ann` with a home, and a real sshd that reads
//! her authorized_keys. The machine keeps its own /etc.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use oathgate_tests::built::bin;
use oathgate_tests::oathgated::{Device, serve};
use oathgate_tests::process::{Finished, PATIENCE, Running, run};
use oathgate_tests::sshd::{Client, Key, Settings, Sshd};
use otp_wire::SecretText;
use otp_wire::message::Enrolled;

/// ann's uid and gid; nobody else's on any machine that runs this.
pub const ANN: u32 = 42_042;

/// Lays a writable folder over /etc, empty ones over /run and /var/lib, says
/// so, and waits.
const LAY: &str = "
    set -e
    mkdir \"$1/over\"
    mount -t tmpfs -o mode=0755 oathgate \"$1/over\"
    mkdir \"$1/over/upper\" \"$1/over/work\"
    mount -t overlay -o lowerdir=/etc,upperdir=\"$1/over/upper\",workdir=\"$1/over/work\" oathgate /etc
    printf 'ann:*:42042:42042::%s:%s\\n' \"$1/home\" \"$2\" >>/etc/passwd
    printf 'ann:*:42042:\\nannsgroup:*:42043:ann\\n' >>/etc/group
    printf '%s' \"$3\" >/etc/ssh/sshd_config
    mount -t tmpfs -o mode=0755 oathgate /run
    mkdir /run/sshd /run/oathgate
    mount -t tmpfs -o mode=0755 oathgate /var/lib
    echo ready
    exec cat
";

/// The host, ann, and a key of hers that is in her authorized_keys.
pub struct World {
    pub sshd: Sshd,
    pub key: Key,
    pub home: PathBuf,
    programs: PathBuf,
    inside: Running,
    _folder: tempfile::TempDir,
}

impl World {
    /// `None` without root, who alone can lay folders over others.
    pub fn new() -> Option<Self> {
        Self::with("/bin/bash", "")
    }

    /// With another login shell, and with settings in the host's sshd_config
    /// (which our sshd doesn't read).
    pub fn with(shell: &str, sshd_config: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: needs root");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("oathgate-home-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let home = folder.path().join("home");
        fs::create_dir_all(home.join(".ssh")).unwrap();
        let programs = folder.path().join("pro grams");
        fs::create_dir(&programs).unwrap();
        for name in ["oathgate", "ssh-otp", "oathgated"] {
            assert!(Command::new("cp").arg(bin(name)).arg(&programs).status().unwrap().success());
        }
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", LAY, "sh"]).arg(folder.path()).args([shell, sshd_config]);
        let inside = Running::start(&mut command);
        inside.stdout.wait_for("ready", PATIENCE).unwrap_or_else(|_| panic!("{}", inside.stderr.so_far()));
        let first = ["StrictModes no", "AuthorizedKeysFile .ssh/authorized_keys", "SetEnv OATHGATE_TEST=1"];
        let wrapper = enter(&inside).map(OsString::from).to_vec();
        let settings = Settings { wrapper, first: first.map(str::to_owned).to_vec(), ..Settings::default() };
        let sshd = Sshd::start(&settings);
        let key = sshd.key("laptop");
        let world = Self { sshd, key, home, programs, inside, _folder: folder };
        world.write(&format!("# mine\n{} ann@laptop\n", world.key.public));
        Some(world)
    }

    /// authorized_keys.
    pub fn file(&self) -> PathBuf {
        self.home.join(".ssh/authorized_keys")
    }

    /// Writes authorized_keys, and makes all of it ann's and private.
    pub fn write(&self, text: &str) {
        fs::write(self.file(), text).unwrap();
        fs::set_permissions(self.file(), fs::Permissions::from_mode(0o600)).unwrap();
        for path in [self.home.clone(), self.home.join(".ssh"), self.file()] {
            std::os::unix::fs::chown(path, Some(ANN), Some(ANN)).unwrap();
        }
    }

    pub fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    /// Files in `.ssh`, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.home.join(".ssh")).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Prepares the system's store and starts its service, with everything at
    /// its usual place; it ends with what is returned.
    pub fn service(&self) -> Running {
        let made = self.oathgate(&["init"]);
        assert_eq!(made.code(), Some(0), "{}", made.stderr);
        let [nsenter, namespace] = enter(&self.inside);
        let sockets = format!("/proc/{}/root/run/oathgate", self.inside.pid());
        let mut command = Command::new(nsenter);
        serve(command.arg(namespace).arg(self.programs.join("oathgated")), Path::new(&sockets))
    }

    /// Runs a program in there as root, without a terminal.
    pub fn root(&self, program: &Path, words: &[&str]) -> Finished {
        let [nsenter, namespace] = enter(&self.inside);
        run(Command::new(nsenter).arg(namespace).args(["setsid", "-w"]).arg(program).args(words), b"")
    }

    pub fn oathgate_path(&self) -> PathBuf {
        self.programs.join("oathgate")
    }

    pub fn oathgate(&self, words: &[&str]) -> Finished {
        self.root(&self.oathgate_path(), words)
    }

    /// Runs `oathgate` as ann, without a terminal.
    pub fn as_ann(&self, words: &[&str]) -> Finished {
        let (home, program) = (format!("HOME={}", self.home.display()), self.oathgate_path());
        let ids = ["--reuid=42042", "--regid=42042", "--init-groups", "env", "-i", &home];
        self.root(Path::new("setpriv"), &[&ids[..], &[program.to_str().unwrap()], words].concat())
    }

    /// What ann types at her shell to call `oathgate`.
    pub fn typed(&self, words: &str) -> String {
        format!("'{}' {words}", self.oathgate_path().display())
    }

    /// A counting device for `key`, in ann's own store.
    pub fn enrol(&self, key: &Key) -> Device {
        let made = self.as_ann(&["--user-store", "enrol", "--ssh-key", &key.fingerprint, "--hotp", "--json"]);
        let json: serde_json::Value = serde_json::from_slice(&made.stdout).expect(&made.stderr);
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        let scratch = json["scratch"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned());
        Device(Enrolled {
            account: text("account"),
            owner: text("owner"),
            credential: text("credential"),
            label: text("label"),
            issuer: String::new(),
            kind: text("kind"),
            algorithm: text("algorithm"),
            digits: 6,
            period: None,
            counter: Some(0),
            secret: SecretText::typed(text("secret").as_bytes()),
            scratch: scratch.map(|code| SecretText::typed(code.as_bytes())).collect(),
        })
    }

    pub fn client(&self, key: &Key) -> Client {
        self.sshd.client(key).user("ann")
    }

    /// Whose a file is, and its permissions.
    pub fn state(&self) -> (u32, u32, u32) {
        let found = fs::symlink_metadata(self.file()).unwrap();
        (found.uid(), found.gid(), found.mode() & 0o7777)
    }
}

fn enter(inside: &Running) -> [String; 2] {
    ["nsenter".to_owned(), format!("--mount=/proc/{}/ns/mnt", inside.pid())]
}
