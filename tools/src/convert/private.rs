//! Where secrets may be written: never where others can read them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FileType, Mode, fchmod, fstat};
use rustix::stdio::stdout;

use crate::error::Failure;

/// Makes a new file that only its owner can read.
///
/// # Errors
/// When there is such a file, or it can't be made.
pub fn new_file(path: &Path) -> Result<File, Failure> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|why| {
        let failure = Failure::no(format!("{}: {why}", path.display()));
        match why.kind() {
            io::ErrorKind::AlreadyExists => failure.hint("files are never overwritten here; choose another name"),
            _ => failure,
        }
    })
}

/// If a shell opened a file as standard output, others may be able to read it:
/// it becomes private before a secret is in it.
///
/// # Errors
/// When that can't be done; then nothing may be written there.
pub fn make_stdout_private() -> Result<(), Failure> {
    let open = |_| Failure::undecided("standard output is closed");
    let status = fstat(stdout()).map_err(open)?;
    let wide = status.st_mode & 0o077 != 0;
    if !FileType::from_raw_mode(status.st_mode).is_file() || !wide {
        return Ok(());
    }
    fchmod(stdout(), Mode::RUSR | Mode::WUSR).map_err(|_| {
        Failure::no("standard output is a file that others can read; no secret is written there")
            .hint("take --output with a new file")
    })
}
