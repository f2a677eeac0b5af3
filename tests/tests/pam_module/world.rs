//! A PAM configuration of its own for each test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oathgate_tests::cdylib;
use oathgate_tests::fake_verifier::{Act, FakeVerifier};
use oathgate_tests::process::{Finished, run};
use otp_wire::message::Reason;
use otp_wire::{Ask, Outcome, Request};

/// The code that the usual verifier accepts.
pub const CODE: &str = "73051948";
/// What it says of every other one.
pub const WRONG: &str = "That code is wrong.";

/// The module under test.
pub fn module() -> PathBuf {
    cdylib::release("pam_module", "libpam_oathgate.so")
}

/// A folder in place of /etc/pam.d, and one for the verifier's socket.
pub struct Pam {
    folder: tempfile::TempDir,
}

impl Pam {
    /// The services `su` and `sshd` ask the module, with `options`.
    pub fn new(options: &str) -> Self {
        let pam = Self { folder: tempfile::Builder::new().prefix("oathgate-pam-").tempdir().expect("a folder") };
        let options = format!("socket={} {options}", pam.socket().display());
        pam.configure(&format!("auth required {} {options}", module().display()));
        pam
    }

    /// Writes the stack of both services.
    pub fn configure(&self, auth: &str) {
        let text = format!("{auth}\naccount required {}\n", module().display());
        for service in ["su", "sshd"] {
            fs::write(self.folder.path().join(service), &text).expect("our folder");
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// A verifier at the socket.
    pub fn verifier(&self, act: impl Fn(&Request) -> Act + Send + Sync + 'static) -> FakeVerifier {
        FakeVerifier::start(&self.socket(), act)
    }

    /// The test's host program.
    pub fn host(&self, service: &str, user: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pam_host"));
        command.arg(self.folder()).args([service, user]).args(more);
        command
    }

    /// Authenticates `user` for su; `typed` is what they answer.
    pub fn su(&self, user: &str, typed: &[u8]) -> Finished {
        let line = [typed, b"\n"].concat();
        run(&mut self.host("su", user, &[]), &line)
    }
}

/// What PAM was told in the end.
pub fn result(finished: &Finished) -> String {
    let text = finished.text();
    let result = text.lines().find_map(|line| line.strip_prefix("result "));
    result.unwrap_or_else(|| panic!("no result: {text}{}", finished.stderr)).to_owned()
}

/// How often somebody was asked.
pub fn prompts(finished: &Finished) -> usize {
    finished.text().lines().filter(|line| line.starts_with("Hidden ") || line.starts_with("Echoed ")).count()
}

/// Asks for a code and accepts the one.
pub fn usual(request: &Request) -> Act {
    Act::Say(match &request.ask {
        Ask::Begin(_) => asks(),
        Ask::Verify(verify) if verify.code.expose() == CODE => accepts(),
        Ask::Verify(_) => refuses(),
        _ => Outcome::Invalid("no front end asks for this".to_owned()),
    })
}

pub fn asks() -> Outcome {
    Outcome::Ask { label: Some("phone".to_owned()), line: None }
}

pub fn accepts() -> Outcome {
    Outcome::Accepted {
        credential: Some("k3f7q2mz".to_owned()),
        label: Some("phone".to_owned()),
        scratch_left: None,
        digits: None,
    }
}

pub fn refuses() -> Outcome {
    Outcome::Refused { reason: Reason::Wrong, line: WRONG.to_owned() }
}
