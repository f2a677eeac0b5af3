//! `list`: what is enrolled, and what is asked for where.

use otp_wire::Ask;
use otp_wire::message::{CredentialRow, DoorRow, EntryRow, Outcome, OwnerRow, PAGE, Selection};
use otp_wire::syslog::escape;
use serde::Serialize;

use crate::cli::List;
use crate::client::{Client, unexpected};
use crate::clock;
use crate::error::Failure;
use crate::output::{Output, table};

/// A listing, for programs.
#[derive(Serialize)]
pub struct Listing<'a> {
    owners: &'a [OwnerRow],
}

/// Shows what is enrolled.
///
/// # Errors
/// When it can't be read.
pub fn run(client: &Client, arguments: &List, out: &mut Output) -> Result<(), Failure> {
    let account = client.scope(arguments.account.as_ref())?;
    let owners = owners(client, account.clone(), None)?;
    if arguments.json.json {
        return out.json(&Listing { owners: &owners });
    }
    if owners.is_empty() {
        let whose = account.map_or_else(|| "yet".to_owned(), |account| format!("for {account}"));
        return out.line(format!("Nothing is enrolled {whose}. To begin: {} enrol", client.call));
    }
    for (number, owner) in owners.iter().enumerate() {
        if number > 0 {
            out.line("")?;
        }
        show_owner(owner, client, out)?;
    }
    Ok(())
}

/// Asks for a listing.
///
/// # Errors
/// When it can't be read.
pub fn owners(client: &Client, account: Option<String>, owner: Option<String>) -> Result<Vec<OwnerRow>, Failure> {
    let mut owners: Vec<OwnerRow> = Vec::new();
    loop {
        let after = owners.last().map(|owner| owner.owner.clone());
        let selection = Selection { account: account.clone(), owner: owner.clone(), after };
        match client.answer(Ask::List(selection))? {
            Outcome::Listing(page) if page.len() < PAGE => {
                owners.extend(page);
                return Ok(owners);
            }
            Outcome::Listing(page) => owners.extend(page),
            other => return Err(unexpected(&other)),
        }
    }
}

fn show_owner(owner: &OwnerRow, client: &Client, out: &mut Output) -> Result<(), Failure> {
    let scratch = format!("scratch codes: {} of {} left", owner.scratch_left, owner.scratch_made);
    out.line(format!("{}  ({scratch})", out.bold(&escape(&owner.owner))))?;
    if !owner.credentials.is_empty() {
        let rows: Vec<_> = owner.credentials.iter().map(credential_cells).collect();
        out.print(&table(&["ID", "LABEL", "CODES", "STATE", "LAST USED"], &rows))?;
    }
    if !owner.entries.is_empty() {
        let rows: Vec<_> = owner.entries.iter().map(|entry| entry_cells(entry, &owner.credentials)).collect();
        out.line("")?;
        out.print(&table(&["ACCOUNT", "ASKED FOR", "AT LOGINS"], &rows))?;
    }
    for row in &owner.credentials {
        if let Some(seconds) = row.ahead {
            out.line(out.warning(&escape(&ahead(&row.label, seconds))))?;
            out.line(format!("  to go on: {} resync --set-back {}", client.call, row.id))?;
        }
    }
    for door in owner.doors.iter().filter(|door| door.state != "open") {
        let line = format!("  {}: {}, {} wrong codes in a row", place(door), door.state, door.failures);
        out.line(out.warning(&escape(&line)))?;
        if door.state == "locked" {
            out.line(format!("  to open it: {} unlock {}", client.call, escape(&door.account)))?;
        }
    }
    Ok(())
}

fn credential_cells(row: &CredentialRow) -> Vec<String> {
    vec![
        row.id.clone(),
        row.label.clone(),
        codes(row),
        state(row).to_owned(),
        row.last_used.map_or_else(|| "never".to_owned(), clock::minute),
    ]
}

/// `totp, 6 digits, 30 s, SHA1`
pub fn codes(row: &CredentialRow) -> String {
    let period = row.period.map_or_else(String::new, |period| format!(" {period} s,"));
    format!("{}, {} digits,{period} {}", row.kind, row.digits, row.algorithm)
}

/// The state in one word; an active credential that was never used stands out.
pub fn state(row: &CredentialRow) -> &str {
    if row.state == "active" && row.confirmed.is_none() { "unconfirmed" } else { &row.state }
}

/// Says that a credential's last accepted step lies in the future.
pub fn ahead(label: &str, seconds: u64) -> String {
    let far = match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    };
    format!("the last code of {label} was of a time {far} ahead: the clock was wrong then, or is now")
}

/// An entry: the account, what is asked for, and how one logs in.
pub fn entry_cells(entry: &EntryRow, credentials: &[CredentialRow]) -> Vec<String> {
    let login = match (&entry.key, &entry.note) {
        (Some(key), Some(note)) => format!("with {key} ({note})"),
        (Some(key), None) => format!("with {key}"),
        (None, _) => "without a key (su, sudo, login)".to_owned(),
    };
    vec![entry.account.clone(), asked(entry, credentials), login]
}

fn asked(entry: &EntryRow, credentials: &[CredentialRow]) -> String {
    match (entry.policy.as_str(), entry.until) {
        ("none", None) => return "nothing".to_owned(),
        ("none", Some(until)) => return format!("nothing until {}", clock::minute(until)),
        _ => {}
    }
    let active = |id: &&String| credentials.iter().any(|row| &row.id == *id && row.state == "active");
    let labels: Vec<&str> = entry.credentials.iter().filter(active).map(|id| label(id, credentials)).collect();
    let code = match labels.is_empty() {
        true => "a scratch code (no credential is active)".to_owned(),
        false => format!("a code of {}", labels.join(" or ")),
    };
    let once = entry.grant.map(|seconds| format!("once in {} min. an address", seconds.div_ceil(60)));
    let granted = entry.grants.iter().filter_map(|grant| {
        let (minutes, by) = (grant.left.div_ceil(60), grant.service.as_ref().map(|service| format!(" by {service}")));
        let address = grant.address.as_ref()?;
        Some(format!("not from {address}{} for {minutes} min.", by.unwrap_or_default()))
    });
    let connections = entry.grants.iter().filter(|grant| grant.address.is_none()).count();
    let open = (connections > 0).then(|| format!("not on {connections} open connection(s)"));
    std::iter::once(code).chain(once).chain(granted).chain(open).collect::<Vec<_>>().join(", ")
}

fn label<'a>(id: &'a str, credentials: &'a [CredentialRow]) -> &'a str {
    credentials.iter().find(|row| row.id == id).map_or(id, |row| &row.label)
}

fn place(door: &DoorRow) -> String {
    match door.proof.split_once(' ') {
        Some(("key", key)) => format!("{} with {key}", door.account),
        Some(("claimed-key", key)) => format!("{} with {key} (asked by the account itself)", door.account),
        Some(("service", service)) => format!("{} at {service}", door.account),
        _ => format!("{} (asked by the account itself)", door.account),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Json;
    use crate::output::Style;
    use crate::testing::{KEY, Script, Typist, owner};

    fn listed(owners: Vec<OwnerRow>, json: bool) -> String {
        let (script, typist, mut text) = (Script::of([Outcome::Listing(owners)]), Typist::default(), Vec::new());
        let arguments = List { account: None, json: Json { json } };
        run(&Client::of(&script, &typist), &arguments, &mut Output::to(&mut text, Style::default())).unwrap();
        assert_eq!(script.asked()[0]["ask"]["list"], serde_json::json!({"account": "alice"}));
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn what_is_enrolled_is_read_at_a_glance() {
        let mut owner = owner();
        owner.doors = vec![
            DoorRow { account: "alice".into(), proof: format!("key {KEY}"), failures: 100, state: "locked".into() },
            DoorRow { account: "alice".into(), proof: "uid".into(), failures: 2, state: "open".into() },
        ];
        owner.entries[1].policy = "none".to_owned();
        let text = listed(vec![owner], false);
        for part in [
            "alice  (scratch codes: 8 of 10 left)\n",
            "  aaaaaaaa  laptop  totp, 6 digits, 30 s, SHA1  unconfirmed  never\n",
            &format!("  alice    a code of laptop  with {KEY} (alice\\u{{1b}}[2J@laptop)\n"),
            "  alice    nothing           without a key (su, sudo, login)\n",
            &format!("alice with {KEY}: locked, 100 wrong codes in a row\n  to open it: oathgate unlock alice\n"),
        ] {
            assert!(text.contains(part), "{part}\nin\n{text}");
        }
        assert!(!text.contains("2 wrong codes"), "an open door is no news");
    }

    #[test]
    fn nothing_says_how_to_begin() {
        assert_eq!(listed(vec![], false), "Nothing is enrolled for alice. To begin: oathgate enrol\n");
    }

    #[test]
    fn programs_get_all_of_it() {
        let value: serde_json::Value = serde_json::from_str(&listed(vec![owner()], true)).unwrap();
        assert_eq!(value["owners"][0]["entries"][0]["key"], KEY);
        assert_eq!(value["owners"][0]["credentials"][0]["label"], "laptop");
    }

    #[test]
    fn a_key_whose_credentials_are_gone_takes_scratch_codes() {
        let mut owner = owner();
        owner.credentials[0].state = "revoked".to_owned();
        assert!(listed(vec![owner], false).contains("a scratch code (no credential is active)"));
    }
}
