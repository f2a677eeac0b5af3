//! Text on the wire that must leave no copy behind.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// The longest secret text in bytes: a base32 secret of 128 bytes, or what
/// somebody typed.
pub const MAX_SECRET_TEXT: usize = 256;

/// A code, a scratch code, a base32 secret or an otpauth URI on its way. Wiped
/// when dropped, never printed. Serialised only by [`crate::frame`], whose
/// buffers are wiped too.
#[derive(PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Copies `text`, which the caller wipes. `None` when it is too long, or
    /// holds characters that JSON would have to escape: no code and no secret
    /// does, and an escaped string can't be read without a copy.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let plain = |c: char| !c.is_control() && !matches!(c, '"' | '\\');
        (text.len() <= MAX_SECRET_TEXT && text.chars().all(plain)).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// What a person typed. What can't be carried can't be a code either, and
    /// becomes the empty text, which every verifier refuses.
    #[must_use]
    pub fn typed(bytes: &[u8]) -> Self {
        std::str::from_utf8(bytes).ok().and_then(Self::new).unwrap_or_else(|| Self(Zeroizing::default()))
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(redacted)")
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowed;

        // Only `visit_borrowed_str`: everything else would mean that the
        // parser holds a copy that nobody wipes.
        impl<'de> Visitor<'de> for Borrowed {
            type Value = SecretText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text without escapes")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<SecretText, E> {
                SecretText::new(text).ok_or_else(|| E::custom("secret text too long"))
            }
        }

        deserializer.deserialize_str(Borrowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_text_comes_in() {
        assert_eq!(serde_json::from_str::<SecretText>("\"123456\"").unwrap().expose(), "123456");
        assert!(serde_json::from_str::<SecretText>("\"1234\\u00356\"").is_err(), "escapes mean a copy");
        assert!(serde_json::from_str::<SecretText>(&format!("\"{}\"", "1".repeat(257))).is_err());
        assert!(SecretText::new("a\"b").is_none());
        assert_eq!(SecretText::typed(b"12\x0034").expose(), "");
        assert_eq!(SecretText::typed(b"\xff").expose(), "");
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", SecretText::typed(b"123456")), "SecretText(redacted)");
    }
}
