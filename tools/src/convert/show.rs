//! What was read, for people and for programs.

use std::collections::BTreeMap;

use otp_import::{Kind, Parsed};
use otp_wire::SecretText;
use otp_wire::frame;
use otp_wire::syslog::escape;
use serde::Serialize;
use zeroize::Zeroizing;

use super::select::Numbered;
use crate::error::Failure;
use crate::output::{Output, paint, table, wants_colour};

/// The longest document in bytes.
const MAX_DOCUMENT: usize = 512 * 1024 * 1024;
/// So many duplicates are named.
const MANY: usize = 20;
/// So many rows without a secret are named.
const ALL: usize = 1000;

/// The table: no secrets in it.
///
/// # Errors
/// When it can't be printed.
pub fn people(parsed: &Parsed, entries: &[Numbered], out: &mut Output) -> Result<(), Failure> {
    let same: BTreeMap<usize, usize> = parsed.duplicates().into_iter().map(|(first, later)| (later, first)).collect();
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|(number, entry)| {
            let obstacle = entry.obstacle().map(|obstacle| format!("no: {obstacle}"));
            let same = same.get(&(number - 1)).map(|first| format!("the same secret as {}", first + 1));
            vec![
                number.to_string(),
                entry.issuer.clone(),
                entry.name.clone(),
                kind(entry),
                obstacle.or(same).unwrap_or_else(|| "yes".to_owned()),
            ]
        })
        .collect();
    out.print(&table(&["", "ISSUER", "NAME", "CODES", "FOR A LOGIN"], &rows))
}

fn kind(entry: &otp_import::Entry) -> String {
    let (digits, hash) = (entry.digits, entry.algorithm.name());
    match entry.kind {
        Kind::Totp { period } => format!("totp, {digits} digits, {period} s, {hash}"),
        Kind::Hotp { next, .. } => format!("hotp, {digits} digits, next {next}, {hash}"),
        Kind::Steam { period } => format!("steam, {digits} letters, {period} s, {hash}"),
    }
}

#[derive(Serialize)]
struct Document<'a> {
    format: &'a str,
    entries: Vec<Entry<'a>>,
    skipped: Vec<Skipped<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    issuer: &'a str,
    name: &'a str,
    r#type: &'static str,
    secret: SecretText,
    secret_hex: SecretText,
    algorithm: &'static str,
    digits: u8,
    period: Option<u32>,
    counter: Option<u64>,
    next_counter: Option<u64>,
    usable: bool,
    reason: Option<String>,
}

#[derive(Serialize)]
struct Skipped<'a> {
    row: Option<u64>,
    name: &'a str,
    reason: &'a str,
}

/// The JSON document, with everything.
///
/// # Errors
/// When it can't be printed.
pub fn programs(parsed: &Parsed, entries: &[Numbered], out: &mut Output) -> Result<(), Failure> {
    let document = Document {
        format: &parsed.format,
        entries: entries.iter().map(|(_, entry)| shown(entry)).collect::<Result<_, _>>()?,
        skipped: parsed
            .skipped
            .iter()
            .map(|skipped| Skipped { row: skipped.row, name: &skipped.name, reason: &skipped.reason })
            .collect(),
    };
    let line = frame::encode(&document, MAX_DOCUMENT).map_err(Failure::undecided)?;
    out.print(std::str::from_utf8(&line).map_err(Failure::undecided)?)
}

fn shown(entry: &otp_import::Entry) -> Result<Entry<'_>, Failure> {
    let mut hex = Zeroizing::new(String::with_capacity(entry.secret.expose().len() * 2));
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    hex.extend(entry.secret.expose().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
    let text = |text: &str| SecretText::new(text).ok_or_else(|| Failure::undecided("a secret can't be shown"));
    let (counter, next_counter) = match entry.kind {
        Kind::Hotp { stored, next } => (Some(stored), Some(next)),
        Kind::Totp { .. } | Kind::Steam { .. } => (None, None),
    };
    let obstacle = entry.obstacle();
    Ok(Entry {
        issuer: &entry.issuer,
        name: &entry.name,
        r#type: entry.kind.name(),
        secret: text(&entry.secret.to_base32())?,
        secret_hex: text(&hex)?,
        algorithm: entry.algorithm.name(),
        digits: entry.digits,
        period: entry.kind.period(),
        counter,
        next_counter,
        usable: obstacle.is_none(),
        reason: obstacle.map(|obstacle| obstacle.to_string()),
    })
}

/// Says on standard error what a person should know beside the entries.
pub fn remarks(parsed: &Parsed) {
    for skipped in parsed.skipped.iter().take(ALL) {
        let row = skipped.row.map_or_else(String::new, |row| format!(", row {row}"));
        let name = if skipped.name.is_empty() { String::new() } else { format!(" ({})", skipped.name) };
        remark("skipped", &format!("{}{row}{name}: {}", skipped.file, skipped.reason));
    }
    if let Some(more @ 1..) = parsed.skipped.len().checked_sub(ALL) {
        remark("skipped", &format!("{more} more rows; --to json names them all"));
    }
    let duplicates = parsed.duplicates();
    for (first, later) in duplicates.iter().copied().take(MANY) {
        let title = |index: usize| parsed.entries.get(index).map(otp_import::Entry::title).unwrap_or_default();
        let (number, of) = (later + 1, first + 1);
        remark("note", &format!("{number} ({}) has the same secret as {of} ({})", title(later), title(first)));
    }
    if let Some(more @ 1..) = duplicates.len().checked_sub(MANY) {
        remark("note", &format!("{more} more have the same secret as one before"));
    }
    parsed.notes.iter().for_each(|note| remark("note", note));
}

/// One line on standard error.
pub fn remark(word: &str, text: &str) {
    let colour = rustix::termios::isatty(rustix::stdio::stderr()) && wants_colour();
    eprintln!("{} {}", paint(colour, "1;33", &format!("{word}:")), escape(text));
}
