//! `ssh adopt`: lines with a secret in them become lines with a gate, and the
//! secrets go into the store.

use otp_core::Fingerprint;
use otp_wire::message::{Enrol, KeyAdd};
use otp_wire::syslog::escape;
use otp_wire::{Ask, SecretText};

use super::edit::{Edited, edit, lines};
use super::old_line::{OldLine, without_secrets};
use super::plan::Plan;
use super::{Desk, Rest};
use crate::cli::{Reach, SshAdopt};
use crate::client::Client;
use crate::enrol::{enrolled, label_of};
use crate::error::{Exit, Failure};
use crate::list;
use crate::output::Output;
use crate::scratch;
use crate::terminal::Person;

/// Adopts the lines.
///
/// # Errors
/// When a secret can't be enrolled, the file can't be edited safely, or a
/// login with a new line would have failed.
pub fn adopt(reach: &Reach, arguments: &SshAdopt, person: &dyn Person, out: &mut Output) -> Result<(), Failure> {
    let desk = Desk::open(reach, &arguments.file)?;
    if reach.user_store && desk.person != crate::as_person::Person::caller()? {
        return Err(Failure::usage(format!("the store of {} is theirs", desk.person.name))
            .hint(format!("run it as them: sudo -u {} oathgate --user-store ssh adopt", desk.person.name)));
    }
    let (gate, hidden) = desk.gate(&arguments.change)?;
    let edited = edit(&desk.keys.bytes, |line| OldLine::of(line).map(|old| old.rewritten(&gate)).transpose())?;
    let plan = Plan { desk: &desk, gate: &gate, change: &arguments.change, hidden, person };
    if edited.changes.is_empty() {
        return Err(Failure::no(format!("{} has no line with a secret in its command", desk.path.display()))
            .hint("for a key without a code: oathgate ssh install"));
    }
    let rest = Rest { warnings: plan.warnings(&edited), undo: None };
    if arguments.file.dry_run {
        return plan.nothing_done(&edited, rest, out);
    }
    plan.announce(&edited, &rest, out)?;
    let client = Client::new(reach, person)?;
    Secrets { client: &client, desk: &desk, json: arguments.file.json.json }.enrol(&edited, out)?;
    plan.confirmed(&edited, false, out)
        .map_err(|failure| failure.hint("the secrets are in the store already, and in the file still; adopt again"))?;
    let backup = desk.write(&edited, &without_secrets(&desk.keys.bytes))?;
    plan.done(&edited, backup, rest, out)?;
    if arguments.file.json.json {
        return Ok(());
    }
    out.line("That copy has no secrets in it. Others may (editors', the host's back-ups), and whoever was on this")?;
    out.line("host could read them among its processes: make new ones when you can, oathgate enrol and revoke.")
}

/// The way of the secrets from the file into the store.
struct Secrets<'a> {
    client: &'a Client<'a>,
    desk: &'a Desk<'a>,
    json: bool,
}

impl Secrets<'_> {
    fn enrol(&self, edited: &Edited, out: &mut Output) -> Result<(), Failure> {
        let account = self.desk.person.name.clone();
        let known = self.known(&account)?;
        let mut made: Vec<(SecretText, String)> = Vec::new();
        for (key, called) in &edited.keys {
            // Whoever comes back after a failure finds some done already.
            if known.contains(&key.to_string()) {
                continue;
            }
            let secret = self.secret(*key)?;
            match made.iter().find(|(before, _)| *before == secret) {
                Some((_, credential)) => self.same_device(&account, *key, called, credential)?,
                None => {
                    let credential = self.new_device(&account, *key, called, &secret, out)?;
                    made.push((secret, credential));
                }
            }
        }
        Ok(())
    }

    /// The keys that have a code in the store.
    fn known(&self, account: &str) -> Result<Vec<String>, Failure> {
        let owners = match list::owners(self.client, Some(account.to_owned()), None) {
            Ok(owners) => owners,
            Err(failure) if failure.exit == Exit::No => vec![],
            Err(failure) => return Err(failure),
        };
        let entries = owners.into_iter().flat_map(|owner| owner.entries);
        let coded = entries.filter(|entry| entry.account == account && !entry.credentials.is_empty());
        Ok(coded.filter_map(|entry| entry.key).collect())
    }

    /// The secret of the first line with `key`, as sshd would take it.
    fn secret(&self, key: Fingerprint) -> Result<SecretText, Failure> {
        let found = lines(&self.desk.keys.bytes)
            .find_map(|line| OldLine::of(&line).filter(|_| line.key == key).map(|old| SecretText::typed(old.secret())));
        found.ok_or_else(|| Failure::undecided(format!("the secret of {key} is gone")))
    }

    fn new_device(
        &self,
        account: &str,
        key: Fingerprint,
        called: &str,
        secret: &SecretText,
        out: &mut Output,
    ) -> Result<String, Failure> {
        let ask = |label: Option<String>| Enrol {
            account: account.to_owned(),
            owner: None,
            key: Some(key.to_string()),
            label,
            note: Some(called.to_owned()),
            kind: "totp".to_owned(),
            algorithm: "SHA1".to_owned(),
            digits: 6,
            period: None,
            secret: Some(SecretText::typed(secret.expose().as_bytes())),
            scratch: !self.json,
        };
        let label = label_of(called);
        let new = enrolled(self.client, ask(label.clone())).or_else(|failure| match label {
            // Two keys may have the same comment.
            Some(label) if failure.what.contains("label") => enrolled(self.client, ask(Some(unlike(&label, key)))),
            _ => Err(failure),
        });
        let new = new.map_err(|failure| {
            let call = &self.client.call;
            // Another key of this device was adopted before.
            let hint = if failure.what.contains("has this secret already as") {
                format!("then adopt again: {call} key add {key} --account {account} --credential ID")
            } else {
                format!("make a new code for this key, then adopt again: {call} enrol {account} --ssh-key {key}")
            };
            Failure { hint: failure.hint.or(Some(hint)), ..failure }
        })?;
        if !self.json {
            out.line(format!("The secret of {} is in the store, as {}.", escape(called), escape(&new.label)))?;
            if !new.scratch.is_empty() {
                out.line("Scratch codes:")?;
                scratch::show(&new.scratch, out)?;
            }
        }
        Ok(new.credential)
    }

    fn same_device(&self, account: &str, key: Fingerprint, called: &str, credential: &str) -> Result<(), Failure> {
        let ask = KeyAdd {
            account: account.to_owned(),
            key: key.to_string(),
            owner: None,
            note: Some(called.to_owned()),
            credentials: vec![credential.to_owned()],
        };
        self.client.done(Ask::KeyAdd(ask)).map(drop)
    }
}

/// `label` with something of the key behind it, within its 64 characters.
fn unlike(label: &str, key: Fingerprint) -> String {
    let digest: String = key.to_string().chars().skip(7).filter(char::is_ascii_alphanumeric).take(8).collect();
    let label: String = label.chars().take(55).collect();
    format!("{label}-{digest}")
}
