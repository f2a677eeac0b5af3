//! `show`, `revoke`, `disable`, `enable`, `rename`, `unlock`: one credential, or the doors of an account.

use otp_wire::Ask;
use otp_wire::message::{CredentialName, CredentialRow, EntryRow, OwnerRow, Rename as RenameAsk, Unlock as UnlockAsk};
use otp_wire::syslog::escape;
use serde::Serialize;

use crate::cli::{Named, Rename, Unlock};
use crate::client::Client;
use crate::clock;
use crate::error::Failure;
use crate::key::SshKey;
use crate::list;
use crate::output::Output;

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
        ("secret", format!("{} bits; not shown here", credential.bits)),
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

/// Asks for a change of one credential: revoke, disable, enable.
///
/// # Errors
/// When that was not done.
pub fn change(
    client: &Client,
    named: &Named,
    ask: impl FnOnce(CredentialName) -> Ask,
    out: &mut Output,
) -> Result<(), Failure> {
    let account = client.scope(named.account.as_ref())?;
    let unnamed = account.is_none();
    let line = client.done(ask(CredentialName { account, credential: named.name.clone() }));
    done(&line.map_err(|failure| with_names(failure, unnamed, client))?, named.json.json, out)
}

/// Gives a credential another label.
///
/// # Errors
/// When that was not done.
pub fn rename(client: &Client, arguments: &Rename, out: &mut Output) -> Result<(), Failure> {
    let named = &arguments.named;
    let label = arguments.label.to_string();
    let ask =
        |name: CredentialName| Ask::Rename(RenameAsk { account: name.account, credential: name.credential, label });
    change(client, named, ask, out)
}

/// Says where the names are that the verifier did not know.
fn with_names(failure: Failure, unnamed: bool, client: &Client) -> Failure {
    match failure.hint {
        None if unnamed => failure.hint(format!("add --account NAME, or take an id out of: {} list", client.call)),
        _ => failure,
    }
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

#[cfg(test)]
mod tests {
    use otp_wire::message::Outcome;

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
        let script = Script::of([Outcome::Listing(vec![owner(), revoked])]);
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

    #[test]
    fn revoking_names_the_account() {
        let (script, typist) = (Script::of([Outcome::Done("Revoked.".to_owned())]), Typist::default());
        let mut text = Vec::new();
        let mut out = Output::to(&mut text, Style::default());
        change(&Client::of(&script, &typist), &named("phone"), Ask::Revoke, &mut out).unwrap();
        drop(out);
        assert_eq!(script.asked()[0]["ask"]["revoke"], serde_json::json!({"account": "alice", "credential": "phone"}));
        assert_eq!(text, b"Revoked.\n");
    }

    #[test]
    fn every_change_of_a_credential_names_it_and_the_account() {
        let (script, typist) = (Script::of([(); 3].map(|()| Outcome::Done("Done.".to_owned()))), Typist::default());
        let client = Client::of(&script, &typist);
        let mut text = Vec::new();
        let out = &mut Output::to(&mut text, Style::default());
        change(&client, &named("phone"), Ask::Disable, out).unwrap();
        change(&client, &named("phone"), Ask::Enable, out).unwrap();
        rename(&client, &Rename { named: named("phone"), label: "new".parse().unwrap() }, out).unwrap();
        let asked = script.asked();
        let name = serde_json::json!({"account": "alice", "credential": "phone"});
        assert_eq!((&asked[0]["ask"]["disable"], &asked[1]["ask"]["enable"]), (&name, &name));
        let new = serde_json::json!({"account": "alice", "credential": "phone", "label": "new"});
        assert_eq!(asked[2]["ask"]["rename"], new);
    }
}
