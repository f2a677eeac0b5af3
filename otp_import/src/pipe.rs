//! How `oathgate` and `oathgate-import` talk.
//!
//! `oathgate-import` has a socket (SOCK_SEQPACKET) as its standard input. Each
//! message there is one file: a [`File`] as JSON, and with it the descriptors
//! of its parts (SCM_RIGHTS), opened by the caller. After the last one the
//! caller shuts its side down (a message with a password is no file), and reads one [`Answer`] as JSON from the
//! standard output. There are secrets in it: both sides wipe their buffers.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{Error, Parsed};

/// The longest message about one file, in bytes.
pub const MAX_MESSAGE: usize = 8 * 1024;
/// The longest answer, in bytes.
pub const MAX_ANSWER: usize = 256 * 1024 * 1024;
/// Bytes of memory that `oathgate-import` may have, all in all.
pub const MEMORY: u64 = 300 * 1024 * 1024;
/// Seconds of processor time that it may use.
pub const SECONDS: u64 = 20;

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// What to call it in errors.
    pub name: String,
    /// What the descriptors are that come with this message, in their order.
    pub parts: Vec<Part>,
}

/// What a descriptor stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The file itself.
    Main,
    /// A database's `-wal`.
    Wal,
    /// A database's `-shm`, for its locks only.
    Shm,
    /// A database's `-journal`.
    Journal,
    /// No file, but the password for all that are locked: what a pipe holds.
    Password,
}

/// The longest password, in bytes.
pub const MAX_PASSWORD: usize = 1024;

/// What came of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// This was found.
    Parsed(Parsed),
    /// Nothing could be read.
    Error(Error),
}

/// Writes `answer` through a buffer that never grows and is wiped.
///
/// # Errors
/// When nobody reads it.
pub fn send(answer: &Answer, to: impl Write) -> io::Result<()> {
    let mut buffer = Wiped { to, bytes: Zeroizing::new(Vec::with_capacity(Wiped::<()>::ROOM)) };
    serde_json::to_writer(&mut buffer, answer)?;
    buffer.flush()
}

/// Reads an answer. The text of an error never quotes it.
///
/// # Errors
/// When it isn't one.
pub fn receive(bytes: &[u8]) -> io::Result<Answer> {
    let broken = |error: serde_json::Error| format!("not an answer of oathgate-import (byte {})", error.column());
    serde_json::from_slice(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, broken(error)))
}

struct Wiped<W> {
    to: W,
    bytes: Zeroizing<Vec<u8>>,
}

impl<W> Wiped<W> {
    const ROOM: usize = 64 * 1024;
}

impl<W: Write> Write for Wiped<W> {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.len() == Self::ROOM {
            self.flush()?;
        }
        let fits = more.get(..Self::ROOM - self.bytes.len()).unwrap_or(more);
        self.bytes.extend_from_slice(fits);
        Ok(fits.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.write_all(&self.bytes)?;
        self.bytes.clear();
        self.to.flush()
    }
}

/// A secret as base32 text, read without a copy.
pub(crate) mod base32_text {
    use std::fmt;

    use otp_core::Secret;
    use serde::de::{self, Visitor};
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&secret.to_base32())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        struct Borrowed;

        impl<'de> Visitor<'de> for Borrowed {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("base32")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Secret, E> {
                Secret::from_base32(text).map_err(|_| E::custom("not base32"))
            }
        }

        deserializer.deserialize_str(Borrowed)
    }
}
