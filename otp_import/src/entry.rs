//! One entry as it stands in what another program wrote.

use std::fmt;
use std::str::FromStr;

use otp_core::uri::{KeyUri, Kind as UriKind};
use otp_core::{Algorithm, Digits, Period, Secret};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// Fewer bits than this are used for a login only where somebody insists.
pub const MIN_BITS: usize = 80;

/// What another program wrote about one secret, whether a login can use it or not.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Who issued it, or empty.
    pub issuer: String,
    /// Whose it is, or empty.
    pub name: String,
    /// The kind of code and what moves it.
    pub kind: Kind,
    /// The secret.
    #[serde(with = "crate::pipe::base32_text")]
    pub secret: Secret,
    /// The hash under the HMAC.
    pub algorithm: Hash,
    /// Digits of a code, 1 to 10.
    pub digits: u8,
    /// What only another verifier's file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Box<Login>>,
}

/// The kind of code, with what moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Kind {
    /// RFC 6238.
    Totp {
        /// Seconds of a step, at least 1.
        period: u32,
    },
    /// RFC 4226.
    Hotp {
        /// The counter as the file has it.
        stored: u64,
        /// The counter that a verifier must expect next: no used code is at it or after it.
        next: u64,
    },
    /// Steam's five letters.
    Steam {
        /// Seconds of a step, at least 1.
        period: u32,
    },
}

impl Kind {
    /// HOTP of a program that stores the counter it used last, or shows now.
    #[must_use]
    pub fn used(stored: u64) -> Option<Self> {
        stored.checked_add(1).map(|next| Self::Hotp { stored, next })
    }

    /// The kind as JSON has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Totp { .. } => "totp",
            Self::Hotp { .. } => "hotp",
            Self::Steam { .. } => "steam",
        }
    }

    /// Seconds of a step, where time moves the code.
    #[must_use]
    pub fn period(self) -> Option<u32> {
        match self {
            Self::Totp { period } | Self::Steam { period } => Some(period),
            Self::Hotp { .. } => None,
        }
    }
}

/// The hash under the HMAC, of those that some program writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)] // their names say it
pub enum Hash {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// Its name in URIs and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA1",
            Self::Sha224 => "SHA224",
            Self::Sha256 => "SHA256",
            Self::Sha384 => "SHA384",
            Self::Sha512 => "SHA512",
        }
    }

    /// The algorithm of our own, where a login can use it.
    #[must_use]
    pub fn algorithm(self) -> Option<Algorithm> {
        match self {
            Self::Sha1 => Some(Algorithm::Sha1),
            Self::Sha256 => Some(Algorithm::Sha256),
            Self::Sha512 => Some(Algorithm::Sha512),
            Self::Md5 | Self::Sha224 | Self::Sha384 => None,
        }
    }
}

impl From<Algorithm> for Hash {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha1 => Self::Sha1,
            Algorithm::Sha256 => Self::Sha256,
            Algorithm::Sha512 => Self::Sha512,
        }
    }
}

/// A name that no hash here has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownHash;

impl fmt::Display for UnknownHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown algorithm")
    }
}

impl std::error::Error for UnknownHash {}

impl FromStr for Hash {
    type Err = UnknownHash;

    /// Accepts `SHA1`, `sha-256`, `HmacSHA512` and the like.
    fn from_str(text: &str) -> Result<Self, UnknownHash> {
        let plain = text.to_ascii_uppercase().replace(['-', '_'], "");
        match plain.strip_prefix("HMAC").unwrap_or(&plain) {
            "MD5" => Ok(Self::Md5),
            "SHA224" => Ok(Self::Sha224),
            "SHA384" => Ok(Self::Sha384),
            _ => text.parse::<Algorithm>().map(Self::from).map_err(|_| UnknownHash),
        }
    }
}

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

/// Why an entry is not for a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// Steam's codes are letters.
    Steam,
    /// Codes of so many digits.
    Digits(u8),
    /// A step of so many seconds.
    Period(u32),
    /// This hash.
    Hash(Hash),
    /// A counter at its very end.
    Counter,
    /// A secret of so few bits; somebody may insist.
    Weak(usize),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steam => f.write_str("Steam's codes are letters; a login takes digits"),
            Self::Digits(digits) => write!(f, "codes of {digits} digits; a login takes 6 to 8"),
            Self::Period(period) => write!(f, "a period of {period} s; a login takes 1 to 120 s"),
            Self::Hash(hash) => write!(f, "algorithm {}; a login takes SHA1, SHA256 or SHA512", hash.name()),
            Self::Counter => f.write_str("the counter is at its end"),
            Self::Weak(bits) => {
                write!(f, "a secret of {bits} bits; fewer than {MIN_BITS} only with --allow-weak")
            }
        }
    }
}

impl Entry {
    /// An entry as most programs know them: SHA-1 and six digits.
    #[must_use]
    pub fn new(kind: Kind, secret: Secret) -> Self {
        let (issuer, name) = (String::new(), String::new());
        Self { issuer, name, kind, secret, algorithm: Hash::Sha1, digits: 6, login: None }
    }

    /// What a URI says.
    #[must_use]
    pub fn from_uri(uri: KeyUri) -> Self {
        let kind = match uri.kind {
            UriKind::Totp { period } => Kind::Totp { period },
            UriKind::Steam { period } => Kind::Steam { period },
            // A URI is for enrolment: its counter is the next one.
            UriKind::Hotp { counter } => Kind::Hotp { stored: counter, next: counter },
        };
        let (algorithm, digits) = (uri.algorithm.into(), uri.digits);
        Self { issuer: uri.issuer, name: uri.name, kind, secret: uri.secret, algorithm, digits, login: None }
    }

    /// Why a login can't use it, the graver reason first.
    #[must_use]
    pub fn obstacle(&self) -> Option<Obstacle> {
        match self.kind {
            Kind::Steam { .. } => return Some(Obstacle::Steam),
            Kind::Totp { period } if u16::try_from(period).is_ok_and(|period| Period::new(period).is_ok()) => {}
            Kind::Totp { period } => return Some(Obstacle::Period(period)),
            Kind::Hotp { next: u64::MAX, .. } => return Some(Obstacle::Counter),
            Kind::Hotp { .. } => {}
        }
        if Digits::new(self.digits).is_err() {
            return Some(Obstacle::Digits(self.digits));
        }
        if self.algorithm.algorithm().is_none() {
            return Some(Obstacle::Hash(self.algorithm));
        }
        (self.secret.bits() < MIN_BITS).then(|| Obstacle::Weak(self.secret.bits()))
    }

    /// How a person would name it.
    #[must_use]
    pub fn title(&self) -> String {
        match (self.issuer.as_str(), self.name.as_str()) {
            ("", "") => "(no name)".to_owned(),
            ("", name) => name.to_owned(),
            (issuer, "") => issuer.to_owned(),
            (issuer, name) => format!("{issuer}:{name}"),
        }
    }

    /// Sets issuer and name from the two fields in which Google Authenticator
    /// keeps them: the issuer's own field wins, the prefix leaves the name.
    pub(crate) fn set_label(&mut self, issuer: &str, label: &str) {
        let (prefix, name) = match label.split_once(':') {
            Some((prefix, name)) if !prefix.trim().is_empty() => (prefix.trim(), name.trim()),
            _ => ("", label.trim()),
        };
        let issuer = if issuer.trim().is_empty() { prefix } else { issuer.trim() };
        (self.issuer, self.name) = (issuer.to_owned(), name.to_owned());
    }
}
