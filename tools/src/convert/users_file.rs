//! Everybody in a `users.oath`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use otp_import::Parsed;
use otp_wire::message::Import as ImportAsk;

use super::arguments::{Import, Locked};
use super::homes::{Home, State};
use super::import::{self, fits};
use super::reader;
use super::select::Numbered;
use super::show::{self, remark};
use crate::bulk;
use crate::client::Client;
use crate::credential::done;
use crate::error::Failure;
use crate::output::Output;

/// So many people are named who can't come in.
const NAMED: usize = 20;

/// Imports every user's rows, all of them or none.
///
/// # Errors
/// When a file can't be read, the caller isn't root, somebody can't come in, or
/// the verifier can't be asked: then nobody came in.
pub fn everybody(client: &Client, arguments: &Import, out: &mut Output) -> Result<(), Failure> {
    let parsed = read(client, &arguments.files)?;
    show::remarks(&parsed);
    if !parsed.skipped.is_empty() {
        return Err(Failure::no(format!("{} rows can't be read; nothing was imported", parsed.skipped.len()))
            .hint("mend them, or take them out of the file"));
    }
    let users = users(&parsed)?;
    let all = users.len();
    let mut bad = Vec::new();
    let mut people = Vec::new();
    for (user, rows) in &users {
        match asked(user, rows, arguments) {
            Ok(ask) => people.push(ask),
            Err(failure) => bad.push(format!("{user}: {}", failure.what)),
        }
    }
    let all_fit = bad.is_empty();
    let brought = bulk::bring(client, people, |not_taken| all_fit && not_taken.iter().all(|one| one.known))?;
    let (known, refused): (Vec<_>, Vec<_>) = brought.not_taken.into_iter().partition(|one| one.known);
    bad.extend(refused.into_iter().map(|one| format!("{}: {}", one.account, one.reason)));
    bad.iter().take(NAMED).for_each(|line| remark("refused", line));
    if !bad.is_empty() {
        return Err(Failure::no(format!("{} of {all} people can't come in; nothing was imported", bad.len()))
            .hint("mend their rows, or take them out of the file"));
    }
    let again = if known.is_empty() { String::new() } else { format!("; {} were enrolled before", known.len()) };
    let line = brought.admitted.unwrap_or_else(|| "Nobody was imported".to_owned());
    for (user, rows) in &users {
        rows.iter().flat_map(|(_, entry)| import::losses_of(entry)).for_each(|loss| remark(user, &loss));
    }
    done(&format!("{line}{again}"), arguments.json.json, out)
}

/// Imports the rows of every user who fits, or says only what could be imported.
///
/// # Errors
/// When a file can't be read, the caller isn't root, or the verifier can't be
/// asked: then nobody came in.
pub fn all(client: &Client, files: &[PathBuf], arguments: &Import, look_only: bool) -> Result<Vec<Home>, Failure> {
    if files.is_empty() {
        return Err(Failure::no("no stack names a usersfile; nothing was changed"));
    }
    let parsed = read(client, files)?;
    let skipped = parsed.skipped.iter().map(|row| Home {
        account: row.name.clone(),
        state: State::Skipped,
        remarks: vec![row.reason.clone()],
    });
    let mut homes: Vec<Home> = skipped.collect();
    let (mut people, mut found) = (Vec::new(), BTreeMap::new());
    for (user, rows) in users(&parsed)? {
        let losses = rows.iter().flat_map(|(_, entry)| import::losses_of(entry)).collect();
        let (state, remarks) = match asked(user, &rows, arguments) {
            Ok(_) if look_only => (State::Ready, losses),
            Ok(ask) => {
                people.push(ask);
                (State::Imported, losses)
            }
            Err(failure) => (State::Skipped, vec![failure.what]),
        };
        found.insert(user, Home { account: user.to_owned(), state, remarks });
    }
    let not_taken = if people.is_empty() { vec![] } else { bulk::bring(client, people, |_| true)?.not_taken };
    for one in not_taken {
        if let Some(home) = found.get_mut(one.account.as_str()) {
            home.state = if one.known { State::Known } else { State::Skipped };
            home.remarks = vec![one.reason];
        }
    }
    homes.extend(found.into_values());
    Ok(homes)
}

fn read(client: &Client, files: &[PathBuf]) -> Result<Parsed, Failure> {
    if !client.root {
        return Err(Failure::usage("only root may import for everybody"));
    }
    reader::read(files, &Locked::default())
}

/// The rows of each user.
fn users(parsed: &Parsed) -> Result<BTreeMap<&str, Vec<Numbered<'_>>>, Failure> {
    let mut users: BTreeMap<&str, Vec<Numbered>> = BTreeMap::new();
    for (number, entry) in (1..).zip(&parsed.entries) {
        let user = entry.login.as_ref().and_then(|login| login.user.as_deref());
        let user = user.ok_or_else(|| Failure::no(format!("row {number} is no row of a users.oath")))?;
        users.entry(user).or_default().push((number, entry));
    }
    Ok(users)
}

fn asked(user: &str, rows: &[Numbered], arguments: &Import) -> Result<ImportAsk, Failure> {
    rows.iter().try_for_each(|row| fits(row, arguments.allow_weak))?;
    import::ask(user, rows, arguments)
}
