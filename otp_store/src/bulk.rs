//! Many people at once: written slice by slice, and all let in by one small
//! commit, or none of them.

use otp_core::{Owner, Record};

use crate::{AuditRow, Error};

/// People that come in at once, at most, by a [`Bulk`].
pub const MAX_BULK: u32 = 1 << 20;

/// People who are coming in. None of them counts before [`Bulk::admit`]; where
/// that is never called, or fails, nothing of them stays.
pub trait Bulk {
    /// Takes a slice of them, and says what becomes of each.
    ///
    /// # Errors
    /// When they can't be remembered, or there are more than [`MAX_BULK`]: then
    /// the whole bulk is over.
    fn add(&mut self, people: Vec<Newcomer>) -> Result<Vec<Fate>, Error>;

    /// Lets in all that were [`Fate::Taken`], in one transaction with this row
    /// of the audit.
    ///
    /// # Errors
    /// When it can't be remembered, or a record was changed meanwhile in such a
    /// way that somebody no longer fits: nobody comes in then.
    fn admit(self: Box<Self>, row: AuditRow) -> Result<(), Error>;
}

/// Somebody who is to come in.
pub struct Newcomer {
    /// Who.
    pub owner: Owner,
    /// What becomes of the record, if there is one. Asked twice of those who
    /// have one: when they are added, and when all are let in.
    pub judge: Box<dyn Fn(Option<Record>) -> Judged + Send>,
}

/// The record to keep; none where nothing is to be changed; or why not.
pub type Judged = Result<Option<Arrival>, String>;

/// The record to keep of somebody, with the audit's rows about it.
pub struct Arrival {
    /// The record.
    pub record: Record,
    /// The rows.
    pub audit: Vec<AuditRow>,
}

/// What becomes of a [`Newcomer`].
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// Comes in with the others.
    Taken,
    /// Has all of it already: nothing is changed.
    Known,
    /// Can't come in: why.
    Refused(String),
}
