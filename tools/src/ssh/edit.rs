//! The lines of a file of keys that change.

use std::path::Path;

use otp_core::Fingerprint;
use otp_wire::syslog::escape;
use serde::Serialize;
use zeroize::Zeroizing;

use super::line::{KeyLine, Objection};
use super::old_line;
use crate::error::Failure;
use crate::output::Output;

/// One line that changes; no secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The line's number, from 1.
    pub line: usize,
    /// As it was.
    pub old: String,
    /// As it will be.
    pub new: String,
}

/// A file with its changes.
#[derive(Debug, PartialEq, Eq)]
pub struct Edited {
    /// The whole file.
    pub bytes: Zeroizing<Vec<u8>>,
    /// What changes.
    pub changes: Vec<Change>,
    /// The keys of the lines that change, each once, and what they are called.
    pub keys: Vec<(Fingerprint, String)>,
    /// Changed lines that will have no terminal to ask on.
    pub without_terminal: bool,
}

/// The key lines of a file.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = KeyLine<'_>> {
    bytes.split_inclusive(|byte| *byte == b'\n').filter_map(KeyLine::parse)
}

/// Changes lines with a key: which one sshd takes may depend on the address,
/// so a key is changed in all of them.
///
/// # Errors
/// The first objection, with the line's number.
pub fn edit(
    bytes: &[u8],
    change: impl Fn(&KeyLine<'_>) -> Result<Option<Vec<u8>>, Objection>,
) -> Result<Edited, Failure> {
    let whole = Zeroizing::new(Vec::with_capacity(bytes.len() * 2 + 4096));
    let mut edited = Edited { bytes: whole, changes: vec![], keys: vec![], without_terminal: false };
    for (number, old) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        let line = KeyLine::parse(old);
        let new = line.as_ref().map(&change).transpose().map_err(|why| objection(number, &why))?.flatten();
        edited.bytes.extend_from_slice(new.as_deref().unwrap_or(old));
        if let (Some(line), Some(new)) = (line, new) {
            edited.changes.push(Change { line: number, old: text(&old_line::without_secrets(old)), new: text(&new) });
            edited.without_terminal |= line.is_without_terminal();
            if edited.keys.iter().all(|(key, _)| *key != line.key) {
                edited.keys.push((line.key, line.called()));
            }
        }
    }
    Ok(edited)
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end().to_owned()
}

impl Edited {
    /// Shows what changes, line by line.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn show(&self, path: &Path, out: &mut Output) -> Result<(), Failure> {
        for change in &self.changes {
            out.line(format!("{}, line {}:", path.display(), change.line))?;
            out.line(format!("- {}", escape(&change.old)))?;
            out.line(format!("+ {}", escape(&change.new)))?;
            out.line("")?;
        }
        Ok(())
    }
}

fn objection(number: usize, why: &Objection) -> Failure {
    match why {
        Objection::Command => Failure::no(format!("line {number} runs a command of its own")).hint(
            "to have a code asked for first: command=\"exec /usr/bin/ssh-otp --key SHA256:… -- COMMAND\", by hand",
        ),
        Objection::Authority => {
            Failure::no(format!("line {number} stands for an authority's certificates, not for a key"))
                .hint("certificates need the PAM module, or a line for each key")
        }
        Objection::Option(name) => {
            Failure::no(format!("line {number} has {name:?}, which would open a way around the code"))
                .hint("take it out of the line first; a forwarding can stay with --allow-forwarding")
        }
        Objection::Edited => Failure::no(format!("line {number} calls ssh-otp, but was edited by hand"))
            .hint("take the command= out by hand"),
    }
}
