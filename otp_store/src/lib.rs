//! What do we remember?
//!
//! [`Store`] has one primitive: a pure function, run in one durable
//! transaction over one owner's record. [`sqlite::SqliteStore`] is the store
//! on one host; secrets in it are sealed ([`sealing`]), scratch codes hashed
//! ([`scratch_hash`]), and each record carries a MAC, so that a damaged or
//! swapped row is noticed.

#![forbid(unsafe_code)]

pub mod bulk;
mod codec;
pub mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod nobody;
pub mod place;
mod reserve;
pub mod scratch_hash;
pub mod sealing;
pub mod sqlite;

use otp_core::{Account, CredentialId, Fingerprint, Limits, Owner, Record, UnixTime};

pub use bulk::{Arrival, Bulk, Fate, Newcomer};
pub use error::Error;
pub use reserve::RESERVE;
pub use sealing::SealingKeys;
pub use sqlite::backup::{Restored, backup, restore};
pub use sqlite::{Journal, SqliteStore};

/// For so many seconds a request that is repeated gets the same answer.
pub const REPEAT_SECONDS: u64 = 10;

/// A store of records.
pub trait Store: Send + Sync {
    /// Runs a change in one transaction and returns when it is durable.
    ///
    /// # Errors
    /// [`Error`] when nothing was decided; then nothing was changed either, or
    /// it isn't known: both mean a refusal.
    fn transact(&self, transaction: Transaction) -> Result<Answered, Error>;

    /// The same without waiting: `then` is called when the change is durable or
    /// failed, on a thread that everybody else's answers wait for.
    ///
    /// # Errors
    /// When the store is closed; `then` is not called.
    fn submit(&self, transaction: Transaction, then: Then) -> Result<(), Error>;

    /// Begins to take in many people, who count all at once or never.
    ///
    /// # Errors
    /// When another bulk is under way, or the disk has no room for one.
    fn bulk(&self) -> Result<Box<dyn Bulk + '_>, Error>;

    /// Whose entry `account` with `key` (or without one) is.
    ///
    /// # Errors
    /// When the store can't be read.
    fn owner_of(&self, account: &Account, key: Option<&Fingerprint>) -> Result<Option<Owner>, Error>;

    /// To whose record a login leads.
    ///
    /// # Errors
    /// When the store can't be read.
    fn owner_of_login(&self, login: &Login) -> Result<Option<Owner>, Error>;

    /// Whose credential this is.
    ///
    /// # Errors
    /// When the store can't be read.
    fn owner_of_credential(&self, id: &CredentialId) -> Result<Option<Owner>, Error>;

    /// The owners with entries in `account`, or all of them, in order of their names.
    ///
    /// # Errors
    /// When the store can't be read.
    fn owners(&self, account: Option<&Account>) -> Result<Vec<Owner>, Error>;

    /// At most `limit` such owners, whose names come after `after`.
    ///
    /// # Errors
    /// When the store can't be read.
    fn owners_after(&self, account: Option<&Account>, after: Option<&Owner>, limit: usize)
    -> Result<Vec<Owner>, Error>;

    /// Whether anybody has an entry in `account`, or had one.
    ///
    /// # Errors
    /// When the store can't be read.
    fn knows(&self, account: &Account) -> Result<bool, Error>;

    /// The record of `owner` as it is now.
    ///
    /// # Errors
    /// When the store can't be read, or the record is damaged.
    fn read(&self, owner: &Owner) -> Result<Option<Record>, Error>;

    /// Audit rows, newest first.
    ///
    /// # Errors
    /// When the store can't be read.
    fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditRow>, Error>;

    /// When codes of a credential were accepted, by the audit: last up to
    /// `now`, and first after it.
    ///
    /// # Errors
    /// When the store can't be read.
    fn accepted(&self, owner: &Owner, id: &CredentialId, now: UnixTime) -> Result<Acceptances, Error>;

    /// What there is to say about the store.
    ///
    /// # Errors
    /// When the store can't be read.
    fn report(&self, limits: Limits, now: UnixTime) -> Result<Report, Error>;
}

/// The last acceptance up to some time, and the first one after it.
pub type Acceptances = (Option<UnixTime>, Option<UnixTime>);

/// One request's change to one owner's record.
pub struct Transaction {
    /// The request, so that asking again gets the same answer.
    pub mark: Mark,
    /// Whose record.
    pub whose: Whose,
    /// The verifier's clock.
    pub now: UnixTime,
    /// The change itself. It may run again only if it never ran to its end.
    pub change: Judge,
}

/// A change: from the record, if there is one, to what it leads to.
pub type Judge = Box<dyn FnOnce(Option<Record>) -> Change + Send>;

/// What is done with an answer. It is only lent: it goes back to be freed by the
/// thread that made it, which would wait for its own memory while others free it.
pub type Then = Box<dyn FnOnce(&Result<Answered, Error>) + Send>;

/// Whose record a change is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// This owner's.
    Owner(Owner),
    /// That of the owner to whom the login leads. Where it leads to nobody, the
    /// change gets no record, and a record of nobody's is read and written in
    /// its stead: the same work.
    Login(Login),
}

/// A login, by what leads to an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The account; [`Account::nobody`] for one that doesn't exist.
    pub account: Account,
    /// The keys that were used. Each leads to its own entry's owner or, where it
    /// has none, to that of the entry without a key; all must lead to one.
    pub keys: Vec<Fingerprint>,
}

/// Identifies a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The request's 128 random bits.
    pub id: [u8; 16],
    /// The uid that asks.
    pub uid: u32,
    /// [`SealingKeys::mark`] of the whole request.
    pub digest: [u8; 32],
}

/// What a change leads to.
pub struct Change {
    /// The record to keep; `None` leaves it as it was.
    pub record: Option<Record>,
    /// What to write into the audit.
    pub audit: Vec<AuditRow>,
    /// The answer to remember; holds no secret.
    pub answer: Vec<u8>,
}

/// How a request was answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Answered {
    /// Its change was made.
    Now {
        /// What was written into the audit.
        audit: Vec<AuditRow>,
        /// The answer, as it is remembered.
        answer: Vec<u8>,
    },
    /// It was asked before; this was the answer.
    Before(Vec<u8>),
}

/// One row of the audit. Texts are bounded and free of control characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number; set by the store.
    pub id: i64,
    /// When.
    pub at: UnixTime,
    /// `accept`, `refuse` or `change`.
    pub verdict: &'static str,
    /// Why, or what.
    pub reason: String,
    /// The account.
    pub account: String,
    /// The owner.
    pub owner: String,
    /// The service.
    pub service: String,
    /// The key.
    pub key: String,
    /// The address.
    pub address: String,
    /// The terminal.
    pub tty: String,
    /// The uid that asked.
    pub peer: u32,
    /// Whether service, key, address and terminal are claims of that uid.
    pub claimed: bool,
    /// How many refusals of one minute this row stands for; set by the store.
    pub count: u64,
    /// When the last of them was, where there are several; set by the store.
    pub until: Option<UnixTime>,
}

impl AuditRow {
    /// Whether it is counted where it repeats another one: a refusal, and one who
    /// says of themselves that they come in without a code, as often as they say it.
    #[must_use]
    pub fn may_repeat(&self) -> bool {
        self.verdict == "refuse" || (self.claimed && ["grant", "policy none"].contains(&self.reason.as_str()))
    }
}

/// Which audit rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only this account.
    pub account: Option<String>,
    /// Only this key.
    pub key: Option<String>,
    /// Only this verdict.
    pub verdict: Option<String>,
    /// Only since then.
    pub since: Option<UnixTime>,
    /// At most so many.
    pub limit: u32,
}

/// What there is to say about a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Version of the schema.
    pub schema: u32,
    /// Bytes on disk.
    pub bytes: u64,
    /// Owners.
    pub owners: u64,
    /// Entries.
    pub entries: u64,
    /// Audit rows.
    pub audit: u64,
    /// Doors that are locked.
    pub locked: u64,
    /// Credentials whose last accepted step lies in the future.
    pub ahead: u64,
    /// Records that an older sealing key than the newest is needed for.
    pub older_key: u64,
    /// Bytes that are kept for a full disk.
    pub reserve: u64,
}
