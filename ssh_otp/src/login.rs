//! One login, from sshd's environment to the command.

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::ExitCode;

use otp_core::Account;
use otp_wire::message::Terms;
use otp_wire::{Login, SecretText, syslog};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use zeroize::Zeroizing;

use crate::arguments::{self, Arguments, Parsed};
use crate::connection;
use crate::gate::{self, Shut, Terminal};
use crate::run::{self, ORIGINAL_COMMAND};
use crate::terminal::Console;
use crate::{sftp_refusal, verifier};

/// Runs the program.
pub fn main() -> ExitCode {
    // Neither a core dump nor another process of this uid may read a code
    // here. The program that this one becomes is an ordinary one again.
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        return refuse(None, &Shut::undecided(error), &mut Console::open());
    }
    match arguments::parse(env::args_os().skip(1)) {
        Ok(Parsed::Help) => print(arguments::HELP),
        Ok(Parsed::Version) => print(concat!("ssh-otp ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Parsed::Login(arguments)) => login(&arguments),
        Err(error) => refuse(None, &Shut::saying(error.to_string()), &mut Console::open()),
    }
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn login(arguments: &Arguments) -> ExitCode {
    let given = given_code(&arguments.code_variable);
    let mut console = Console::open();
    let login = match who(arguments) {
        Ok(login) => login,
        Err(shut) => return refuse(None, &shut, &mut console),
    };
    let home = env::var_os("HOME").unwrap_or_default();
    let opened = verifier::named(arguments, Path::new(&home))
        .map_err(Shut::undecided)
        .and_then(|verifier| gate::pass(&login, given, verifier.as_ref(), &mut console));
    match opened {
        Ok(open) => {
            if let Some(notice) = open.notice.filter(|_| console.is_terminal()) {
                console.tell(&notice);
            }
            become_requested(arguments, &mut console)
        }
        Err(shut) => refuse(Some(&login), &shut, &mut console),
    }
}

/// Who wants in. sshd sets USER and SSH_CONNECTION itself, whatever the client sends.
fn who(arguments: &Arguments) -> Result<Login, Shut> {
    let user = env::var("USER").map_err(|_| Shut::undecided("USER is not set, or not text"))?;
    let account: Account = user.parse().map_err(|error| Shut::undecided(format!("USER: {error}")))?;
    let connection = env::var("SSH_CONNECTION").unwrap_or_default();
    let address = connection.split(' ').next().filter(|address| (1..=64).contains(&address.len()));
    Ok(Login {
        account: account.to_string(),
        keys: vec![arguments.key.to_string()],
        service: "ssh-otp".to_owned(),
        address: address.map(str::to_owned),
        connection: connection::name(&connection),
        tty: None,
        terms: Terms::default(),
    })
}

/// The code that came along in the environment.
fn given_code(variable: &str) -> Option<SecretText> {
    let text = Zeroizing::new(env::var_os(variable)?.into_vec());
    (!text.is_empty()).then(|| SecretText::typed(&text))
}

fn request() -> Option<OsString> {
    env::var_os(ORIGINAL_COMMAND)
}

/// Does not return where it succeeds.
fn become_requested(arguments: &Arguments, console: &mut Console) -> ExitCode {
    let shell = env::var_os("SHELL").unwrap_or_default();
    match run::requested(&arguments.inner, request().as_deref(), &shell) {
        Ok(program) => {
            let error = program.become_it(&arguments.code_variable);
            console.tell(&format!("ssh-otp: {}: {error}", program.path().display()));
        }
        Err(line) => console.tell(&line),
    }
    ExitCode::FAILURE
}

/// Says no: to the person, to the log, and to a client that speaks SFTP and
/// gets to see nothing else.
fn refuse(login: Option<&Login>, shut: &Shut, console: &mut Console) -> ExitCode {
    if let Some(why) = &shut.log {
        syslog::authpriv("ssh-otp", &log_line(login, why));
    }
    console.tell(&shut.line);
    if !console.is_terminal() && run::is_sftp(request().as_deref()) {
        sftp_refusal::answer(&shut.line);
    }
    ExitCode::FAILURE
}

fn log_line(login: Option<&Login>, why: &str) -> String {
    match login {
        Some(Login { account, keys, address, .. }) => {
            let address = address.as_deref().unwrap_or("nowhere");
            format!("refused {account} with key {} from {address}: {why}", keys.join(" "))
        }
        None => format!("refused: {why}"),
    }
}
