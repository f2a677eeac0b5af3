//! `show`, `revoke`, `unlock`, `verify`: one credential, or one door.

use std::io::Read;

use otp_wire::message::{CredentialName, CredentialRow, EntryRow, Outcome, OwnerRow, Unlock as UnlockAsk};
use otp_wire::message::{Reason, Verify as VerifyAsk};
use otp_wire::syslog::escape;
use otp_wire::{Ask, Login, SecretText};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::{Named, Unlock, Verify};
use crate::client::{Client, unexpected};
use crate::clock;
use crate::error::Failure;
use crate::key::SshKey;
use crate::list;
use crate::output::Output;

/// The service under which this program asks.
pub const SERVICE: &str = "oathgate";

#[derive(Serialize)]
struct Shown<'a> {
    owner: &'a str,
    credential: &'a CredentialRow,
    entries: Vec<&'a EntryRow>,
}

/// What was done, for programs.
#[derive(Serialize)]
pub struct Done<'a> {
    /// In words.
    pub done: &'a str,
}

/// Shows one credential, without its secret.
///
/// # Errors
/// When it can't be read, or there is no such credential, or several.
pub fn show(client: &Client, named: &Named, out: &mut Output) -> Result<(), Failure> {
    let owners = list::owners(client, client.scope(named.account.as_ref())?, None)?;
    let (owner, credential) = find(&owners, &named.name, client)?;
    let entries: Vec<_> = owner.entries.iter().filter(|entry| entry.credentials.contains(&credential.id)).collect();
    if named.json.json {
        return out.json(&Shown { owner: &owner.owner, credential, entries });
    }
    let moment = |time: Option<u64>, never: &str| time.map_or_else(|| never.to_owned(), clock::second);
    let mut rows = vec![
        ("id", credential.id.clone()),
        ("label", credential.label.clone()),
        ("owner", owner.owner.clone()),
        ("codes", list::codes(credential)),
        ("secret", format!("{} bits; it is never shown again", credential.bits)),
        ("state", list::state(credential).to_owned()),
        ("enrolled", clock::second(credential.created)),
        ("confirmed", moment(credential.confirmed, "not yet: no code of it was used so far")),
        ("last used", moment(credential.last_used, "never")),
    ];
    for entry in entries {
        let mut cells = list::entry_cells(entry, &owner.credentials).into_iter();
        if let (Some(account), Some(asked), Some(login)) = (cells.next(), cells.next(), cells.next()) {
            rows.push(("counts for", format!("{account} {login}; asked for there: {asked}")));
        }
    }
    for (name, value) in rows {
        out.line(format!("{name:<10} {}", escape(&value)))?;
    }
    Ok(())
}

fn find<'a>(owners: &'a [OwnerRow], name: &str, client: &Client) -> Result<(&'a OwnerRow, &'a CredentialRow), Failure> {
    let all = || owners.iter().flat_map(|owner| owner.credentials.iter().map(move |row| (owner, row)));
    if let Some(found) = all().find(|(_, row)| row.id == name) {
        return Ok(found);
    }
    let mut found: Vec<_> = all().filter(|(_, row)| row.label == name).collect();
    // A label may be used again once its credential is revoked.
    if found.iter().any(|(_, row)| row.state != "revoked") {
        found.retain(|(_, row)| row.state != "revoked");
    }
    match found.as_slice() {
        [only] => Ok(*only),
        [] => Err(Failure::no(format!("no credential {name:?}")).hint(format!("{} list shows all", client.call))),
        several => {
            let ids: Vec<&str> = several.iter().map(|(_, row)| row.id.as_str()).collect();
            Err(Failure::no(format!("{} credentials are labelled {name:?}", ids.len()))
                .hint(format!("take one of the ids {}", ids.join(", "))))
        }
    }
}

/// Never accepts a credential again.
///
/// # Errors
/// When that was not done.
pub fn revoke(client: &Client, named: &Named, out: &mut Output) -> Result<(), Failure> {
    let account = client.scope(named.account.as_ref())?;
    let name = CredentialName { account, credential: named.name.clone() };
    let unnamed = name.account.is_none();
    let line = client.done(Ask::Revoke(name)).map_err(|failure| match failure.hint {
        None if unnamed => failure.hint(format!("add --account NAME, or take an id out of: {} list", client.call)),
        _ => failure,
    })?;
    done(&line, named.json.json, out)
}

/// Opens an account's doors.
///
/// # Errors
/// When that was not done.
pub fn unlock(client: &Client, arguments: &Unlock, out: &mut Output) -> Result<(), Failure> {
    let key = arguments.ssh_key.as_deref().map(SshKey::read).transpose()?;
    let key = key.map(|key| key.fingerprint.to_string());
    let line = client.done(Ask::Unlock(UnlockAsk { account: arguments.account.to_string(), key }))?;
    done(&line, arguments.json.json, out)
}

/// Says what was done.
///
/// # Errors
/// When it can't be printed.
pub fn done(line: &str, json: bool, out: &mut Output) -> Result<(), Failure> {
    if json { out.json(&Done { done: line }) } else { out.line(escape(line)) }
}

#[derive(Serialize)]
struct Judged<'a> {
    accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scratch_left: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<&'a str>,
}

/// Asks for a code and says whether it is right.
///
/// # Errors
/// When it is not, or nothing was decided.
pub fn verify(client: &Client, arguments: &Verify, out: &mut Output) -> Result<(), Failure> {
    let key = arguments.ssh_key.as_deref().map(SshKey::read).transpose()?;
    let keys: Vec<_> = key.iter().map(|key| key.fingerprint.to_string()).collect();
    let account = client.account(arguments.account.as_ref())?.to_string();
    let code = if arguments.stdin { from_stdin()? } else { from_terminal(client, &account)? };
    let login = Login { account, keys, service: SERVICE.to_owned(), ..Login::default() };
    let outcome = client.answer(Ask::Verify(VerifyAsk { login, code, credential: None }))?;
    if arguments.json.json {
        out.json(&judged(&outcome)?)?;
    }
    match &outcome {
        Outcome::Accepted { .. } if arguments.json.json => Ok(()),
        Outcome::Accepted { .. } => out.line(accepted(&outcome)),
        Outcome::Refused { .. } if arguments.json.json => Err(Failure::no("")),
        // Who names no key is told nothing by the line, not even as root.
        Outcome::Refused { reason, .. } if client.root && key.is_none() => Err(Failure::no(reason)),
        Outcome::Refused { reason: Reason::NotEnrolled, line } if key.is_none() => Err(Failure::no(line).hint(
            "this asks as a login without a key; name a key with --ssh-key, or see what is enrolled: oathgate list",
        )),
        other => Err(unexpected(other)),
    }
}

fn from_terminal(client: &Client, account: &str) -> Result<SecretText, Failure> {
    use crate::terminal::Typed;
    match client.code(&format!("Code for {}: ", escape(account))) {
        Typed::Code(code) => Ok(code),
        Typed::Cancelled => Err(Failure::no("cancelled")),
        Typed::NoTerminal => Err(Failure::usage("there is no terminal to ask for the code on")
            .hint("run it in a terminal, or give the code with --stdin")),
    }
}

fn from_stdin() -> Result<SecretText, Failure> {
    // One byte more than any code: too long a line stays too long.
    let mut bytes = Zeroizing::new([0_u8; 257]);
    let (mut length, mut stdin) = (0, Unbuffered);
    while let Some(place) = bytes.get_mut(length..).filter(|place| !place.is_empty()) {
        match stdin.read(place) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) => return Err(Failure::undecided(format!("can't read standard input: {error}"))),
        }
    }
    Ok(SecretText::typed(bytes.get(..length).unwrap_or_default().trim_ascii()))
}

/// Standard input without a buffer, in which a code would stay.
struct Unbuffered;

impl Read for Unbuffered {
    fn read(&mut self, place: &mut [u8]) -> std::io::Result<usize> {
        Ok(rustix::io::read(rustix::stdio::stdin(), place)?)
    }
}

fn judged(outcome: &Outcome) -> Result<Judged<'_>, Failure> {
    let no = Judged { accepted: false, credential: None, label: None, scratch_left: None, reason: None, line: None };
    match outcome {
        Outcome::Accepted { credential, label, scratch_left } => Ok(Judged {
            accepted: true,
            credential: credential.as_deref(),
            label: label.as_deref(),
            scratch_left: *scratch_left,
            ..no
        }),
        Outcome::Refused { reason, line } => Ok(Judged { reason: Some(*reason), line: Some(line), ..no }),
        other => Err(unexpected(other)),
    }
}

/// An acceptance in words.
pub fn accepted(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted { label: Some(label), .. } => format!("Right: a code of {}. It is spent now.", escape(label)),
        Outcome::Accepted { scratch_left: Some(0), .. } => {
            "Right: the last scratch code. Make new ones: oathgate scratch new".to_owned()
        }
        Outcome::Accepted { scratch_left: Some(left), .. } => {
            format!("Right: a scratch code. It is spent now; {left} are left.")
        }
        _ => "Right. It is spent now.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Json;
    use crate::error::Exit;
    use crate::output::Style;
    use crate::testing::{Script, Typist, owner};

    fn named(name: &str) -> Named {
        Named { name: name.to_owned(), account: None, json: Json::default() }
    }

    fn shown(name: &str) -> Result<String, Failure> {
        let mut revoked = owner();
        revoked.owner = "bob".to_owned();
        revoked.credentials[0].id = "bbbbbbbb".to_owned();
        revoked.credentials[1].id = "cccccccc".to_owned();
        revoked.credentials[1].state = "revoked".to_owned();
        let script = Script::of([Outcome::Listing { owners: vec![owner(), revoked] }]);
        let mut text = Vec::new();
        let typist = Typist::default();
        show(&Client::of(&script, &typist), &named(name), &mut Output::to(&mut text, Style::default()))?;
        Ok(String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_credential_is_found_by_id_or_by_a_label_that_is_clear() {
        assert!(shown("aaaaaaaa").unwrap().contains("id         aaaaaaaa\nlabel      laptop\nowner      alice"));
        assert!(shown("phone").unwrap().contains("owner      alice"), "the revoked one of the same label stands back");
        assert!(shown("laptop").unwrap_err().hint.unwrap().contains("aaaaaaaa, bbbbbbbb"));
        assert_eq!(shown("nothing").unwrap_err().exit, Exit::No);
    }

    fn verified(outcome: Outcome, json: bool) -> (Result<(), Failure>, String) {
        let arguments = Verify { account: None, ssh_key: None, stdin: false, json: Json { json } };
        let (script, typist, mut text) = (Script::of([outcome]), Typist::of(&["123456"]), Vec::new());
        let result = verify(&Client::of(&script, &typist), &arguments, &mut Output::to(&mut text, Style::default()));
        let asked = script.asked();
        assert_eq!(asked[0]["ask"]["verify"]["code"], "123456");
        assert_eq!(asked[0]["ask"]["verify"]["login"], serde_json::json!({"account": "alice", "service": "oathgate"}));
        (result, String::from_utf8(text).unwrap())
    }

    fn code() -> Outcome {
        Outcome::Accepted { credential: Some("aaaaaaaa".into()), label: Some("phone".into()), scratch_left: None }
    }

    #[test]
    fn only_accepted_is_a_yes() {
        assert_eq!(verified(code(), false), (Ok(()), "Right: a code of phone. It is spent now.\n".to_owned()));
        let line = || "Wrong code.".to_owned();
        let cases: [(Outcome, Exit); 6] = [
            (Outcome::Refused { reason: Reason::Wrong, line: line() }, Exit::No),
            (Outcome::Denied { line: "Only root may.".to_owned() }, Exit::No),
            (Outcome::Undecided { line: line() }, Exit::Undecided),
            (Outcome::Pass {}, Exit::Undecided),
            (Outcome::Absent {}, Exit::Undecided),
            (Outcome::Done { line: line() }, Exit::Undecided),
        ];
        for (outcome, exit) in cases {
            for json in [false, true] {
                let same = serde_json::from_str(&serde_json::to_string(&outcome).unwrap()).unwrap();
                assert_eq!(verified(same, json).0.unwrap_err().exit, exit, "{outcome:?}");
            }
        }
    }

    #[test]
    fn verdicts_for_programs() {
        let (result, text) = verified(code(), true);
        assert_eq!(
            (result.is_ok(), text.as_str()),
            (true, "{\"accepted\":true,\"credential\":\"aaaaaaaa\",\"label\":\"phone\"}\n")
        );
        let (result, text) = verified(Outcome::Refused { reason: Reason::Replayed, line: "Used.".to_owned() }, true);
        assert_eq!(result.unwrap_err(), Failure::no(""));
        assert_eq!(text, "{\"accepted\":false,\"reason\":\"replayed\",\"line\":\"Used.\"}\n");
        let (_, text) = verified(Outcome::Accepted { credential: None, label: None, scratch_left: Some(3) }, true);
        assert_eq!(text, "{\"accepted\":true,\"scratch_left\":3}\n");
    }

    #[test]
    fn the_last_scratch_code_asks_for_new_ones() {
        let left = |left| accepted(&Outcome::Accepted { credential: None, label: None, scratch_left: Some(left) });
        assert!(left(0).contains("scratch new") && left(2).contains("2 are left"));
    }

    #[test]
    fn revoking_names_the_account() {
        let (script, typist) = (Script::of([Outcome::Done { line: "Revoked.".to_owned() }]), Typist::default());
        let mut text = Vec::new();
        revoke(&Client::of(&script, &typist), &named("phone"), &mut Output::to(&mut text, Style::default())).unwrap();
        assert_eq!(script.asked()[0]["ask"]["revoke"], serde_json::json!({"account": "alice", "credential": "phone"}));
        assert_eq!(text, b"Revoked.\n");
    }
}
