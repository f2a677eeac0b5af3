//! Words for a bulk: many people, who come in all at once or not at all.
//!
//! A bulk is a conversation on one connection. [`super::Ask::Bulk`] is answered
//! by [`super::Outcome::Staged`]; then each line of the asker is a [`More`], and
//! each is answered. Whoever hangs up before [`More::Admit`] is answered by
//! [`super::Outcome::Done`] has brought in nobody.

use serde::{Deserialize, Serialize};

use super::Import;

/// The longest line of a bulk in bytes, its line break included.
pub const MAX_LINE: usize = 256 * 1024;
/// People in one line at most, and credentials in it.
pub const MAX_PEOPLE: usize = 256;

/// Begins a bulk.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bulk {}

/// What the asker says next.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum More {
    /// These people. [`super::Outcome::Staged`] names those who can't come in.
    People(Vec<Import>),
    /// That was all: let them in. [`super::Outcome::Done`].
    Admit {},
}

/// Somebody who doesn't come in with the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotTaken {
    /// The account, as it was named.
    pub account: String,
    /// Whether all of it is enrolled already, so that nothing is missing.
    pub known: bool,
    /// For the person.
    pub reason: String,
}
