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
        Outcome::Audit { rows } => rows,
        other => return Err(unexpected(&other)),
    };
    if arguments.json.json {
        return out.json(&Rows { rows: &rows });
    }
    if rows.is_empty() {
        return out.line("Nothing of that kind happened.");
    }
    let cells: Vec<_> = rows.iter().map(cells).collect();
    out.print(&table(&["WHEN", "VERDICT", "WHAT", "ACCOUNT", "OWNER", "SERVICE", "FROM", "UID", "KEY"], &cells))?;
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
    let claim = |text: &str| match (text, row.claimed) {
        ("", _) => "-".to_owned(),
        (text, true) => format!("{text}*"),
        (text, false) => text.to_owned(),
    };
    let fact = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    vec![
        clock::second(row.at),
        row.verdict.clone(),
        row.reason.clone(),
        fact(&row.account),
        fact(&row.owner),
        claim(&row.service),
        claim(&row.address),
        row.peer.to_string(),
        claim(&row.key),
    ]
}
