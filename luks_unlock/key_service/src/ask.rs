//! Asks whoever is there, as systemd asks for passphrases: on the console, by
//! plymouth, by whatever agent runs (systemd-ask-password(1)).

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::{Refused, refused};

/// The longest answer, in bytes.
const MAX_ANSWER: usize = 128;

/// What was typed, after `line`: why the last one was no good.
///
/// # Errors
/// When nobody answers, or nobody can be asked.
pub fn code(program: &Path, name: &str, line: &str) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let at = |why: std::io::Error| refused(format!("{}: {why}", program.display()));
    let question = format!("{line} Code for {name} (or two in a row, with a blank between):");
    let mut command = Command::new(program);
    command.args(["--icon=drive-harddisk", "--timeout=180"]).arg(format!("--id=oathgate:{name}"));
    command.arg("--").arg(question.trim_start()).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut asking = command.spawn().map_err(at)?;
    // Never grown, so no copy is left behind.
    let mut typed = Zeroizing::new(Vec::with_capacity(MAX_ANSWER + 1));
    let mut said = asking.stdout.take().ok_or_else(|| refused("no answer"))?;
    let read = said.by_ref().take(MAX_ANSWER as u64 + 1).read_to_end(&mut typed);
    drop(said);
    let status = asking.wait().map_err(at)?;
    read.map_err(at)?;
    if !status.success() {
        return Err(refused(format!("{name}: nobody gave a code")));
    }
    if typed.len() > MAX_ANSWER {
        // No code is that long.
        typed.clear();
    }
    let end = typed.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(typed.len());
    typed.truncate(end);
    Ok(typed)
}
