//! One entry as it stands in what another program wrote.

use std::fmt;

use otp_core::uri::{KeyUri, Kind as UriKind};
use otp_core::{Digits, Period, Secret};
use serde::{Deserialize, Serialize};

use crate::{Hash, Login};

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

    /// The entry of a program whose counter is that of the code on the screen, which may be used.
    pub(crate) fn shown(mut self) -> Result<Self, String> {
        if let Kind::Hotp { stored, .. } = self.kind {
            self.kind = Kind::used(stored).ok_or("the counter is at its end")?;
        }
        Ok(self)
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
