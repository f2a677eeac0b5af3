//! HOTP (RFC 4226) and TOTP (RFC 6238).

use std::fmt;
use std::str::FromStr;

use sha1::Sha1;
use sha2::{Sha256, Sha512};
use totp_lite::totp_custom;
use zeroize::Zeroizing;

use crate::{Secret, UnixTime};

/// The hash under the HMAC (RFC 6238 §1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// HMAC-SHA-1, what nearly every authenticator does.
    #[default]
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

impl Algorithm {
    /// The name in otpauth URIs, in the store and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A value outside what a credential may have; the text says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfRange(pub &'static str);

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for OutOfRange {}

impl FromStr for Algorithm {
    type Err = OutOfRange;

    /// Accepts `SHA1`, `sha-256`, `HmacSHA512` and the like.
    fn from_str(text: &str) -> Result<Self, OutOfRange> {
        let plain = text.to_ascii_uppercase().replace(['-', '_'], "");
        match plain.strip_prefix("HMAC").unwrap_or(&plain) {
            "SHA1" => Ok(Self::Sha1),
            "SHA256" => Ok(Self::Sha256),
            "SHA512" => Ok(Self::Sha512),
            _ => Err(OutOfRange("the algorithm is SHA1, SHA256 or SHA512")),
        }
    }
}

/// How many digits a code has: 6, 7 or 8 (RFC 4226 §5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digits(u8);

impl Digits {
    /// Six digits, the default everywhere.
    pub const SIX: Self = Self(6);

    /// # Errors
    /// When `digits` is not 6, 7 or 8.
    pub fn new(digits: u8) -> Result<Self, OutOfRange> {
        match digits {
            6..=8 => Ok(Self(digits)),
            _ => Err(OutOfRange("a code has 6, 7 or 8 digits")),
        }
    }

    /// The number of digits.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

/// The length of a time step in seconds, 1 to 120 (RFC 6238 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period(u16);

impl Period {
    /// 30 seconds, the default everywhere.
    pub const DEFAULT: Self = Self(30);

    /// # Errors
    /// When `seconds` is not within 1 to 120.
    pub fn new(seconds: u16) -> Result<Self, OutOfRange> {
        match seconds {
            1..=120 => Ok(Self(seconds)),
            _ => Err(OutOfRange("the period is 1 to 120 seconds")),
        }
    }

    /// Seconds.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }

    /// The time step that `time` falls into (RFC 6238 §4.2 T).
    #[must_use]
    pub fn step(self, time: UnixTime) -> u64 {
        time / u64::from(self.0)
    }

    /// Seconds from `time` to the beginning of the next step, at least 1.
    #[must_use]
    pub fn until_next(self, time: UnixTime) -> u64 {
        let period = u64::from(self.0);
        period - time % period
    }
}

/// The code for one moving factor: an HOTP counter (RFC 4226 §5.3) or a TOTP
/// step (RFC 6238 §4.2). The text is wiped when dropped.
#[must_use]
pub fn code(secret: &Secret, algorithm: Algorithm, digits: Digits, factor: u64) -> Zeroizing<String> {
    #[cfg(test)]
    HASHED.with(|count| count.set(count.get() + 1));
    let (key, digits) = (secret.expose(), u32::from(digits.0));
    // A step of one second makes the time itself the moving factor.
    Zeroizing::new(match algorithm {
        Algorithm::Sha1 => totp_custom::<Sha1>(1, digits, key, factor),
        Algorithm::Sha256 => totp_custom::<Sha256>(1, digits, key, factor),
        Algorithm::Sha512 => totp_custom::<Sha512>(1, digits, key, factor),
    })
}

#[cfg(test)]
thread_local! {
    /// Codes that this thread computed.
    pub(crate) static HASHED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}
