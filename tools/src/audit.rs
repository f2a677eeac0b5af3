//! `audit`: who was let in, who was refused, what was changed.

use otp_wire::Ask;
use otp_wire::message::{AuditFilter, AuditRow, Outcome};
use serde::Serialize;

use crate::cli::{Audit, Verdict};
use crate::client::{Client, unexpected};
use crate::clock;
use crate::error::Failure;
use crate::key::SshKey;
use crate::output::{Output, table};

#[derive(Serialize)]
struct Rows<'a> {
    rows: &'a [AuditRow],
}

/// Shows the audit, newest first.
///
/// # Errors
/// When it can't be read.
pub fn run(client: &Client, arguments: &Audit, out: &mut Output) -> Result<(), Failure> {
    let since = |text| clock::point(text, clock::now(), u64::checked_sub);
    let filter = AuditFilter {
        account: arguments.account.as_ref().map(ToString::to_string),
        key: arguments.ssh_key.as_deref().map(SshKey::read).transpose()?.map(|key| key.fingerprint.to_string()),
        verdict: arguments.verdict.map(|verdict| word(verdict).to_owned()),
        since: arguments.since.as_deref().map(since).transpose()?,
        limit: arguments.limit,
    };
    let rows = match client.answer(Ask::Audit(filter))? {
        Outcome::Audit(rows) => rows,
        other => return Err(unexpected(&other)),
    };
    if arguments.json.json {
        return out.json(&Rows { rows: &rows });
    }
    if rows.is_empty() {
        return out.line("Nothing of that kind happened.");
    }
    let cells: Vec<_> = rows.iter().map(cells).collect();
    out.print(&table(&["WHEN", "TIMES", "VERDICT", "WHAT", "ACCOUNT", "SERVICE", "FROM", "UID", "KEY"], &cells))?;
    if rows.iter().any(|row| row.count > 1) {
        out.line("Refusals that are alike are one line a minute, with the time of the last one.")?;
    }
    if rows.iter().any(|row| row.claimed) {
        out.line("* what that uid says of itself; nobody vouches for it")?;
    }
    Ok(())
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accept => "accept",
        Verdict::Refuse => "refuse",
        Verdict::Change => "change",
    }
}

fn cells(row: &AuditRow) -> Vec<String> {
    let claim = |text: String| match (text.is_empty(), row.claimed) {
        (true, _) => "-".to_owned(),
        (false, true) => format!("{text}*"),
        (false, false) => text,
    };
    vec![
        clock::second(row.until.unwrap_or(row.at)),
        row.count.to_string(),
        row.verdict.clone(),
        row.reason.clone(),
        account(row),
        claim(row.service.clone()),
        claim(format!("{} {}", row.address, row.tty).trim().to_owned()),
        row.peer.to_string(),
        claim(short(&row.key)),
    ]
}

/// The account, and the owner where that is somebody else.
fn account(row: &AuditRow) -> String {
    match (row.account.as_str(), row.owner.as_str()) {
        ("", "") => "-".to_owned(),
        ("", owner) => format!("({owner})"),
        (account, owner) if owner.is_empty() || owner == account => account.to_owned(),
        (account, owner) => format!("{account} ({owner})"),
    }
}

/// Keys by their beginnings: enough to tell them apart, and short enough for a
/// line. JSON has the whole.
fn short(keys: &str) -> String {
    let beginning = |key: &str| match key.char_indices().nth(15) {
        Some((end, _)) => format!("{}…", &key[..end]),
        None => key.to_owned(),
    };
    keys.split(' ').map(beginning).collect::<Vec<_>>().join(" ")
}
