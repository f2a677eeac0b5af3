//! `oathgate-keys`: AuthorizedKeysCommand for sshd (sshd_config(5)). Prints the
//! line of a key that is enrolled for the account, with the forced command in
//! front of it; nothing for any other. It runs under a user of its own, who may
//! ask for nothing else (`keys_reader` in oathgate.toml(5)).

#![forbid(unsafe_code)]

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use otp_core::{Account, Fingerprint};
use otp_wire::message::KeyName;
use otp_wire::trust::system_uids;
use otp_wire::{Ask, DEADLINE, Outcome, PUBLIC_SOCKET, Request, SocketVerifier, Verifier, syslog};

const USAGE: &str = "usage: oathgate-keys [--socket PATH] [--ssh-otp PATH] USER TYPE BASE64\n\
                     In sshd_config:\n  \
                     AuthorizedKeysCommand /usr/libexec/oathgate/oathgate-keys %u %t %k\n  \
                     AuthorizedKeysCommandUser _oathgate-keys\n";

/// What is asked for: an account and a key, as sshd gives them.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    socket: PathBuf,
    program: PathBuf,
    account: Account,
    kind: String,
    blob: String,
    key: Fingerprint,
}

fn main() -> ExitCode {
    let Some(asked) = parse(std::env::args().skip(1)) else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    match line(&asked) {
        Ok(line) => match std::io::stdout().write_all(line.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(why) => {
            syslog::authpriv("oathgate-keys", &format!("no line for {}: {why}", asked.account));
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: impl Iterator<Item = String>) -> Option<Asked> {
    let (mut socket, mut program) = (PathBuf::from(PUBLIC_SOCKET), PathBuf::from("/usr/bin/ssh-otp"));
    let mut arguments = arguments.peekable();
    while let Some(option) = arguments.next_if(|argument| argument.starts_with("--")) {
        let value = PathBuf::from(arguments.next()?);
        match option.as_str() {
            "--socket" if is_plain(&value) => socket = value,
            "--ssh-otp" if is_plain(&value) => program = value,
            _ => return None,
        }
    }
    let (account, kind, blob) = (arguments.next()?.parse().ok()?, arguments.next()?, arguments.next()?);
    let key = Fingerprint::of_key(&kind, &blob).ok()?;
    arguments.next().is_none().then_some(Asked { socket, program, account, kind, blob, key })
}

/// A path that no shell reads differently.
fn is_plain(path: &std::path::Path) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    path.is_absolute() && path.to_str().is_some_and(|text| text.chars().all(plain))
}

/// The line for sshd; empty for a key that isn't enrolled.
fn line(asked: &Asked) -> Result<String, String> {
    let name = KeyName { account: asked.account.to_string(), key: asked.key.to_string() };
    let request: Request = Request::new(Ask::Key(name)).map_err(|why| why.to_string())?;
    let verifier = SocketVerifier::new(&asked.socket, system_uids());
    let reply = verifier.ask(&request, Instant::now() + DEADLINE).map_err(|why| why.to_string())?;
    match reply.outcome {
        Outcome::Key(true) => {
            let Asked { program, kind, blob, key, socket, .. } = asked;
            let elsewhere = socket.as_path() != std::path::Path::new(PUBLIC_SOCKET);
            let socket = if elsewhere { format!(" --socket {}", socket.display()) } else { String::new() };
            let command = format!("exec {} --key {key}{socket}", program.display());
            Ok(format!("restrict,pty,command=\"{command}\" {kind} {blob}\n"))
        }
        Outcome::Key(false) => Ok(String::new()),
        Outcome::Denied(line) | Outcome::Invalid(line) | Outcome::Undecided(line) => Err(line),
        _ => Err("the verifier answered another question".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOB: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn parsed(arguments: &[&str]) -> Option<Asked> {
        parse(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    #[test]
    fn what_sshd_gives_is_read() {
        let asked = parsed(&["alice", "ssh-ed25519", BLOB]).unwrap();
        assert_eq!((asked.account.as_str(), asked.kind.as_str()), ("alice", "ssh-ed25519"));
        assert_eq!(asked.program, PathBuf::from("/usr/bin/ssh-otp"));
        let other = parsed(&["--ssh-otp", "/opt/ssh-otp", "--socket", "/x", "alice", "ssh-ed25519", BLOB]).unwrap();
        assert_eq!((other.program, other.socket), (PathBuf::from("/opt/ssh-otp"), PathBuf::from("/x")));
    }

    #[test]
    fn what_makes_no_sense_prints_no_line() {
        for bad in [
            &[][..],
            &["alice"],
            &["alice", "ssh-ed25519", BLOB, "more"],
            &["../alice", "ssh-ed25519", BLOB],
            &["alice", "ssh-rsa", BLOB],
            &["alice", "ssh-ed25519", "AAAA\" x"],
            &["--ssh-otp", "/opt/x y", "alice", "ssh-ed25519", BLOB],
            &["--ssh-otp", "relative", "alice", "ssh-ed25519", BLOB],
            &["--other", "x", "alice", "ssh-ed25519", BLOB],
        ] {
            assert_eq!(parsed(bad), None, "{bad:?}");
        }
    }
}
