//! What happens before and after lines get a gate: what people are told, and
//! how it is made sure that a login with the new line works.

use std::path::PathBuf;

use otp_core::Fingerprint;
use otp_wire::syslog::escape;

use super::edit::{Edited, lines};
use super::line::Gate;
use super::trial::{self, Tried};
use super::{Desk, Rest, keys};
use crate::cli::SshChange;
use crate::client::TRIES;
use crate::error::Failure;
use crate::output::Output;
use crate::terminal::{Person, Typed};

/// Lines that are to get a gate, and how to make sure of it.
pub struct Plan<'a> {
    /// Whose file it is.
    pub desk: &'a Desk<'a>,
    /// What the lines get.
    pub gate: &'a Gate,
    /// How.
    pub change: &'a SshChange,
    /// A warning that sshd's settings could not all be read.
    pub hidden: Option<String>,
    /// Whom to ask.
    pub person: &'a dyn Person,
}

impl Plan<'_> {
    fn json(&self) -> bool {
        self.desk.arguments.json.json
    }

    /// What people should know before a line is changed.
    pub fn warnings(&self, edited: &Edited) -> Vec<String> {
        let mut warnings = Vec::new();
        let changes = |key: Fingerprint| edited.keys.iter().any(|(changed, _)| *changed == key);
        for forwarding in &self.gate.forwardings {
            warnings.push(format!("{} stays open without a code, as you asked.", forwarding.option()));
        }
        if edited.without_terminal {
            warnings.push("A line allows no terminal (restrict or no-pty): the code can only come in LC_OTP.".into());
        }
        if !edited.changes.is_empty() && lines(&self.desk.keys.bytes).all(|line| line.is_gated() || changes(line.key)) {
            warnings.push(
                "No key in the file stays without a code: without device and scratch codes you are locked out.".into(),
            );
        }
        warnings.extend(self.second_way_in(edited));
        warnings.extend(self.hidden.clone());
        warnings
    }

    /// sshd's second file, where it lets one of the keys in without a code.
    fn second_way_in(&self, edited: &Edited) -> Option<String> {
        let second = self.desk.path.with_file_name("authorized_keys2");
        if second == self.desk.path {
            return None;
        }
        let shown = second.display();
        match keys::read(&self.desk.person, &second) {
            Ok(None) => None,
            Err(failure) => Some(format!("sshd may read {shown} too, and it can't be looked into: {}.", failure.what)),
            Ok(Some(keys)) => {
                let open = lines(&keys.bytes)
                    .any(|line| !line.is_gated() && edited.keys.iter().any(|(key, _)| *key == line.key));
                open.then(|| format!("{shown} has a key of these too, without a code: take it out there."))
            }
        }
    }

    /// Nothing is to be changed, or only to be shown.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn nothing_done(&self, edited: &Edited, rest: Rest, out: &mut Output) -> Result<(), Failure> {
        if self.json() {
            return self.desk.report(edited, None, Rest { undo: None, ..rest }, out);
        }
        edited.show(&self.desk.path, out)?;
        if edited.changes.is_empty() {
            return out.line("A code is asked for already; nothing was changed.");
        }
        warn(&rest.warnings, out)?;
        out.line("Nothing was changed (--dry-run).")
    }

    /// Says what is going to change, and how to come back.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn announce(&self, edited: &Edited, rest: &Rest, out: &mut Output) -> Result<(), Failure> {
        if self.json() {
            return Ok(());
        }
        edited.show(&self.desk.path, out)?;
        warn(&rest.warnings, out)?;
        out.line(out.warning("Keep this session open, and log in from a second terminal before you close it."))?;
        rest.undo.as_ref().map_or(Ok(()), |undo| out.line(format!("To undo: {undo}")))
    }

    /// The keys with which a login by the new line was seen to work. With
    /// `several`, each is offered by its comment, and those that would not
    /// work are left as they are.
    ///
    /// # Errors
    /// When a login would fail, no code came in, or nobody can be asked.
    pub fn confirmed(&self, edited: &Edited, several: bool, out: &mut Output) -> Result<Vec<Fingerprint>, Failure> {
        let mut confirmed = Vec::new();
        for (key, called) in &edited.keys {
            let asks = match self.asks(*key) {
                Ok(asks) => asks,
                Err(failure) if several => {
                    self.note(&format!("Left as it is: {}: {}", escape(called), failure.what), out)?;
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            if several && !self.change.yes && !self.agrees(called)? {
                continue;
            }
            match asks {
                true if self.change.yes => {}
                true => self.one_code(*key, called, out)?,
                false if self.change.no_trial => {}
                false => self.note("The policy of this key is none: nothing is asked for until that changes.", out)?,
            }
            confirmed.push(*key);
        }
        Ok(confirmed)
    }

    fn note(&self, line: &str, out: &mut Output) -> Result<(), Failure> {
        if self.json() { Ok(()) } else { out.line(line) }
    }

    fn agrees(&self, called: &str) -> Result<bool, Failure> {
        let question = format!("Ask for a code at logins with {}? [y/N] ", escape(called));
        self.person.agrees(&question).ok_or_else(no_terminal)
    }

    /// Runs the command without a code: whether one is asked for.
    fn asks(&self, key: Fingerprint) -> Result<bool, Failure> {
        if self.change.no_trial {
            return Ok(false);
        }
        let tried = trial::run(&self.desk.person, &self.gate.command(key), None)?;
        match &tried {
            tried if tried.wants_code() => Ok(true),
            Tried::CameIn(_) => Ok(false),
            Tried::Refused(said) => Err(self.would_fail(key, said)),
        }
    }

    fn would_fail(&self, key: Fingerprint, said: &str) -> Failure {
        let said = if said.is_empty() { "the login shell ran no command" } else { said };
        let store = if self.gate.user_store { " --user-store" } else { "" };
        let account = &self.desk.person.name;
        Failure::no(format!("a login with this line would fail, and nothing was changed: {said}")).hint(format!(
            "has the key a code? oathgate{store} list {account}; oathgate{store} enrol {account} --ssh-key {key}"
        ))
    }

    /// Has one code confirmed, by the very command of the line.
    fn one_code(&self, key: Fingerprint, called: &str, out: &mut Output) -> Result<(), Failure> {
        for _ in 0..TRIES {
            let code = match self.person.code(&format!("A code for {}, to try the line: ", escape(called))) {
                Typed::Code(code) => code,
                Typed::Cancelled => return Err(Failure::no("cancelled; nothing was changed")),
                Typed::NoTerminal => return Err(no_terminal()),
            };
            match trial::run(&self.desk.person, &self.gate.command(key), Some(&code))? {
                Tried::CameIn(before) if before.is_empty() => return self.note("That code came in; it is spent.", out),
                Tried::CameIn(_) => {
                    return self.note(
                        "That code came in; it is spent. But start files of the login shell print something: \
                         scp, sftp, rsync and git won't work until they don't.",
                        out,
                    );
                }
                Tried::Refused(said) => self.note(&escape(&said), out)?,
            }
        }
        Err(Failure::no("no code came in; nothing was changed"))
    }

    /// Says what was changed.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn done(&self, edited: &Edited, backup: Option<PathBuf>, rest: Rest, out: &mut Output) -> Result<(), Failure> {
        if self.json() {
            let undo = rest.undo.filter(|_| backup.is_some());
            return self.desk.report(edited, backup, Rest { undo, ..rest }, out);
        }
        let Some(backup) = backup else { return out.line("Nothing was changed.") };
        for (_, called) in &edited.keys {
            out.line(format!("From now on a code is asked for at logins with {}.", escape(called)))?;
        }
        out.line(format!("The file as it was: {}", backup.display()))
    }
}

fn warn(warnings: &[String], out: &mut Output) -> Result<(), Failure> {
    warnings.iter().try_for_each(|warning| out.line(out.warning(&escape(warning))))
}

fn no_terminal() -> Failure {
    Failure::usage("there is no terminal to ask for a code on; nothing was changed")
        .hint("run it in a terminal; or with --yes, which tries the line without a code")
}
