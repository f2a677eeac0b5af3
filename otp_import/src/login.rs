//! What another verifier knew beside the secret.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// What a verifier's file says beside the secret.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The login name it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What is asked for beside the code.
    #[serde(default)]
    pub pin: Pin,
    /// How many codes count at once: google-authenticator's WINDOW_SIZE, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u8>,
    /// Steps by which the device's clock is ahead.
    #[serde(default)]
    pub skew: i32,
    /// Steps whose codes were used, as the device counts them.
    #[serde(default)]
    pub used: Vec<u64>,
    /// So many attempts in so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<(u16, u16)>,
    /// Whether a used code is refused.
    #[serde(default)]
    pub refuses_reuse: bool,
    /// Scratch codes that are unused.
    #[serde(default)]
    pub scratch: Vec<EightDigits>,
    /// Lines that mean nothing here, to be written back as they are.
    #[serde(default)]
    pub other: Vec<String>,
}

/// The PIN of a `users.oath` row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pin {
    /// None.
    #[default]
    None,
    /// Checked by another module.
    Elsewhere,
    /// A PIN in clear; it is not carried on.
    Literal,
}

/// A scratch code of google-authenticator, 10000000 to 99999999. Wiped when
/// dropped, never printed by accident.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EightDigits(u32);

impl EightDigits {
    /// Reads exactly eight digits without a leading zero.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 8 && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok().map(Self)).flatten()
    }

    /// The number. Each use of this name is a place to review.
    #[must_use]
    pub fn expose(&self) -> u32 {
        self.0
    }
}

impl Drop for EightDigits {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for EightDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EightDigits(redacted)")
    }
}
