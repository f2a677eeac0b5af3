//! HOTP (RFC 4226) and TOTP (RFC 6238).

use std::fmt;
use std::str::FromStr;

use hmac::digest::Digest;
use hmac::digest::crypto_common::{Key, KeyInit};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

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

/// The digits of the longest code.
const LONGEST: usize = 8;

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

/// The codes of one secret. HMAC's key is worked in once for all of them
/// (RFC 2104 §4), which spares half of the work of each.
pub struct Codes {
    keyed: Keyed,
    digits: Digits,
}

/// HMAC before its message.
enum Keyed {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha512(Hmac<Sha512>),
}

impl Codes {
    /// The codes of `secret`.
    #[must_use]
    pub fn new(secret: &Secret, algorithm: Algorithm, digits: Digits) -> Self {
        let key = secret.expose();
        let keyed = match algorithm {
            Algorithm::Sha1 => Keyed::Sha1(keyed::<_, Sha1>(key)),
            Algorithm::Sha256 => Keyed::Sha256(keyed::<_, Sha256>(key)),
            Algorithm::Sha512 => Keyed::Sha512(keyed::<_, Sha512>(key)),
        };
        Self { keyed, digits }
    }

    /// The code for one moving factor: an HOTP counter (RFC 4226 §5.3) or a TOTP
    /// step (RFC 6238 §4.2). The text is wiped when dropped.
    #[must_use]
    pub fn code(&self, factor: u64) -> Zeroizing<String> {
        // As long as the longest, so that it is not moved, and left behind, when it grows.
        let mut text = Zeroizing::new(String::with_capacity(LONGEST));
        text.extend(self.text(factor).iter().skip(self.unused()).copied().map(char::from));
        text
    }

    /// Whether `typed` is the code for this moving factor, in constant time.
    #[must_use]
    pub fn fits(&self, typed: &[u8], factor: u64) -> bool {
        self.text(factor)[self.unused()..].ct_eq(typed).into()
    }

    /// Whether both are the codes for this moving factor and the next; always
    /// looks at both.
    #[must_use]
    pub fn fit(&self, [first, second]: [&str; 2], factor: u64) -> bool {
        self.fits(first.as_bytes(), factor) & self.fits(second.as_bytes(), factor.saturating_add(1))
    }

    /// As many digits as the longest code has.
    fn text(&self, factor: u64) -> Zeroizing<[u8; LONGEST]> {
        #[cfg(test)]
        HASHED.with(|count| count.set(count.get() + 1));
        let mut number = match &self.keyed {
            Keyed::Sha1(keyed) => truncated(keyed, factor),
            Keyed::Sha256(keyed) => truncated(keyed, factor),
            Keyed::Sha512(keyed) => truncated(keyed, factor),
        };
        let mut text = Zeroizing::new([0; LONGEST]);
        for byte in text.iter_mut().rev() {
            *byte = b"0123456789"[(number % 10) as usize];
            number /= 10;
        }
        text
    }

    /// How many of them are not this code's.
    fn unused(&self) -> usize {
        LONGEST - usize::from(self.digits.0)
    }
}

/// HMAC with its key, which is padded to a block, and hashed where it is longer
/// (RFC 2104 §2).
fn keyed<M: Mac + KeyInit, D: Digest>(secret: &[u8]) -> M {
    let mut block = Key::<M>::default();
    if let Some(start) = block.get_mut(..secret.len()) {
        start.copy_from_slice(secret);
    } else {
        let mut hash = D::digest(secret);
        block.iter_mut().zip(&hash).for_each(|(byte, hashed)| *byte = *hashed);
        hash.as_mut_slice().zeroize();
    }
    let mac = <M as KeyInit>::new(&block);
    block.as_mut_slice().zeroize();
    mac
}

/// 31 bits of the MAC of a moving factor, those that its last four bits name
/// (RFC 4226 §5.3).
fn truncated<M: Mac + Clone>(keyed: &M, factor: u64) -> u32 {
    let mac = keyed.clone().chain_update(factor.to_be_bytes()).finalize().into_bytes();
    let offset = usize::from(mac.last().copied().unwrap_or_default() & 0xf);
    let number = mac.iter().skip(offset).take(4).fold(0, |number: u32, byte| number << 8 | u32::from(*byte));
    number & 0x7fff_ffff
}

/// The code for one moving factor; see [`Codes::code`].
#[must_use]
pub fn code(secret: &Secret, algorithm: Algorithm, digits: Digits, factor: u64) -> Zeroizing<String> {
    Codes::new(secret, algorithm, digits).code(factor)
}

#[cfg(test)]
thread_local! {
    /// Codes that this thread computed.
    pub(crate) static HASHED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}
