//! Words for credentials that another program made.

use serde::{Deserialize, Serialize};

use crate::SecretText;

/// Credentials to take over: all of them, or none.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The account they log in to.
    pub account: String,
    /// The owner; the account's own name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The SSH key they belong to; without one they count where no key is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A note for the key: its comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The credentials.
    pub credentials: Vec<Imported>,
    /// Scratch codes of eight digits, in place of those that were imported before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scratch: Vec<SecretText>,
    /// Take secrets of fewer than 80 bits.
    #[serde(default)]
    pub allow_weak: bool,
    /// So many failures (1 to 100) in so many seconds (1 to 3600) throttle the
    /// owner's doors from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<(u8, u16)>,
}

/// A credential that another program made.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Imported {
    /// The label; made from the account when left out, with a number where that is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Another text to show for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
    /// The secret, base32.
    pub secret: SecretText,
    /// `SHA1`, `SHA256` or `SHA512`.
    pub algorithm: String,
    /// 6, 7 or 8.
    pub digits: u8,
    /// What moves it.
    pub factor: ImportedFactor,
}

/// What moves an imported credential, and what of it was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ImportedFactor {
    /// RFC 4226.
    Hotp {
        /// The next counter.
        next: u64,
    },
    /// RFC 6238.
    Totp {
        /// Seconds, 1 to 120.
        period: u16,
        /// The latest step whose code was used, as the device counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_step: Option<u64>,
        /// Steps by which the device's clock is ahead.
        skew: i32,
        /// Steps before and after the present one that are accepted, 0 to 8.
        window: u8,
    },
}
