//! Asks whoever is there for a code, as systemd asks for passphrases.

use std::path::Path;

use luks_unlock::ask::{Asker, Unanswered};
use zeroize::Zeroizing;

use crate::{Refused, refused};

/// What was typed, after `line`: why the last one was no good.
///
/// # Errors
/// When nobody answers, or nobody can be asked.
pub fn code(program: &Path, name: &str, line: &str) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let question = format!("{line} Code for {name} (or two in a row, with a blank between):");
    match Asker::Systemd(program.to_owned()).ask(name, question.trim_start()) {
        // No code is that long.
        Err(Unanswered::TooLong) => Ok(Zeroizing::default()),
        answer => answer.map_err(|why| refused(format!("{name}: no code: {why}"))),
    }
}
