//! A running `oathgated`, and short ways to ask it.

#![allow(dead_code)] // each test program uses a part

pub mod traced;
pub mod world;

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use otp_core::{Algorithm, Digits, Secret, otp};
use otp_wire::message::{Enrol, Outcome};
use otp_wire::{Ask, DEADLINE, Error, Login, Request, SecretText, SocketVerifier, Verifier, Verify};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_oathgated");

/// Well-formed, and right for nobody: everybody here has six digits, or eight.
pub const WRONG: &str = "1234567";

/// A running service in a folder of its own.
pub struct Running {
    pub folder: tempfile::TempDir,
    pub child: Child,
}

impl Running {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        assert!(oathgated(folder.path(), &["--init"]).status.success());
        let child = serve(folder.path());
        Self { folder, child }
    }

    /// Kills the service, does something, and starts it again.
    pub fn restart(&mut self, between: impl FnOnce(&Path)) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        between(self.folder.path());
        self.child = serve(self.folder.path());
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn verifier(&self, socket: &str) -> SocketVerifier {
        SocketVerifier::new(&self.path(socket), vec![own_uid()])
    }
}

/// Starts the service and waits until it answers.
pub fn serve(folder: &Path) -> Child {
    let mut child = command(folder, &[]).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while UnixStream::connect(folder.join("socket")).is_err() {
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "oathgated did not start");
        std::thread::yield_now();
    }
    child
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

pub fn own_name() -> String {
    nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name
}

pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    let named =
        [("--keys", "keys"), ("--store", "var/store.db"), ("--root-socket", "root"), ("--public-socket", "socket")];
    for (option, name) in named {
        command.arg(option).arg(folder.join(name));
    }
    command.arg("--config").arg(folder.join("oathgate.toml")).args(arguments);
    command
}

pub fn oathgated(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).stdin(Stdio::null()).output().unwrap()
}

pub fn ask(verifier: &dyn Verifier, ask: Ask) -> Result<Outcome, Error> {
    verifier.ask(&Request::new(ask).unwrap(), Instant::now() + DEADLINE).map(|reply| reply.outcome)
}

pub fn enrol(label: &str) -> Ask {
    enrol_for(&own_name(), label)
}

pub fn enrol_for(account: &str, label: &str) -> Ask {
    Ask::Enrol(Enrol {
        account: account.to_owned(),
        owner: None,
        key: None,
        note: None,
        label: Some(label.to_owned()),
        kind: "hotp".to_owned(),
        algorithm: "SHA1".to_owned(),
        digits: 6,
        period: None,
        secret: None,
        scratch: true,
    })
}

pub fn verify(code: &str) -> Ask {
    verify_as(&own_name(), code)
}

pub fn verify_as(account: &str, code: &str) -> Ask {
    let login = Login { account: account.to_owned(), service: "test".to_owned(), ..Login::default() };
    Ask::Verify(Verify { login, code: SecretText::typed(code.as_bytes()), credential: None })
}

pub fn code(secret: &str, counter: u64) -> String {
    otp::code(&Secret::from_base32(secret).unwrap(), Algorithm::Sha1, Digits::SIX, counter).to_string()
}

pub fn enrolled(verifier: &dyn Verifier) -> (String, Vec<String>) {
    enrolled_for(verifier, &own_name())
}

/// Enrols an HOTP credential; its secret and scratch codes.
pub fn enrolled_for(verifier: &dyn Verifier, account: &str) -> (String, Vec<String>) {
    match ask(verifier, enrol_for(account, "one")).unwrap() {
        Outcome::Enrolled(new) => {
            (new.secret.expose().to_owned(), new.scratch.iter().map(|code| code.expose().to_owned()).collect())
        }
        other => panic!("{other:?}"),
    }
}
