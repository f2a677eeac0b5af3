//! Whole PAM transactions, in this process or in a new one each.

#![allow(clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use oathgate_tests::ffi::{CBuffer, Person, Reply, Style, Transaction};

/// What one transaction needs.
pub struct Login {
    /// SSH_AUTH_INFO_0, where a key was used.
    pub auth_info: Option<String>,
    /// What is typed.
    pub code: String,
}

/// Authenticates in this process; PAM's code.
pub fn authenticate(folder: &Path, service: &str, user: &str, login: &Login) -> i32 {
    let typist = Typist(&login.code);
    let mut transaction = Transaction::start(folder, service, user, &typist).expect("pam_start");
    if let Some(info) = &login.auth_info {
        transaction.putenv(&format!("SSH_AUTH_INFO_0={info}"));
    }
    transaction.authenticate(0)
}

/// The same in a new process: this program, called `once`.
pub fn new_process(folder: &Path, service: &str, user: &str, login: &Login) -> i32 {
    let mut command = Command::new(std::env::current_exe().expect("/proc"));
    command.arg("once").arg(folder).args([service, user]).args(&login.auth_info);
    run_command(&mut command, login)
}

/// Runs a command that ends in `bench once …`.
pub fn run_command(command: &mut Command, login: &Login) -> i32 {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("a program");
    child.stdin.take().expect("a pipe").write_all(login.code.as_bytes()).expect("a reader");
    child.wait().expect("a child").code().expect("an exit code")
}

/// `bench once FOLDER SERVICE USER [SSH_AUTH_INFO_0]`, the code on standard input.
pub fn once(arguments: &[&str]) -> ExitCode {
    let [folder, service, user, info @ ..] = arguments else { return ExitCode::from(2) };
    let mut code = String::new();
    std::io::stdin().read_to_string(&mut code).expect("a code");
    let login = Login { auth_info: info.first().map(|info| (*info).to_owned()), code };
    let status = authenticate(Path::new(folder), service, user, &login);
    ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX))
}

struct Typist<'a>(&'a str);

impl Person for Typist<'_> {
    fn hear(&self, style: Style, _: &str) -> Option<Reply> {
        if matches!(style, Style::Error | Style::Info) {
            return Some(Reply::Heard);
        }
        let mut typed = CBuffer::new(self.0.len());
        typed.bytes().copy_from_slice(self.0.as_bytes());
        Some(Reply::Typed(typed))
    }
}
