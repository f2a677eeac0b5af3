//! `ssh install` and `ssh remove`.

use otp_core::Fingerprint;

use super::edit::{Edited, edit, lines};
use super::line::Gate;
use super::plan::Plan;
use super::{Desk, Rest, key, named};
use crate::cli::{Reach, SshInstall, SshRemove};
use crate::error::Failure;
use crate::output::Output;
use crate::terminal::Person;

/// Asks for a code at logins with a key, or with each.
///
/// # Errors
/// When the file can't be edited safely, or a login with the new line would
/// have failed; nothing is changed then.
pub fn install(reach: &Reach, arguments: &SshInstall, person: &dyn Person, out: &mut Output) -> Result<(), Failure> {
    let wanted = key(&arguments.key)?;
    let desk = Desk::open(reach, &arguments.file)?;
    let (gate, hidden) = desk.gate(&arguments.change)?;
    if let Some(key) = wanted.filter(|key| lines(&desk.keys.bytes).all(|line| line.key != *key)) {
        return Err(desk.no_line(key));
    }
    let edited = gated(&desk, &gate, |key| wanted.is_none_or(|wanted| wanted == key))?;
    let plan = Plan { desk: &desk, gate: &gate, change: &arguments.change, hidden, person };
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
