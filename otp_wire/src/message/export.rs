//! Words for credentials that leave the store with their secrets.

use serde::{Deserialize, Serialize};

use super::{EntryRow, ImportedFactor};
use crate::SecretText;

/// Credentials of one owner: all of them, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// The account from whose side they are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Ids or labels.
    pub credentials: Vec<String>,
}

/// A credential with its secret.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    /// The owner.
    pub owner: String,
    /// Its id.
    pub credential: String,
    /// Its label.
    pub label: String,
    /// Another text to show for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
    /// What to call the host in an authenticator.
    pub issuer: String,
    /// The secret, base32.
    pub secret: SecretText,
    /// `SHA1`, `SHA256` or `SHA512`.
    pub algorithm: String,
    /// Digits of a code.
    pub digits: u8,
    /// What moves it, and what of it was used.
    pub factor: ImportedFactor,
    /// Whether codes of the future were used too, while the clock was wrong.
    pub barred: bool,
    /// Where it counts.
    pub entries: Vec<EntryRow>,
    /// Scratch codes of the owner that are unused; they are kept as hashes, and stay.
    pub scratch_left: usize,
    /// So many failures in so many seconds throttle the owner's doors.
    pub rate: (u8, u16),
}
