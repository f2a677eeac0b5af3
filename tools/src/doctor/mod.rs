//! `doctor`: what is wrong, and what to run; `config check`. [`ssh`] looks for
//! ways around the code, [`luks`] at encrypted disks.

mod finding;
pub mod luks;
pub mod pam;
pub mod ssh;

use std::process::{Command, Output as Finished};

use otp_core::Owner;
use otp_wire::Ask;
use otp_wire::SpawnVerifier;
use otp_wire::message::{EntryRow, Outcome, OwnerRow, StatusReport};

use crate::cli::{Doctor, Reach};
use crate::client::{Client, home, unexpected};
use crate::clock;
use crate::error::Failure;
use crate::list::{ahead, owners};
use crate::output::Output;
use crate::status::WEAK_BITS;
use crate::terminal::Console;
use finding::{Finding, State, report};

/// So far apart, two clocks of one host can only be a mistake. In seconds.
const APART: u64 = 5;

/// Looks at everything, and says what to run.
///
/// # Errors
/// When something is bad.
pub fn run(reach: &Reach, arguments: &Doctor, out: &mut Output) -> Result<(), Failure> {
    let mut findings = vec![settings(reach)];
    match Client::new(reach, &Console) {
        Ok(client) => findings.extend(verifier(&client)),
        Err(failure) => findings.push(from_failure(failure)),
    }
    report(&findings, arguments.json.json, out)
}

/// Says whether a verifier could start.
///
/// # Errors
/// When it could not.
pub fn config(reach: &Reach, out: &mut Output) -> Result<(), Failure> {
    let checked = check(reach)?;
    if checked.status.success() {
        return out.print(&String::from_utf8_lossy(&checked.stdout));
    }
    Err(Failure::no(complaint(&checked)))
}

/// `oathgated --check`: only that program knows its settings, keys and store.
fn check(reach: &Reach) -> Result<Finished, Failure> {
    let program = SpawnVerifier::beside_caller().map_err(Failure::undecided)?;
    let mut command = Command::new(program);
    command.arg("--check").env_clear();
    if reach.user_store {
        command.arg("--user-store").arg("--home").arg(home()?);
    }
    command.output().map_err(Failure::undecided)
}

fn complaint(checked: &Finished) -> String {
    let stderr = String::from_utf8_lossy(&checked.stderr);
    stderr.trim().trim_start_matches("error: ").to_owned()
}

fn settings(reach: &Reach) -> Finding {
    if !reach.user_store && !nix::unistd::Uid::effective().is_root() {
        return Finding::new(State::Warning, "settings, keys and store are root's to look at")
            .run("sudo oathgate doctor");
    }
    match check(reach) {
        Ok(checked) if checked.status.success() => {
            Finding::new(State::Good, "settings, sealing keys and the store's place")
        }
        Ok(checked) => Finding::new(State::Bad, complaint(&checked)),
        Err(failure) => from_failure(failure),
    }
}

fn from_failure(failure: Failure) -> Finding {
    Finding { run: failure.hint, ..Finding::bad(failure.what) }
}

fn verifier(client: &Client) -> Vec<Finding> {
    let mut findings = match client.answer(Ask::Status {}) {
        Ok(Outcome::Status(report)) => service(&report),
        Ok(other) => vec![from_failure(unexpected(&other))],
        Err(failure) => return vec![from_failure(failure)],
    };
    let account = client.scope(None).ok().flatten();
    match owners(client, account, None) {
        Ok(owners) => findings.extend(owners.iter().flat_map(|owner| person(owner, &client.call))),
        Err(failure) => findings.push(from_failure(failure)),
    }
    findings
}

/// What the service keeps beside its store, in bytes.
const RESERVE: u64 = 16 * 1024 * 1024;

fn service(report: &StatusReport) -> Vec<Finding> {
    let mut findings = vec![Finding::new(State::Good, format!("the verifier answers, version {}", report.version))];
    if report.version != env!("CARGO_PKG_VERSION") {
        let line = format!("this oathgate is {}, the verifier {}", env!("CARGO_PKG_VERSION"), report.version);
        findings.push(Finding::new(State::Bad, line).run("install both from one release, and restart oathgated"));
    }
    let clocks = match report.time.abs_diff(clock::now()) {
        0..=APART => Finding::new(State::Good, "the verifier's clock is this host's"),
        apart => Finding::new(State::Bad, format!("the verifier's clock is {apart} s off: codes will be refused"))
            .run("timedatectl status"),
    };
    findings.push(clocks);
    findings.extend(clock::unsynchronised().then(|| {
        Finding::new(State::Warning, "nothing keeps this host's clock right").run("timedatectl set-ntp true")
    }));
    // A user's own store has none.
    let store = report.store.as_ref().filter(|store| report.peer == "root" && store.reserve < RESERVE);
    findings.extend(store.map(|store| {
        let line = format!("only {} kB are kept for logins on a full disk, not 16 MB", store.reserve / 1024);
        Finding::new(State::Warning, line).run(format!("df -h {}, and make room", store.path))
    }));
    findings
}

/// What there is to say about one owner.
fn person(owner: &OwnerRow, call: &str) -> Vec<Finding> {
    let name = &owner.owner;
    let mut findings = Vec::new();
    for door in owner.doors.iter().filter(|door| door.state == "locked") {
        let line =
            format!("{name} is locked out of {} ({}) after {} failures", door.account, door.proof, door.failures);
        findings.push(Finding::new(State::Bad, line).run(format!("{call} unlock {}", door.account)));
    }
    let active: Vec<_> = owner.credentials.iter().filter(|credential| credential.state == "active").collect();
    for weak in active.iter().filter(|credential| credential.bits < WEAK_BITS) {
        let line = format!("{name}: the secret of {} has only {} bits", weak.label, weak.bits);
        findings.push(Finding::new(State::Warning, line).run(format!("{call} enrol, and {call} revoke {}", weak.id)));
    }
    for credential in &active {
        if let Some(seconds) = credential.ahead {
            let line = format!("{name}: {}", ahead(&credential.label, seconds));
            let command = format!("{call} resync --set-back {}, once the clock is right", credential.id);
            findings.push(Finding::new(State::Bad, line).run(command));
        }
    }
    for new in active.iter().filter(|credential| credential.confirmed.is_none()) {
        let line = format!("{name}: no code of {} was ever used", new.label);
        findings.push(Finding::new(State::Warning, line).run(format!("{call} revoke {}, if nobody has it", new.id)));
    }
    // A disk has a passphrase for that day.
    let is_disk = Owner::stored(name).is_ok_and(|owner| owner.is_volume());
    if !active.is_empty() && owner.scratch_left == 0 && !is_disk {
        let account = owner.entries.first().map_or(name.as_str(), |entry| entry.account.as_str());
        let line = format!("{name} has no scratch codes left for the day the phone is lost");
        findings.push(Finding::new(State::Warning, line).run(format!("{call} scratch new {account} --owner {name}")));
    }
    findings.extend(owner.entries.iter().filter_map(|entry| without_code(entry, State::Warning, call)));
    findings
}

/// A key whose policy is `none`.
fn without_code(entry: &EntryRow, state: State, call: &str) -> Option<Finding> {
    let key = entry.key.as_deref().unwrap_or_default();
    let until = entry.until.map_or_else(|| "for ever".to_owned(), |until| format!("until {}", clock::second(until)));
    let line = format!("{key} comes into {} without a code, {until}", entry.account);
    let command = format!("{call} key policy {key} code --account {}", entry.account);
    (entry.policy == "none").then(|| Finding::new(state, line).run(command))
}

#[cfg(test)]
mod tests {
    use otp_wire::message::DoorRow;

    use super::*;
    use crate::output::Style;
    use crate::testing::{Script, Typist, owner};

    /// What is said, how bad it is, and what is wrong.
    type Trouble = (&'static str, State, fn(&mut OwnerRow));

    fn healthy() -> OwnerRow {
        let mut owner = owner();
        owner.scratch_left = 9;
        owner.doors.clear();
        for credential in &mut owner.credentials {
            (credential.bits, credential.confirmed) = (160, Some(1));
            credential.state = "active".to_owned();
        }
        for entry in &mut owner.entries {
            entry.policy = "code".to_owned();
        }
        owner
    }

    #[test]
    fn nothing_is_said_where_nothing_is_wrong() {
        assert_eq!(person(&healthy(), "oathgate"), []);
    }

    #[test]
    fn each_trouble_is_named_with_a_command() {
        let trouble: [Trouble; 6] = [
            ("2 days ahead", State::Bad, |owner| owner.credentials[0].ahead = Some(180_000)),
            ("locked out", State::Bad, |owner| {
                let (account, proof, state) = ("alice".to_owned(), "uid".to_owned(), "locked".to_owned());
                owner.doors.push(DoorRow { account, proof, failures: 100, state });
            }),
            ("80 bits", State::Warning, |owner| owner.credentials[0].bits = 80),
            ("ever used", State::Warning, |owner| owner.credentials[0].confirmed = None),
            ("scratch codes", State::Warning, |owner| owner.scratch_left = 0),
            ("without a code", State::Warning, |owner| owner.entries[0].policy = "none".to_owned()),
        ];
        for (text, state, spoil) in trouble {
            let mut owner = healthy();
            spoil(&mut owner);
            let findings = person(&owner, "oathgate");
            assert_eq!(findings.len(), 1, "{text}: {findings:?}");
            assert!(findings[0].line.contains(text) && findings[0].state == state, "{text}: {findings:?}");
            assert!(findings[0].run.as_ref().is_some_and(|run| run.starts_with("oathgate ")), "{text}");
        }
    }

    #[test]
    fn a_verifier_that_does_not_answer_is_bad() {
        let (script, typist) = (Script::default(), Typist::default());
        let findings = verifier(&Client::of(&script, &typist));
        assert!(findings.len() == 1 && findings[0].state == State::Bad, "{findings:?}");
        let mut text = Vec::new();
        let mut out = Output::to(&mut text, Style::default());
        assert!(report(&findings, false, &mut out).is_err());
        drop(out);
        assert!(String::from_utf8(text).unwrap().starts_with("BAD "));
    }
}
