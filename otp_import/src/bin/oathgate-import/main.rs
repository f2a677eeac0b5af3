//! `oathgate-import`: reads what others wrote, where a mistake costs little.
//!
//! It opens nothing but the host's time zone: the files come as descriptors ([`otp_import::pipe`]), the
//! entries go to the standard output, and the process ends. Before it reads a
//! byte it has given up its privileges, and it has limits of memory and time.
//! What parsers leave in memory goes with the process, which can't be traced
//! or dumped.

#![forbid(unsafe_code)]

mod confine;
mod receive;

use std::io;
use std::process::ExitCode;

use otp_import::pipe::{self, Answer};
use otp_import::{Error, Source, Zone, read};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever started it reads nothing else.
            let answer = Answer::Error(Error::new("oathgate-import", error));
            let _ = pipe::send(&answer, io::stdout().lock());
            ExitCode::from(3)
        }
    }
}

fn run() -> io::Result<()> {
    confine::give_up_everything()?;
    let zone = std::fs::read("/etc/localtime").map_or_else(|_| Zone::utc(), |file| Zone::of(&file));
    let answer = match receive::files(io::stdin())? {
        Ok(received) => {
            confine::open_nothing_more()?;
            let password = received.password.as_ref().map(|password| password.as_slice());
            let sources: Vec<Source> = received.files.iter().map(|file| file.source(password, &zone)).collect();
            read(&sources).map_or_else(Answer::Error, Answer::Parsed)
        }
        Err(error) => Answer::Error(error),
    };
    pipe::send(&answer, io::stdout().lock())
}
