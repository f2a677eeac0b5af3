//! Scratch codes: single-use codes on paper, for the day the phone is lost.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::UnixTime;
use crate::secret::ALPHABET;

/// How many codes a new set has.
pub const SET_SIZE: usize = 10;

/// Sixteen base32 characters, 80 bits. Wiped when dropped, never printed by
/// accident: [`ScratchCode::grouped`] is the way to show one.
pub struct ScratchCode(Zeroizing<String>);

impl ScratchCode {
    /// Makes a code of 80 random bits.
    #[must_use]
    pub fn from_random(bits: &[u8; 10]) -> Self {
        Self(Zeroizing::new(base32::encode(ALPHABET, bits)))
    }

    /// Reads sixteen capitals or digits 2 to 7, without separators.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let base32 = |b: u8| matches!(b, b'A'..=b'Z' | b'2'..=b'7');
        (text.len() == 16 && text.bytes().all(base32)).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The bytes that are hashed: sixteen characters without separators.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// In groups of four, as it is printed.
    #[must_use]
    pub fn grouped(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(19));
        for (index, character) in self.0.chars().enumerate() {
            if index > 0 && index % 4 == 0 {
                text.push('-');
            }
            text.push(character);
        }
        text
    }
}

impl fmt::Debug for ScratchCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScratchCode(redacted)")
    }
}

/// What the codes of a set look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScratchKind {
    /// Our own: sixteen base32 characters, judged even at a throttled or locked door.
    Base32,
    /// Carried over from google-authenticator: eight digits, judged as a code is.
    EightDigits,
}

/// What a set's codes are hashed with. That of eight digits is a key: whoever has
/// it finds the codes by trying. Wiped when dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Salt(pub [u8; 16]);

impl Drop for Salt {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(redacted)")
    }
}

/// A scratch code's hash under its set's salt; made outside this crate.
#[derive(Clone, Copy)]
pub struct ScratchHash(pub [u8; 32]);

impl fmt::Debug for ScratchHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScratchHash(redacted)")
    }
}

/// Scratch codes that were made together, under one salt.
#[derive(Debug, Clone)]
pub struct ScratchSet {
    /// What the codes look like.
    pub kind: ScratchKind,
    /// The salt all of them share.
    pub salt: Salt,
    /// When the set was made.
    pub created: UnixTime,
    /// The codes.
    pub codes: Vec<HashedCode>,
}

/// One scratch code at rest.
#[derive(Debug, Clone)]
pub struct HashedCode {
    /// Its hash.
    pub hash: ScratchHash,
    /// When it was used; a used code stays used.
    pub used: Option<UnixTime>,
}

impl ScratchSet {
    /// How many codes are unused.
    #[must_use]
    pub fn left(&self) -> usize {
        self.codes.iter().filter(|code| code.used.is_none()).count()
    }

    /// The place of the code with this hash. Looks at every code, whether used
    /// or not, and takes as long for each.
    #[must_use]
    pub(crate) fn find(&self, hash: &ScratchHash) -> Option<usize> {
        let mut found = None;
        for (index, code) in self.codes.iter().enumerate() {
            if bool::from(code.hash.0.ct_eq(&hash.0)) {
                found = Some(index);
            }
        }
        found
    }
}
