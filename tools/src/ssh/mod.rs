//! `ssh install`, `remove` and `adopt`: the line of a key in authorized_keys.
//!
//! [`keys`] reads and replaces the file as the person it belongs to, [`mod@line`]
//! and [`old_line`] know single lines, [`edit`] the file's, and [`trial`] runs a
//! line's command before anything is changed.

pub mod accept_env;
mod adopt;
mod edit;
mod file;
mod install;
mod keys;
pub mod line;
mod old_line;
mod plan;
mod trial;

use std::path::{Path, PathBuf};

use otp_core::Fingerprint;
use serde::Serialize;

pub use adopt::adopt;
pub use install::{install, remove};

use crate::as_person;
use crate::as_person::Person;
use crate::cli::{KeyOrAll, Reach, SshChange, SshFile, Task};
use crate::clock;
use crate::error::Failure;
use crate::key::SshKey;
use crate::output::Output;
use edit::{Change, Edited};
use keys::Keys;
use line::{Gate, shell_word};

/// Where ssh-otp is when it is not beside this program.
const PROGRAM: &str = "/usr/bin/ssh-otp";
/// The settings of the machine's sshd.
const SSHD_CONFIG: &str = "/etc/ssh/sshd_config";

/// The hidden verb: a piece of work in the home of the person `name`.
///
/// # Errors
/// When the person can't be become, or the work can't be done.
pub fn as_person(name: &str, task: &Task, out: &mut Output) -> Result<(), Failure> {
    as_person::enter(name)?;
    match task {
        Task::Look => crate::look::answer(out),
        Task::ReadKeys { path, home } => keys::read_task(path, home, out),
        Task::ReplaceKeys { path, home } => keys::replace_task(path, home, out),
        Task::Try { home, shell, command } => trial::task(name, home, shell, command, out),
    }
}

/// What was, or would be, changed; for programs.
#[derive(Serialize)]
struct Report<'a> {
    file: String,
    changed: bool,
    lines: &'a [Change],
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<String>,
}

/// Whose file is edited, and how.
struct Desk<'a> {
    reach: &'a Reach,
    arguments: &'a SshFile,
    person: Person,
    path: PathBuf,
    keys: Keys,
}

impl<'a> Desk<'a> {
    fn open(reach: &'a Reach, arguments: &'a SshFile) -> Result<Self, Failure> {
        let named = arguments.account.as_ref().map(|account| Person::named(account.as_str()));
        let person = named.unwrap_or_else(Person::caller)?;
        // sshd goes by the user database, whatever HOME says.
        let usual = || Ok(person.home.join(".ssh/authorized_keys"));
        let path = arguments.file.as_ref().map_or_else(usual, std::path::absolute);
        let path = path.map_err(|error| Failure::usage(format!("--file: {error}")))?;
        let keys = keys::read(&person, &path)?.ok_or_else(|| {
            Failure::no(format!("there is no {}", path.display()))
                .hint("add the key first (ssh-copy-id does), or name the file with --file")
        })?;
        Ok(Self { reach, arguments, person, path, keys })
    }

    /// The gate for the lines here; and a warning where sshd's settings are hidden.
    fn gate(&self, change: &SshChange) -> Result<(Gate, Option<String>), Failure> {
        if let Some(socket) = &self.reach.socket {
            return Err(Failure::usage(format!("the line can't name the socket {}", socket.display()))
                .hint("ssh-otp asks the system's verifier, or with --user-store your own"));
        }
        let hidden = accept_env::check(Path::new(SSHD_CONFIG), &self.person.name)?;
        let forwardings = change.allow_forwarding.clone();
        Ok((Gate { program: program()?, user_store: self.reach.user_store, forwardings }, hidden))
    }

    /// Writes what was edited, after a copy of `backup`. `None` where nothing
    /// is to be written.
    fn write(&self, edited: &Edited, backup: &[u8]) -> Result<Option<PathBuf>, Failure> {
        if edited.changes.is_empty() || self.arguments.dry_run {
            return Ok(None);
        }
        self.keys.replace(&edited.bytes, backup, &clock::stamp(clock::now())).map(Some)
    }

    fn report(&self, edited: &Edited, backup: Option<PathBuf>, rest: Rest, out: &mut Output) -> Result<(), Failure> {
        let (file, changed) = (self.path.display().to_string(), backup.is_some());
        let backup = backup.map(|path| path.display().to_string());
        let Rest { warnings, undo } = rest;
        out.json(&Report { file, changed, lines: &edited.changes, backup, warnings, undo })
    }

    /// `oathgate ssh VERB WHAT` with the options that name this file.
    fn command(&self, verb: &str, what: &str) -> String {
        let root = self.arguments.account.as_ref().map_or_else(String::new, |account| format!(" --account {account}"));
        let file = self.arguments.file.as_ref().map_or_else(String::new, |path| format!(" --file {}", path.display()));
        let sudo = if nix::unistd::Uid::effective().is_root() { "sudo " } else { "" };
        let store = if self.reach.user_store && verb != "remove" { " --user-store" } else { "" };
        format!("{sudo}oathgate ssh {verb} {what}{root}{file}{store}")
    }

    fn no_line(&self, key: Fingerprint) -> Failure {
        Failure::no(format!("{} has no line with {key}", self.path.display()))
            .hint("add the key first (ssh-copy-id -i FILE.pub does), or name the file with --file")
    }
}

/// What a report says besides.
#[derive(Default)]
struct Rest {
    warnings: Vec<String>,
    undo: Option<String>,
}

/// The key that was named; `None` for all.
fn key(name: &KeyOrAll) -> Result<Option<Fingerprint>, Failure> {
    match (&name.key, &name.key_file) {
        (Some(key), _) => Ok(Some(*key)),
        (None, Some(name)) => SshKey::read(name).map(|key| Some(key.fingerprint)),
        (None, None) if name.all => Ok(None),
        (None, None) => Err(Failure::usage("which key?").hint("give FILE.pub or SHA256:…, or --all")),
    }
}

/// The key as it was named, for a command that people type.
fn named(name: &KeyOrAll) -> String {
    let key = name.key.map(|key| key.to_string()).or_else(|| name.key_file.clone());
    key.unwrap_or_else(|| "--all".to_owned())
}

fn program() -> Result<String, Failure> {
    let own = std::env::current_exe().map_err(|error| Failure::undecided(format!("where is this program? {error}")))?;
    let beside = own.with_file_name("ssh-otp");
    let program = if beside.is_file() { beside } else { PathBuf::from(PROGRAM) };
    if !program.is_file() {
        return Err(Failure::undecided(format!("there is no ssh-otp at {}", program.display()))
            .hint("install it first: with the line and without the program nobody gets in"));
    }
    program.to_str().and_then(shell_word).ok_or_else(|| {
        Failure::no(format!("the path {} can't be written into authorized_keys safely", program.display()))
            .hint("install ssh-otp under a path without quotes, backslashes and exclamation marks")
    })
}
