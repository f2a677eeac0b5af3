//! Why the store could not decide.

use std::fmt;
use std::io;
use std::path::PathBuf;

use otp_core::secret::SecretError;

/// Why something could not be decided, remembered or read.
#[derive(Debug)]
pub enum Error {
    /// A file or folder is not as it must be: which, and what to do.
    Place(PathBuf, String),
    /// A file could not be read or written.
    Io(PathBuf, io::Error),
    /// SQLite says no.
    Sqlite(rusqlite::Error),
    /// The file is not one of our stores.
    Foreign(PathBuf),
    /// The store was written by a newer program: its schema.
    Newer(u32),
    /// A record can't be read, or is not what was written.
    Damaged(&'static str),
    /// No sealing key of this number.
    NoKey(u32),
    /// Another owner has this key, account or credential id already.
    Taken,
    /// A bulk is in the way: how.
    Bulk(&'static str),
    /// The same request id came with another request.
    Reused,
    /// A verifier has the store open.
    InUse,
    /// The kernel gives no random numbers.
    Random,
    /// Decided, but not remembered, so it doesn't count: why.
    NotKept(String),
    /// The store is shutting down, or its thread ended.
    Closed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(path, what) => write!(f, "{}: {what}", path.display()),
            Self::Io(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Sqlite(why) => write!(f, "store: {why}"),
            Self::Foreign(path) => write!(f, "{}: not a store of oathgate", path.display()),
            Self::Newer(schema) => write!(f, "the store has schema {schema}, which is newer than this program"),
            Self::Damaged(what) => write!(f, "the store is damaged: {what}"),
            Self::NoKey(number) => write!(f, "sealing key {number} is missing"),
            Self::Taken => {
                f.write_str("this key, or logins without a key, belong to another owner of the account already")
            }
            Self::Bulk(why) => f.write_str(why),
            Self::Reused => f.write_str("the request id was used for another request"),
            Self::InUse => f.write_str("a verifier is using the store; stop it first"),
            Self::NotKept(why) => write!(f, "nothing could be remembered: {why}"),
            Self::Random => f.write_str("no random numbers from the kernel"),
            Self::Closed => f.write_str("the store is closed"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(_, why) => Some(why),
            Self::Sqlite(why) => Some(why),
            _ => None,
        }
    }
}

impl From<SecretError> for Error {
    fn from(_: SecretError) -> Self {
        Self::Damaged("a sealed secret has no usable length")
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ConstraintViolation) => Self::Taken,
            _ => Self::Sqlite(error),
        }
    }
}
