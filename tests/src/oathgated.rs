//! The real verifier with a store of its own, and devices that show codes.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs::{self, Permissions};
use std::mem::MaybeUninit;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use otp_core::{Algorithm, Digits, Secret};
use otp_wire::message::{CredentialName, Enrol, Enrolled, KeyPolicy};
use otp_wire::{Ask, Outcome, Request, SecretText, SocketVerifier, SpawnVerifier, Verifier};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify;

use crate::built::bin;
use crate::process::{PATIENCE, Running, run};

/// A running `oathgated` with an empty store; ended when dropped.
pub struct Oathgated {
    folder: tempfile::TempDir,
    running: Option<Running>,
}

impl Oathgated {
    /// Makes a store and starts the service.
    ///
    /// # Panics
    /// When it doesn't start.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("oathgate-store-").tempdir().expect("a temporary folder");
        // Everybody's socket is in it.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("our folder");
        let mut service = Self { folder, running: None };
        let made = run(service.command().arg("--init"), b"");
        assert!(made.status.success(), "{}", made.stderr);
        service.resume();
        service
    }

    fn command(&self) -> Command {
        let mut command = Command::new(bin("oathgated"));
        command.env_clear();
        self.arguments(&mut command);
        command
    }

    fn arguments(&self, command: &mut Command) {
        for (option, name) in [("--config", "oathgate.toml"), ("--store", "store/store.db"), ("--keys", "keys")] {
            command.arg(option).arg(self.folder.path().join(name));
        }
    }

    /// Starts the service again.
    ///
    /// # Panics
    /// When it doesn't start.
    pub fn resume(&mut self) {
        let command = self.command();
        self.run(command);
    }

    /// Starts `program` in the service's place, with the service's arguments
    /// behind those that it has.
    ///
    /// # Panics
    /// When it doesn't start.
    pub fn resume_by(&mut self, mut program: Command) {
        self.arguments(&mut program);
        self.run(program);
    }

    fn run(&mut self, mut command: Command) {
        command.arg("--root-socket").arg(self.root_socket());
        command.arg("--public-socket").arg(self.public_socket());
        self.running = Some(serve(&mut command, self.folder.path()));
    }

    /// Ends the service; the store stays.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// The service's process.
    ///
    /// # Panics
    /// When it is stopped.
    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("a running service")
    }

    /// Where root asks.
    pub fn root_socket(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Where everybody asks.
    pub fn public_socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// The folder that all of it is in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database.
    pub fn store(&self) -> PathBuf {
        self.folder.path().join("store/store.db")
    }

    /// The folder of sealing keys.
    pub fn keys(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    /// Somebody who may do everything.
    pub fn administrator(&self) -> Administrator {
        let own = rustix::process::getuid().as_raw();
        Administrator(Box::new(SocketVerifier::new(&self.root_socket(), vec![own])))
    }
}

/// Starts a service whose sockets will be in `folder`, and waits for them.
///
/// # Panics
/// When it doesn't start.
pub fn serve(command: &mut Command, folder: &Path) -> Running {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC).expect("inotify");
    inotify::add_watch(&watch, folder, inotify::WatchFlags::ATTRIB).expect("inotify");
    let running = Running::start(command);
    wait_until_served(&watch, &running);
    running
}

/// The second socket gets its permissions when both are there.
fn wait_until_served(watch: &impl rustix::fd::AsFd, running: &Running) {
    let limit = otp_wire::socket::timespec(PATIENCE);
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(watch, &mut buffer);
    loop {
        if events.is_buffer_empty() {
            let ready = poll(&mut [PollFd::new(watch, PollFlags::IN)], Some(&limit)).expect("poll");
            assert!(ready > 0, "oathgated does not start: {}", running.stderr.so_far());
        }
        let event = events.next().expect("an event");
        if event.file_name().is_some_and(|name| name.to_bytes() == b"socket") {
            return;
        }
    }
}

/// Somebody who enrols others.
pub struct Administrator(Box<dyn Verifier>);

impl Administrator {
    /// The user's own store below `home`.
    pub fn of_user_store(home: &Path) -> Self {
        Self(Box::new(SpawnVerifier::user_store(&bin("oathgated"), home)))
    }

    /// Asks, with a code of the owner's where that is needed.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn ask_with(&self, ask: Ask, code: Option<&str>) -> Outcome {
        let mut request = Request::new(ask).expect("random numbers");
        request.authorisation = code.map(|code| SecretText::typed(code.as_bytes()));
        self.0.ask(&request, Instant::now() + PATIENCE).expect("an answer").outcome
    }

    /// Asks.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn ask(&self, ask: Ask) -> Outcome {
        self.ask_with(ask, None)
    }

    /// Enrols a credential.
    ///
    /// # Panics
    /// When that is refused.
    pub fn enrol(&self, enrol: Enrol) -> Device {
        match self.ask(Ask::Enrol(enrol)) {
            Outcome::Enrolled(enrolled) => Device(*enrolled),
            other => panic!("not enrolled: {other:?}"),
        }
    }

    /// Refuses a credential from now on.
    ///
    /// # Panics
    /// When that is refused.
    pub fn revoke(&self, device: &Device) {
        let name = CredentialName { account: None, credential: device.0.credential.clone() };
        let outcome = self.ask(Ask::Revoke(name));
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }

    /// Sets what is asked for at a key: `code` or `none`.
    ///
    /// # Panics
    /// When that is refused.
    pub fn policy(&self, account: &str, key: &str, policy: &str) {
        let (account, key, policy) = (account.to_owned(), key.to_owned(), policy.to_owned());
        let outcome = self.ask(Ask::KeyPolicy(KeyPolicy { account, key, policy, until: None, grant: None }));
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }
}

/// An HOTP credential for `key` of `account`, with six digits, which moves
/// only when it is used: no test waits for a step.
pub fn hotp(account: &str, owner: &str, key: Option<&str>, label: &str) -> Enrol {
    Enrol {
        account: account.to_owned(),
        owner: Some(owner.to_owned()),
        key: key.map(str::to_owned),
        note: None,
        label: Some(label.to_owned()),
        kind: "hotp".to_owned(),
        algorithm: "SHA1".to_owned(),
        digits: 6,
        period: None,
        secret: None,
        scratch: true,
    }
}

/// What the owner holds in hand: an authenticator, and scratch codes on paper.
pub struct Device(pub Enrolled);

impl Device {
    /// The code for a counter or a step.
    ///
    /// # Panics
    /// When the verifier enrolled nonsense.
    pub fn code(&self, factor: u64) -> String {
        let secret = Secret::from_base32(self.0.secret.expose()).expect("base32");
        let algorithm: Algorithm = self.0.algorithm.parse().expect("an algorithm");
        let digits = Digits::new(self.0.digits).expect("six to eight");
        otp_core::otp::code(&secret, algorithm, digits, factor).to_string()
    }

    /// A code of six digits that isn't among the first hundred.
    ///
    /// # Panics
    /// Never: there are more than a hundred.
    pub fn wrong_code(&self) -> String {
        let right: Vec<String> = (0..100).map(|counter| self.code(counter)).collect();
        // No number that may stand anywhere by chance.
        let mut wrong = (731_947..1_000_000).map(|number: u32| number.to_string());
        wrong.find(|code| !right.contains(code)).expect("one of them")
    }

    /// A scratch code.
    ///
    /// # Panics
    /// When the owner had some before.
    pub fn scratch(&self, number: usize) -> String {
        self.0.scratch.get(number).expect("new scratch codes").expose().to_owned()
    }
}
