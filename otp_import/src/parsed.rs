//! What came of reading, and why a file could not be read.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Entry;

/// What was found in one or several files.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parsed {
    /// The format's name; `mixed` for files of several formats.
    pub format: String,
    /// Every entry with a readable secret, in the order of the files.
    pub entries: Vec<Entry>,
    /// What stands there without a readable secret.
    pub skipped: Vec<Skipped>,
    /// What the person should know beside that.
    pub notes: Vec<String>,
    /// Files in which there is nothing at all.
    pub empty: Vec<String>,
    /// Which parts of which exports came by.
    #[serde(skip)]
    pub(crate) parts: Vec<Part>,
}

/// A row that is no entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// The file, as it was named.
    pub file: String,
    /// The line, the row or the place in a list, from 1.
    pub row: Option<u64>,
    /// Issuer and name, as far as they can be read; else empty.
    pub name: String,
    /// Why, and what to do.
    pub reason: String,
}

/// One part of a Google Authenticator export in several pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    pub id: i32,
    pub size: i32,
    pub index: i32,
}

/// A file that can't be read at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Error {
    /// The file, as it was named.
    pub file: String,
    /// What is wrong; never quotes the content.
    pub reason: String,
    /// What to do, where that is known.
    pub hint: Option<String>,
    /// Only a password is missing.
    #[serde(default)]
    pub locked: bool,
}

impl Error {
    /// An error about `file`.
    pub fn new(file: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self { file: file.into(), reason: reason.to_string(), hint: None, locked: false }
    }

    /// Only a password is missing.
    pub(crate) fn locked(mut self) -> Self {
        self.locked = true;
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.reason)
    }
}

impl std::error::Error for Error {}

impl Parsed {
    /// Puts a row aside.
    pub(crate) fn skip(&mut self, file: &str, row: Option<u64>, name: &str, reason: impl fmt::Display) {
        let (file, name, reason) = (file.to_owned(), name.to_owned(), reason.to_string());
        self.skipped.push(Skipped { file, row, name, reason });
    }

    /// Takes the entry, or the reason why it is none.
    pub(crate) fn take<E: fmt::Display>(&mut self, file: &str, row: u64, name: &str, entry: Result<Entry, E>) {
        match entry {
            Ok(entry) => self.entries.push(entry),
            Err(reason) => self.skip(file, Some(row), name, reason),
        }
    }

    /// Says which parts of an export in several pictures are missing.
    pub(crate) fn note_missing_parts(&mut self) {
        let parts: BTreeSet<Part> = self.parts.iter().copied().filter(|part| part.size > 1).collect();
        let exports: BTreeSet<(i32, i32)> = parts.iter().map(|part| (part.id, part.size)).collect();
        for (id, size) in exports {
            let missing = (0..size).filter(|&index| !parts.contains(&Part { id, size, index })).map(i64::from);
            // One more than is shown; a size may be any number.
            let missing: Vec<String> = missing.take(11).map(|index| (index + 1).to_string()).collect();
            if let [shown @ .., _] = missing.as_slice() {
                let numbers =
                    if missing.len() > 10 { format!("{} and more", shown.join(", ")) } else { missing.join(", ") };
                let part = if missing.len() == 1 { "part" } else { "parts" };
                self.notes.push(format!(
                    "{part} {numbers} of {size} of an export is missing: give all of its pictures or lines at once"
                ));
            }
        }
    }

    /// Pairs of entries (from 0) with the same secret, the earlier one first.
    #[must_use]
    pub fn duplicates(&self) -> Vec<(usize, usize)> {
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        let secret = |index: &usize| self.entries.get(*index).map(|entry| entry.secret.expose());
        order.sort_by(|a, b| secret(a).cmp(&secret(b)).then(a.cmp(b)));
        let mut pairs = Vec::new();
        for group in order.chunk_by(|a, b| secret(a) == secret(b)) {
            let Some((first, rest)) = group.split_first() else { continue };
            pairs.extend(rest.iter().map(|later| (*first, *later)));
        }
        pairs.sort_unstable_by_key(|pair| pair.1);
        pairs
    }
}
