//! The hash under the HMAC: more than a login can use.

use std::fmt;
use std::str::FromStr;

use otp_core::Algorithm;
use serde::{Deserialize, Serialize};

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
