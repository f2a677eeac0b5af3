//! Who may ask?
//!
//! `oathgated` owns the secrets; every front end only asks it. It runs as a
//! service behind two sockets ([`listen`]), or is started for one request
//! ([`stdio`]). [`access`] is the table of who may ask what; [`service`] looks
//! a request up there and hands it to [`login`], [`resync`],
//! [`change`] or [`report`].

#![forbid(unsafe_code)]

pub mod access;
pub mod account;
pub mod arguments;
pub mod boot;
pub mod bulk;
pub mod change;
pub mod checked;
pub mod config;
pub mod delegate;
pub mod disk;
pub mod enrol;
pub mod export;
pub mod harden;
pub mod import;
pub mod journal;
pub mod lines;
pub mod listen;
pub mod login;
pub mod report;
pub mod resync;
pub mod scratch;
pub mod scratch_add;
pub mod service;
pub mod start;
pub mod stdio;
mod transaction;
pub mod upkeep;

use std::fmt;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Parser;
use otp_core::UnixTime;

/// Runs the program.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    match start::start(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            otp_wire::syslog::authpriv("oathgated", &failure.to_string());
            ExitCode::from(3)
        }
    }
}

/// Why the program can't start or go on; text for people.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// A failure at doing `what`.
    pub fn at(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<otp_store::Error> for Failure {
    fn from(error: otp_store::Error) -> Self {
        Self(error.to_string())
    }
}

/// The verifier's clock, read here and nowhere else.
#[must_use]
pub fn now() -> UnixTime {
    #[allow(clippy::disallowed_methods)] // the front door: everything behind it gets the time as a parameter
    let now = SystemTime::now();
    now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
