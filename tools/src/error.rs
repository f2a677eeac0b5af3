//! Why a command did not do what was asked: what happened, and what to do.

use std::fmt;
use std::process::ExitCode;

/// What scripts see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The answer is no.
    No = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// It could not be decided: no verifier, a broken file.
    Undecided = 3,
}

/// A failure in the words of the person who reads it.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// For scripts.
    pub exit: Exit,
    /// What happened.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Failure {
    fn new(exit: Exit, what: impl fmt::Display) -> Self {
        Self { exit, what: what.to_string(), hint: None }
    }

    /// The answer is no.
    pub fn no(what: impl fmt::Display) -> Self {
        Self::new(Exit::No, what)
    }

    /// What was typed makes no sense.
    pub fn usage(what: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// It could not be decided or done.
    pub fn undecided(what: impl fmt::Display) -> Self {
        Self::new(Exit::Undecided, what)
    }

    /// Says what to do.
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
