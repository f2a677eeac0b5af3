//! What breaks on a machine, and what must hold then: nobody is let in whose
//! code was not spent for good, others are refused soon, and when it is over
//! the next login works.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod descriptors;
mod disk;
mod front;
mod kill;
mod memory;
mod person;
mod read_only;

use std::ffi::OsStr;
use std::process::Command;

/// `program` as it is started for a test, with nothing of this environment.
fn bare(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    command
}
