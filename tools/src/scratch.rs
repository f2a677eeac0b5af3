//! `scratch new` and `scratch status`.

use otp_wire::message::{Outcome, OwnerName};
use otp_wire::syslog::escape;
use otp_wire::{Ask, SecretText};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::Owned;
use crate::client::{Client, unexpected};
use crate::error::Failure;
use crate::list;
use crate::output::Output;

#[derive(Serialize)]
struct New<'a> {
    codes: &'a [SecretText],
}

#[derive(Serialize)]
struct Status<'a> {
    owners: Vec<Left<'a>>,
}

#[derive(Serialize)]
struct Left<'a> {
    owner: &'a str,
    left: usize,
    made: usize,
}

/// Makes new scratch codes.
///
/// # Errors
/// When that was not done.
pub fn new(client: &Client, owned: &Owned, out: &mut Output) -> Result<(), Failure> {
    let account = client.account(owned.account.as_ref())?.to_string();
    let owner = owned.owner.as_ref().map(ToString::to_string);
    let codes = match client.answer(Ask::ScratchNew(OwnerName { account, owner }))? {
        Outcome::Scratch(codes) => codes,
        other => return Err(unexpected(&other)),
    };
    if owned.json.json {
        return out.json(&New { codes: &codes });
    }
    out.line("New scratch codes; the old ones don't work any more.")?;
    show(&codes, out)
}

/// Prints scratch codes, two in a row.
///
/// # Errors
/// When they can't be printed.
pub fn show(codes: &[SecretText], out: &mut Output) -> Result<(), Failure> {
    let mut text = Zeroizing::new(String::with_capacity(codes.len() * 64));
    for pair in codes.chunks(2) {
        for code in pair {
            text.push_str("   ");
            text.push_str(code.expose());
        }
        text.push('\n');
    }
    out.print(&text)?;
    out.line("Each works once, when the phone is lost. Write them down; they are not shown again.")
}

/// Shows how many are left.
///
/// # Errors
/// When that can't be read.
pub fn status(client: &Client, owned: &Owned, out: &mut Output) -> Result<(), Failure> {
    let account = client.account(owned.account.as_ref())?.to_string();
    let owner = owned.owner.as_ref().map(ToString::to_string);
    let owners = list::owners(client, Some(account.clone()), owner)?;
    if owned.json.json {
        return out.json(&Status { owners: owners.iter().map(left).collect() });
    }
    if owners.is_empty() {
        return Err(Failure::no(format!("nothing is enrolled for {account}"))
            .hint(format!("to begin: {} enrol {account}", client.call)));
    }
    for row in &owners {
        out.line(format!("{}: {} of {} left", escape(&row.owner), row.scratch_left, row.scratch_made))?;
        if row.scratch_left < 3 {
            out.line(format!("Make new ones: {} scratch new {}", client.call, escape(&account)))?;
        }
    }
    Ok(())
}

fn left(row: &otp_wire::message::OwnerRow) -> Left<'_> {
    Left { owner: &row.owner, left: row.scratch_left, made: row.scratch_made }
}
