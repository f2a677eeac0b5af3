//! The one type for OATH secrets.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// The longest secret in bytes that anything here accepts.
pub const MAX_SECRET: usize = 128;

/// The shared secret of a credential (RFC 4226 §5.1 K): wiped when dropped,
/// never printed, never cloned.
pub struct Secret(Box<[u8]>);

/// Why bytes or text are not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretError {
    /// No bytes at all.
    Empty,
    /// More than [`MAX_SECRET`] bytes.
    TooLong,
    /// A character outside the base32 alphabet.
    NotBase32,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the secret is empty",
            Self::TooLong => "the secret is longer than 128 bytes",
            Self::NotBase32 => "the secret is not base32 (A-Z and 2-7)",
        })
    }
}

impl std::error::Error for SecretError {}

impl Secret {
    /// Makes a secret of `len` bytes, filled in place by `fill`, so that no
    /// copy is left behind.
    ///
    /// # Errors
    /// When `len` is 0 or above [`MAX_SECRET`], or with `fill`'s own error.
    pub fn fill<E: From<SecretError>>(len: usize, fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        if len == 0 {
            return Err(SecretError::Empty.into());
        }
        if len > MAX_SECRET {
            return Err(SecretError::TooLong.into());
        }
        let mut secret = Self(vec![0; len].into_boxed_slice());
        fill(&mut secret.0)?;
        Ok(secret)
    }

    /// Copies `bytes`, which the caller wipes.
    ///
    /// # Errors
    /// When `bytes` is empty or longer than [`MAX_SECRET`].
    pub fn copy(bytes: &[u8]) -> Result<Self, SecretError> {
        Self::fill(bytes.len(), |place| {
            place.copy_from_slice(bytes);
            Ok(())
        })
    }

    /// Reads base32 the way authenticators show it: any case, with spaces,
    /// dashes and padding; bits that fill no byte are dropped.
    ///
    /// # Errors
    /// See [`SecretError`].
    pub fn from_base32(text: &str) -> Result<Self, SecretError> {
        // 8 characters carry 5 bytes; separators are counted generously.
        if text.len() > MAX_SECRET * 4 {
            return Err(SecretError::TooLong);
        }
        let mut clean = Zeroizing::new(String::with_capacity(text.len()));
        for character in text.trim().trim_end_matches('=').chars() {
            match character {
                ' ' | '-' => {}
                'a'..='z' | 'A'..='Z' | '2'..='7' => clean.push(character.to_ascii_uppercase()),
                _ => return Err(SecretError::NotBase32),
            }
        }
        let decoded = base32::decode(ALPHABET, &clean).ok_or(SecretError::NotBase32)?;
        Self::copy(&Zeroizing::new(decoded))
    }

    /// Base32 in capitals without padding, in a buffer that is wiped.
    #[must_use]
    pub fn to_base32(&self) -> Zeroizing<String> {
        Zeroizing::new(base32::encode(ALPHABET, &self.0))
    }

    /// The bytes themselves. Each use of this name is a place to review.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Length in bits.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.0.len() * 8
    }
}

/// RFC 4648 base32 as authenticators use it: no padding.
pub(crate) const ALPHABET: base32::Alphabet = base32::Alphabet::Rfc4648 { padding: false };

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_read_as_people_write_it() {
        let plain = Secret::from_base32("JBSWY3DPEHPK3PXP").unwrap();
        assert_eq!(plain.expose(), b"Hello!\xde\xad\xbe\xef");
        for text in ["jbsw y3dp ehpk 3pxp", "JBSW-Y3DP-EHPK-3PXP", " JBSWY3DPEHPK3PXP=== "] {
            assert_eq!(Secret::from_base32(text).unwrap(), plain, "{text}");
        }
        assert_eq!(plain.to_base32().as_str(), "JBSWY3DPEHPK3PXP");
    }

    #[test]
    fn odd_lengths_lose_only_the_bits_that_fill_no_byte() {
        assert_eq!(Secret::from_base32("ABC").unwrap().expose(), [0]);
        assert_eq!(Secret::from_base32(&"7".repeat(17)).unwrap(), Secret::from_base32(&"7".repeat(16)).unwrap());
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(Secret::from_base32("").unwrap_err(), SecretError::Empty);
        assert_eq!(Secret::from_base32("A").unwrap_err(), SecretError::Empty);
        assert_eq!(Secret::from_base32("ABC1").unwrap_err(), SecretError::NotBase32);
        assert_eq!(Secret::from_base32("AB\0C").unwrap_err(), SecretError::NotBase32);
        assert_eq!(Secret::from_base32(&"A".repeat(1000)).unwrap_err(), SecretError::TooLong);
        assert_eq!(Secret::copy(&[1; 129]).unwrap_err(), SecretError::TooLong);
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::copy(b"top secret").unwrap()), "Secret(redacted)");
    }
}
