//! Everybody in a `users.oath`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::arguments::Import;
use super::homes::{Home, State, settled, take};
use super::import::{self, fits};
use super::reader;
use super::select::Numbered;
use crate::client::Client;
use crate::error::Failure;

/// Imports every user's rows, or says only what could be imported.
///
/// # Errors
/// When a file can't be read, the caller isn't root, or the verifier can't be asked.
pub fn all(client: &Client, files: &[PathBuf], arguments: &Import, look_only: bool) -> Result<Vec<Home>, Failure> {
    if !client.root {
        return Err(Failure::usage("only root may import for everybody"));
    }
    if files.is_empty() {
        return Err(Failure::no("no stack names a usersfile; nothing was changed"));
    }
    let parsed = reader::read(files)?;
    let mut users: BTreeMap<&str, Vec<Numbered>> = BTreeMap::new();
    for (number, entry) in (1..).zip(&parsed.entries) {
        let user = entry.login.as_ref().and_then(|login| login.user.as_deref());
        let user = user.ok_or_else(|| Failure::no(format!("row {number} is no row of a users.oath")))?;
        users.entry(user).or_default().push((number, entry));
    }
    let skipped = parsed.skipped.iter().map(|row| Home {
        account: row.name.clone(),
        state: State::Skipped,
        remarks: vec![row.reason.clone()],
    });
    let mut homes: Vec<Home> = skipped.collect();
    for (user, rows) in users {
        homes.push(one(client, user, &rows, arguments, look_only)?);
    }
    Ok(homes)
}

fn one(client: &Client, user: &str, rows: &[Numbered], arguments: &Import, look_only: bool) -> Result<Home, Failure> {
    let losses = rows.iter().flat_map(|(_, entry)| import::losses_of(entry)).collect();
    let usable = rows.iter().try_for_each(|row| fits(row, arguments.allow_weak));
    let done = match usable {
        Ok(()) if look_only => Ok(State::Ready),
        Ok(()) => import::ask(user, rows, arguments).and_then(|ask| take(client, ask)),
        Err(failure) => Err(failure),
    };
    settled(user, done, losses)
}
