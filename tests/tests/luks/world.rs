//! Disks, and a cryptsetup that finds our plugin.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use luks_unlock::token::{Code, Kind, State};
use luks_unlock::{Cost, Enrolment, SlotKey, Token, seal};
use oathgate_tests::built::library;
use oathgate_tests::process::{Finished, PATIENCE, run};
use otp_core::{Algorithm, Digits, Secret, otp};
use otp_wire::socket::timespec;
use rustix::event::poll;

pub const PIN: &str = "a pin of this disk";
pub const PASSPHRASE: &str = "the old passphrase";
pub const SECRET: &[u8] = b"12345678901234567890";
pub const KEY: &[u8] = b"the key of a keyslot, 32 bytes..";
/// What a header in a file costs to open; nobody guesses at these.
const QUICK: [&str; 6] =
    ["--pbkdf=argon2id", "--pbkdf-memory=32", "--pbkdf-parallel=1", "--pbkdf-force-iterations=4", "-q", "--batch-mode"];

/// The plugin under test.
pub fn plugin() -> PathBuf {
    library("liboathgate_token.so")
}

pub fn hotp() -> Code {
    Code { kind: Kind::Hotp, algorithm: "SHA1".to_owned(), digits: 6, period: None }
}

pub fn totp() -> Code {
    Code { kind: Kind::Totp, period: Some(30), ..hotp() }
}

/// The device's code for a counter or a step.
pub fn shown(factor: u64) -> String {
    otp::code(&Secret::copy(SECRET).unwrap(), Algorithm::Sha1, Digits::SIX, factor).to_string()
}

/// A token whose Argon2id takes no time.
pub fn token(code: Code, next: u64) -> Token {
    token_of(code, next, Cost { memory: 64, passes: 1 })
}

/// A token as enrolment makes it.
pub fn token_of(code: Code, next: u64, cost: Cost) -> Token {
    let key = |place: &mut [u8]| -> Result<(), ()> {
        place.copy_from_slice(KEY);
        Ok(())
    };
    let mut token = seal(Enrolment {
        pin: PIN.as_bytes(),
        code,
        state: State { next, skew: 0 },
        secret: Secret::copy(SECRET).unwrap(),
        slot_key: SlotKey::fill(key).unwrap(),
        cost,
    })
    .unwrap();
    token.keyslots = vec!["1".to_owned()];
    token
}

/// A LUKS2 header in a file, with a passphrase in keyslot 0, a token's key in
/// keyslot 1, and no token yet.
pub struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    pub fn bare() -> Self {
        static MADE: OnceLock<Vec<u8>> = OnceLock::new();
        let disk = Self { folder: tempfile::Builder::new().prefix("oathgate-luks-").tempdir().unwrap() };
        let made = MADE.get_or_init(|| {
            disk.format();
            fs::read(disk.path()).unwrap()
        });
        fs::write(disk.path(), made).unwrap();
        disk
    }

    /// A disk with a token.
    pub fn with(token: &Token) -> Self {
        let disk = Self::bare();
        disk.import(&token.to_json().unwrap());
        disk
    }

    fn format(&self) {
        fs::File::create(self.path()).unwrap().set_len(8 << 20).unwrap();
        let key = self.folder.path().join("key");
        fs::write(&key, KEY).unwrap();
        let path = self.path();
        let path = path.to_str().unwrap();
        let sizes = ["--luks2-metadata-size=16k", "--luks2-keyslots-size=2m"];
        let words = ["luksFormat", "--type=luks2", path, "-"];
        good(&self.run(&[&words[..], &QUICK, &sizes].concat(), PASSPHRASE));
        let words = ["luksAddKey", path, "--key-file=-", "--new-keyfile", key.to_str().unwrap()];
        good(&self.run(&[&words[..], &QUICK].concat(), PASSPHRASE));
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// `cryptsetup WORDS`, with the plugin in its place and no other one.
    pub fn cryptsetup(&self, words: &[&str]) -> Command {
        let mut command = Self::inside(&[]);
        command.arg("cryptsetup").args(words);
        command
    }

    /// A machine that has the plugin, with more `bwrap` options; what follows runs there.
    pub fn inside(more: &[&str]) -> Command {
        let (plugin, place) = (plugin(), format!("{}/libcryptsetup-token-oathgate.so", place()));
        Self::machine(&[&["--ro-bind", plugin.to_str().unwrap(), &place], more].concat())
    }

    /// The same without a plugin.
    pub fn without_plugin() -> Command {
        Self::machine(&[])
    }

    fn machine(more: &[&str]) -> Command {
        let mut command = Command::new("bwrap");
        command.args(["--dev-bind", "/", "/", "--tmpfs", "/run", "--tmpfs", &place()]).args(more).arg("--");
        command
    }

    pub fn run(&self, words: &[&str], input: &str) -> Finished {
        run(&mut self.cryptsetup(words), input.as_bytes())
    }

    /// Puts a token into the header, through the plugin's `validate`.
    pub fn import(&self, json: &str) {
        good(&self.run(&["token", "import", "--token-id=0", self.path().to_str().unwrap()], json));
    }

    pub fn json(&self) -> String {
        self.run(&["token", "export", "--token-id=0", self.path().to_str().unwrap()], "").text()
    }

    pub fn token(&self) -> Token {
        Token::parse(&self.json()).unwrap()
    }

    /// Words that open it by its token, without mapping it.
    pub fn open(path: &str) -> [&str; 4] {
        ["open", "--test-passphrase", "--token-only", path]
    }

    /// Opens it with an answer.
    pub fn answer(&self, answer: &str) -> Finished {
        self.run(&Self::open(self.path().to_str().unwrap()), answer)
    }

    /// Whether the PIN and this code open it.
    pub fn opens(&self, code: &str) -> bool {
        self.answer(&format!("{PIN}{code}")).code() == Some(0)
    }
}

pub fn good(finished: &Finished) {
    assert_eq!(finished.code(), Some(0), "{}{}", finished.text(), finished.stderr);
}

/// A named pipe, and what writes into it as soon as somebody reads.
pub struct Pipe(pub PathBuf);

impl Pipe {
    pub fn new(path: PathBuf) -> Self {
        let owner = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, owner, 0).unwrap();
        Self(path)
    }

    /// Waits for a reader.
    pub fn writer(&self) -> fs::File {
        let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
        let until = Instant::now() + PATIENCE;
        loop {
            match rustix::fs::open(&self.0, flags, rustix::fs::Mode::empty()) {
                Ok(writer) => return writer.into(),
                Err(error) => assert!(error == rustix::io::Errno::NXIO && Instant::now() < until, "{error}"),
            }
            let _ = poll(&mut [], Some(&timespec(Duration::from_millis(5))));
        }
    }
}

/// Where cryptsetup looks for plugins.
fn place() -> String {
    let help = run(Command::new("cryptsetup").arg("--help"), b"").text();
    let line = help.lines().find_map(|line| line.split_once("plugin path: "));
    line.expect("cryptsetup with plugins").1.trim_end_matches('.').to_owned()
}

/// Whether there is a cryptsetup, and namespaces to put our plugin into.
pub fn ready() -> bool {
    let works = |program: &str, words: &[&str]| {
        Command::new(program).args(words).output().is_ok_and(|output| output.status.success())
    };
    // The folder must be there: bubblewrap would make it, on the machine itself.
    let ready = works("cryptsetup", &["--version"])
        && works("bwrap", &["--dev-bind", "/", "/", "--", "true"])
        && Path::new(&place()).exists();
    if !ready {
        eprintln!("skipped: needs cryptsetup with its folder for plugins, and bubblewrap with user namespaces");
    }
    ready
}
