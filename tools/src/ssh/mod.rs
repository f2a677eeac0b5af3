//! `ssh install` and `ssh remove`: the line of a key in authorized_keys.

pub mod accept_env;
mod file;
pub mod line;

use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};
use otp_core::Fingerprint;
use otp_wire::message::OwnerRow;
use otp_wire::syslog::escape;
use serde::Serialize;

use crate::cli::{Reach, SshLine};
use crate::client::Client;
use crate::clock;
use crate::error::{Exit, Failure};
use crate::key::SshKey;
use crate::list;
use crate::output::Output;
use crate::terminal::Console;
use file::KeysFile;
use line::{Gate, KeyLine, Objection, is_plain_path};

/// Where ssh-otp is when it is not beside this program.
const PROGRAM: &str = "/usr/bin/ssh-otp";

/// What was, or would be, changed; for programs.
#[derive(Serialize)]
struct Report<'a> {
    file: String,
    changed: bool,
    lines: &'a [Change],
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<String>,
}

/// One line that changes.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Change {
    line: usize,
    old: String,
    new: String,
}

/// A file with its changes.
#[derive(Debug, PartialEq, Eq)]
struct Edited {
    bytes: Vec<u8>,
    changes: Vec<Change>,
    /// Lines with the key, changed or not.
    lines: usize,
    /// Lines with the key that will have no terminal to ask on.
    without_terminal: bool,
}

/// Asks for a code at logins with a key.
///
/// # Errors
/// When the file can't be edited safely.
pub fn install(reach: &Reach, arguments: &SshLine, out: &mut Output) -> Result<(), Failure> {
    let key = key(arguments)?;
    if let Some(socket) = &reach.socket {
        return Err(Failure::usage(format!("the line can't name the socket {}", socket.display()))
            .hint("ssh-otp asks the system's verifier, or with --user-store your own"));
    }
    accept_env::check(Path::new("/etc/ssh/sshd_config"))?;
    let gate = Gate { program: program()?, key, user_store: reach.user_store };
    let path = path(arguments)?;
    let keys = KeysFile::open(&path)?;
    let edited = edit(&keys.bytes, key, |line| line.install(&gate)).map_err(|(number, why)| objection(number, &why))?;
    if edited.lines == 0 {
        return Err(Failure::no(format!("{} has no line with {key}", path.display()))
            .hint("add the key first (ssh-copy-id -i FILE.pub does), or name the file with --file"));
    }
    if arguments.file.is_none() && !arguments.dry_run {
        check_code(reach, key)?;
    }
    let backup = apply(&keys, &edited, arguments)?;
    if arguments.json.json {
        return report(&path, &edited, backup, out);
    }
    show(&path, &edited, out)?;
    if edited.changes.is_empty() {
        return out.line("A code is asked for already; nothing was changed.");
    }
    if edited.without_terminal {
        out.line(out.warning("The line allows no terminal (restrict or no-pty): the code can only come in LC_OTP."))?;
    }
    let Some(backup) = backup else { return out.line("Nothing was changed (--dry-run).") };
    if let Some(second) = second_way_in(&path, key) {
        out.line(out.warning(&format!("{second} has this key too, without a code: take it out there.")))?;
    }
    let store = if reach.user_store { " --user-store" } else { "" };
    out.line(format!("From now on a code is asked for. The file as it was: {}", backup.display()))?;
    out.line(out.warning("Keep this session open, and log in from a second terminal before you close it."))?;
    out.line(format!("Which codes count with this key: oathgate list{store}"))?;
    out.line(format!("To undo: {}", command("remove", arguments)))
}

/// Asks for no code any more.
///
/// # Errors
/// When the file can't be edited safely.
pub fn remove(_: &Reach, arguments: &SshLine, out: &mut Output) -> Result<(), Failure> {
    let key = key(arguments)?;
    let path = path(arguments)?;
    let keys = KeysFile::open(&path)?;
    let edited = edit(&keys.bytes, key, |line| line.remove()).map_err(|(number, why)| objection(number, &why))?;
    if edited.lines == 0 {
        return Err(Failure::no(format!("{} has no line with {key}", path.display())));
    }
    let backup = apply(&keys, &edited, arguments)?;
    if arguments.json.json {
        return report(&path, &edited, backup, out);
    }
    show(&path, &edited, out)?;
    match (edited.changes.is_empty(), backup) {
        (true, _) => out.line("No code is asked for there; nothing was changed."),
        (false, None) => out.line("Nothing was changed (--dry-run)."),
        (false, Some(backup)) => {
            out.line(out.warning("From now on the key alone is enough."))?;
            out.line(format!("The file as it was: {}", backup.display()))?;
            let user_store = edited.changes.iter().any(|change| change.old.contains("ssh-otp --user-store "));
            let flag = if user_store { " --user-store" } else { "" };
            out.line(format!("To undo: {}{flag}", command("install", arguments)))
        }
    }
}

fn key(arguments: &SshLine) -> Result<Fingerprint, Failure> {
    match (&arguments.key, &arguments.key_file) {
        (Some(key), _) => Ok(*key),
        (None, Some(name)) => SshKey::read(name).map(|key| key.fingerprint),
        (None, None) => Err(Failure::usage("which key?").hint("give FILE.pub or SHA256:…")),
    }
}

/// The file that was named, or the caller's. sshd goes by the user database,
/// whatever HOME says.
fn path(arguments: &SshLine) -> Result<PathBuf, Failure> {
    if let Some(path) = &arguments.file {
        return Ok(path.clone());
    }
    let user = User::from_uid(Uid::effective()).ok().flatten();
    let user =
        user.ok_or_else(|| Failure::usage("your uid has no home directory here").hint("name the file with --file"))?;
    Ok(user.dir.join(".ssh/authorized_keys"))
}

/// Refuses where the caller would be locked out: no code is enrolled that
/// counts with the key, or nobody could say so.
fn check_code(reach: &Reach, key: Fingerprint) -> Result<(), Failure> {
    let client = Client::new(reach, &Console)?;
    let account = client.account(None)?.to_string();
    let missing = || {
        Failure::no("no code is enrolled for this key, and with the line changed you could not log in any more")
            .hint(format!("first: {} enrol --ssh-key {key}", client.call))
    };
    match list::owners(&client, Some(account.clone()), None) {
        Ok(owners) if owners.iter().any(|owner| opens(owner, &account, key)) => Ok(()),
        Ok(_) => Err(missing()),
        Err(failure) if failure.exit == Exit::No => Err(missing()),
        Err(failure) => Err(failure),
    }
}

fn opens(owner: &OwnerRow, account: &str, key: Fingerprint) -> bool {
    let key = key.to_string();
    owner.entries.iter().any(|entry| entry.account == account && entry.key.as_ref().is_none_or(|own| *own == key))
}

/// sshd's second file, where it lets the key in without a code.
fn second_way_in(path: &Path, key: Fingerprint) -> Option<String> {
    let second = path.with_file_name("authorized_keys2");
    let bytes = std::fs::read(&second).ok().filter(|_| second != path)?;
    let mut lines = bytes.split(|byte| *byte == b'\n').filter_map(KeyLine::parse);
    lines.any(|line| line.key == key && !line.is_gated()).then(|| second.display().to_string())
}

fn program() -> Result<String, Failure> {
    let own = std::env::current_exe().map_err(|error| Failure::undecided(format!("where is this program? {error}")))?;
    let beside = own.with_file_name("ssh-otp");
    let program = if beside.is_file() { beside } else { PathBuf::from(PROGRAM) };
    if !program.is_file() {
        return Err(Failure::undecided(format!("there is no ssh-otp at {}", program.display()))
            .hint("install it first: with the line and without the program nobody gets in"));
    }
    let plain = program.to_str().filter(|path| is_plain_path(path)).map(str::to_owned);
    plain.ok_or_else(|| {
        Failure::no(format!("the path {} can't be written into authorized_keys safely", program.display()))
            .hint("install ssh-otp under a path of letters, digits and . _ + - only")
    })
}

fn edit(
    bytes: &[u8],
    key: Fingerprint,
    change: impl Fn(&KeyLine<'_>) -> Result<Option<Vec<u8>>, Objection>,
) -> Result<Edited, (usize, Objection)> {
    let mut edited =
        Edited { bytes: Vec::with_capacity(bytes.len() + 256), changes: vec![], lines: 0, without_terminal: false };
    // Every line of the key: which one sshd takes may depend on the address.
    for (number, old) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        let line = KeyLine::parse(old).filter(|line| line.key == key);
        let new = match &line {
            Some(line) => change(line).map_err(|why| (number, why))?,
            None => None,
        };
        if let Some(line) = line {
            edited.lines += 1;
            edited.without_terminal |= line.is_without_terminal();
        }
        let text = |line: &[u8]| String::from_utf8_lossy(line).trim_end().to_owned();
        if let Some(new) = &new {
            edited.changes.push(Change { line: number, old: text(old), new: text(new) });
        }
        edited.bytes.extend_from_slice(new.as_deref().unwrap_or(old));
    }
    Ok(edited)
}

fn objection(number: usize, why: &Objection) -> Failure {
    match why {
        Objection::Command => Failure::no(format!("line {number} runs a command of its own")).hint(
            "to have a code asked for first: command=\"exec /usr/bin/ssh-otp --key SHA256:… -- COMMAND\", by hand",
        ),
        Objection::Authority => {
            Failure::no(format!("line {number} stands for an authority's certificates, not for a key"))
                .hint("certificates need the PAM module, or a line for each key")
        }
        Objection::Option(name) => {
            Failure::no(format!("line {number} has {name:?}, which would open a way around the code"))
                .hint("take it out of the line first")
        }
        Objection::Edited => Failure::no(format!("line {number} calls ssh-otp, but was edited by hand"))
            .hint("take the command= out by hand"),
    }
}

/// Writes the changes, after a copy. `None` where nothing is to be written.
fn apply(keys: &KeysFile, edited: &Edited, arguments: &SshLine) -> Result<Option<PathBuf>, Failure> {
    if edited.changes.is_empty() || arguments.dry_run {
        return Ok(None);
    }
    let backup = keys.back_up(&clock::stamp(clock::now()))?;
    keys.replace(&edited.bytes)?;
    Ok(Some(backup))
}

fn show(path: &Path, edited: &Edited, out: &mut Output) -> Result<(), Failure> {
    for change in &edited.changes {
        out.line(format!("{}, line {}:", path.display(), change.line))?;
        out.line(format!("- {}", escape(&change.old)))?;
        out.line(format!("+ {}", escape(&change.new)))?;
        out.line("")?;
    }
    Ok(())
}

fn report(path: &Path, edited: &Edited, backup: Option<PathBuf>, out: &mut Output) -> Result<(), Failure> {
    let backup = backup.map(|path| path.display().to_string());
    let changed = backup.is_some();
    out.json(&Report { file: path.display().to_string(), changed, lines: &edited.changes, backup })
}

fn command(verb: &str, arguments: &SshLine) -> String {
    let key = match (&arguments.key, &arguments.key_file) {
        (Some(key), _) => key.to_string(),
        (None, name) => name.clone().unwrap_or_default(),
    };
    let file = arguments.file.as_ref().map_or_else(String::new, |path| format!(" --file {}", path.display()));
    format!("oathgate ssh {verb} {key}{file}")
}
