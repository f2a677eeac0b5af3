//! The two front ends, started without a server around them: a program that
//! authenticates with the module, and the forced command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oathgate_tests::built::{bin, library};
use oathgate_tests::oathgated::Oathgated;

use crate::bare;
use crate::person::own;

/// The key of the forced command.
pub const KEY: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Where the front ends find `service`, and leave whatever they leave.
pub struct Fronts {
    folder: tempfile::TempDir,
    socket: PathBuf,
}

impl Fronts {
    pub fn of(service: &Oathgated) -> Self {
        let folder = tempfile::Builder::new().prefix("oathgate-front-").tempdir().unwrap();
        let (module, socket) = (library("libpam_oathgate.so"), service.root_socket());
        let stack = format!("auth required {} socket={}\n", module.display(), socket.display());
        fs::write(folder.path().join("su"), stack).unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        Self { folder, socket }
    }

    /// Where they may leave something.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = bare(program);
        command.env("TMPDIR", self.folder().join("tmp")).current_dir(self.folder());
        command
    }

    /// The program that authenticates `account`; the code is its input.
    pub fn pam(&self, account: &str) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_pam_host"));
        command.arg(self.folder()).args(["su", account]);
        command
    }

    /// The forced command for `account`; what it guards says `in`. The code
    /// comes with it, or is asked for at a terminal.
    pub fn ssh_otp(&self, account: &str, code: Option<&str>) -> Command {
        let mut command = self.command(bin("ssh-otp"));
        command.args(["--key", KEY, "--socket"]).arg(&self.socket).args((own() != 0).then_some("--user-store"));
        command.env("USER", account).env("HOME", self.folder()).env("SHELL", "/bin/sh");
        command.env("SSH_ORIGINAL_COMMAND", "echo in").envs(code.map(|code| ("LC_OTP", code)));
        command
    }
}
