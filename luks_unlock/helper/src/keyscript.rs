//! For the keyscript of initramfs-tools, which asks: whether to, and the key for
//! an answer. What is to be said goes to the console as libcryptsetup's log.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use luks_cryptsetup::{hear, heard};
use luks_unlock::answer::MAX_ANSWER;
use luks_unlock::order::{Outcome, Volume};
use rustix::stdio::{stdin, stdout};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::open::{key_for, ready as is_ready};
use crate::volume::load;

/// Exit status where another answer may be right.
const AGAIN: u8 = 1;
/// Exit status where it could not be decided.
const UNDECIDED: u8 = 3;
/// Exit status where no further answer helps. The script asks again after
/// [`AGAIN`] alone: a header that can't be written counts no wrong answers.
const ASIDE: u8 = 4;

/// Exit status 0 where an answer is worth asking for.
pub fn ready(header: &str) -> ExitCode {
    said(|| Ok(status(&is_ready(&volume(header))?)))
}

/// Writes the key for the answer on standard input to standard output.
pub fn key(header: &str) -> ExitCode {
    said(|| given(header))
}

/// Says on standard error what there is to say: the library by itself would use
/// standard output, too, where the key goes.
fn said(work: impl FnOnce() -> Result<ExitCode, Failure>) -> ExitCode {
    hear();
    let done = work();
    heard().iter().for_each(|line| eprintln!("{line}"));
    done.unwrap_or_else(|failure| {
        eprintln!("oathgate: {failure}");
        ExitCode::from(UNDECIDED)
    })
}

fn status(outcome: &Outcome) -> ExitCode {
    match outcome {
        Outcome::Done {} => ExitCode::SUCCESS,
        Outcome::Refused { again: true } => ExitCode::from(AGAIN),
        _ => ExitCode::from(ASIDE),
    }
}

fn given(header: &str) -> Result<ExitCode, Failure> {
    let device = load(&volume(header))?;
    let broken = |error: io::Error| Failure::new(format!("can't pass the key on: {error}"));
    let answer = answer().map_err(broken)?;
    match key_for(&device, &answer)? {
        Err(outcome) => Ok(status(&outcome)),
        Ok((key, _)) => {
            let written = unbuffered(stdout()).and_then(|mut out| out.write_all(key.expose()));
            written.map(|()| ExitCode::SUCCESS).map_err(broken)
        }
    }
}

/// What was typed; askpass writes no line break.
fn answer() -> io::Result<Zeroizing<Vec<u8>>> {
    let limit = MAX_ANSWER + 2;
    let mut answer = Zeroizing::new(Vec::with_capacity(limit));
    unbuffered(stdin())?.take(limit as u64).read_to_end(&mut answer)?;
    if answer.last() == Some(&b'\n') {
        answer.pop();
    }
    Ok(answer)
}

/// std's own streams have buffers that nobody wipes.
fn unbuffered(stream: std::os::fd::BorrowedFd<'_>) -> io::Result<File> {
    Ok(File::from(stream.try_clone_to_owned()?))
}

fn volume(header: &str) -> Volume {
    Volume { device: header.to_owned(), header: None }
}
