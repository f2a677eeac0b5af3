//! `ssh install` and `ssh remove`.

use otp_core::Fingerprint;
use otp_wire::syslog::escape;

use super::edit::{Edited, edit, lines};
use super::line::Gate;
use super::trial::{self, Tried};
use super::{Desk, Rest, key, keys, named};
use crate::cli::{Reach, SshChange, SshInstall, SshRemove};
use crate::client::TRIES;
use crate::error::Failure;
use crate::output::Output;
use crate::terminal::{Person, Typed};

/// Asks for a code at logins with a key, or with each.
///
/// # Errors
/// When the file can't be edited safely, or a login with the new line would
/// have failed; nothing is changed then.
pub fn install(reach: &Reach, arguments: &SshInstall, person: &dyn Person, out: &mut Output) -> Result<(), Failure> {
    let wanted = key(&arguments.key)?;
    let desk = Desk::open(reach, &arguments.file)?;
    let gate = desk.gate(&arguments.change)?;
    if let Some(key) = wanted.filter(|key| lines(&desk.keys.bytes).all(|line| line.key != *key)) {
        return Err(desk.no_line(key));
    }
    let edited = gated(&desk, &gate, |key| wanted.is_none_or(|wanted| wanted == key))?;
    let plan = Plan { desk: &desk, gate: &gate, change: &arguments.change, person };
    let rest = Rest { warnings: plan.warnings(&edited), undo: Some(desk.command("remove", &named(&arguments.key))) };
    if edited.changes.is_empty() || arguments.file.dry_run {
        return plan.nothing_done(&edited, rest, out);
    }
    plan.announce(&edited, &rest, out)?;
    let confirmed = plan.confirmed(&edited, wanted.is_none(), out)?;
    let edited = gated(&desk, &gate, |key| confirmed.contains(&key))?;
    let backup = desk.write(&edited, &desk.keys.bytes)?;
    plan.done(&edited, backup, rest, out)
}

fn gated(desk: &Desk, gate: &Gate, wanted: impl Fn(Fingerprint) -> bool) -> Result<Edited, Failure> {
    edit(&desk.keys.bytes, |line| if wanted(line.key) { line.install(gate) } else { Ok(None) })
}

/// Asks for no code any more.
///
/// # Errors
/// When the file can't be edited safely.
pub fn remove(reach: &Reach, arguments: &SshRemove, out: &mut Output) -> Result<(), Failure> {
    let wanted = key(&arguments.key)?;
    let desk = Desk::open(reach, &arguments.file)?;
    if let Some(key) = wanted.filter(|key| lines(&desk.keys.bytes).all(|line| line.key != *key)) {
        return Err(desk.no_line(key));
    }
    let chosen = |key| wanted.is_none_or(|wanted| wanted == key);
    let edited = edit(&desk.keys.bytes, |line| if chosen(line.key) { line.remove() } else { Ok(None) })?;
    let backup = desk.write(&edited, &desk.keys.bytes)?;
    let user_store = edited.changes.iter().any(|change| change.old.contains(" --user-store --key "));
    let store = if user_store && !reach.user_store { " --user-store" } else { "" };
    let undo = desk.command("install", &named(&arguments.key)) + store;
    if arguments.file.json.json {
        let undo = backup.is_some().then_some(undo);
        return desk.report(&edited, backup, Rest { undo, ..Rest::default() }, out);
    }
    edited.show(&desk.path, out)?;
    match (edited.changes.is_empty(), backup) {
        (true, _) => out.line("No code is asked for there; nothing was changed."),
        (false, None) => out.line("Nothing was changed (--dry-run)."),
        (false, Some(backup)) => {
            out.line(out.warning("From now on the key alone is enough."))?;
            out.line(format!("The file as it was: {}", backup.display()))?;
            out.line(format!("To undo: {undo}"))
        }
    }
}

/// Lines that are to get a gate, and how to make sure of it.
pub struct Plan<'a> {
    pub(super) desk: &'a Desk<'a>,
    pub(super) gate: &'a Gate,
    pub(super) change: &'a SshChange,
    pub(super) person: &'a dyn Person,
}

impl Plan<'_> {
    fn json(&self) -> bool {
        self.desk.arguments.json.json
    }

    /// What people should know before a line is changed.
    pub(super) fn warnings(&self, edited: &Edited) -> Vec<String> {
        let mut warnings = Vec::new();
        let changes = |key: Fingerprint| edited.keys.iter().any(|(changed, _)| *changed == key);
        for forwarding in &self.gate.forwardings {
            warnings.push(format!("{} stays open without a code, as you asked.", forwarding.option()));
        }
        if edited.without_terminal {
            warnings.push("A line allows no terminal (restrict or no-pty): the code can only come in LC_OTP.".into());
        }
        if !edited.changes.is_empty() && lines(&self.desk.keys.bytes).all(|line| changes(line.key)) {
            warnings.push(
                "No key in the file stays without a code: without device and scratch codes you are locked out.".into(),
            );
        }
        warnings.extend(self.second_way_in(edited));
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
    pub(super) fn nothing_done(&self, edited: &Edited, rest: Rest, out: &mut Output) -> Result<(), Failure> {
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
    pub(super) fn announce(&self, edited: &Edited, rest: &Rest, out: &mut Output) -> Result<(), Failure> {
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
    pub(super) fn confirmed(
        &self,
        edited: &Edited,
        several: bool,
        out: &mut Output,
    ) -> Result<Vec<Fingerprint>, Failure> {
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
            if asks && !self.change.yes {
                self.one_code(*key, called, out)?;
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

    pub(super) fn done(
        &self,
        edited: &Edited,
        backup: Option<std::path::PathBuf>,
        rest: Rest,
        out: &mut Output,
    ) -> Result<(), Failure> {
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
