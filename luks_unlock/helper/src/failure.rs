//! Why an order was not done: what happened, and what to do.

use std::fmt;

use luks_unlock::order::Outcome;

/// A failure in the words of the person who reads it.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    what: String,
    hint: Option<String>,
    refused: bool,
}

impl Failure {
    /// What happened.
    pub fn new(what: impl fmt::Display) -> Self {
        Self { what: what.to_string(), hint: None, refused: false }
    }

    /// What was proven with is not right.
    pub fn no(what: impl fmt::Display) -> Self {
        Self { refused: true, ..Self::new(what) }
    }

    /// Says what to do.
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// For the report.
    pub fn outcome(self) -> Outcome {
        Outcome::Failed { what: self.what, hint: self.hint, refused: self.refused }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hint {
            None => f.write_str(&self.what),
            Some(hint) => write!(f, "{} ({hint})", self.what),
        }
    }
}
