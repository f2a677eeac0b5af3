//! What JSON has as text: names in their own words, bytes in base64. Read and
//! written where they stand, without a copy in between.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use otp_core::record::Proof;
use otp_core::secret::MAX_SECRET;
use otp_core::{Account, Algorithm, CredentialId, Fingerprint, Label};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sealing::{NONCE, TAG};

/// A value that is written as a text of its own.
pub(super) trait Word: fmt::Display + Clone {
    /// Reads what was written.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! words {
    ($($word:ty),*) => {
        $(impl Word for $word {
            fn read(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        })*
    };
}

words!(CredentialId, Fingerprint, Label, Proof);

impl Word for Algorithm {
    fn read(text: &str) -> Option<Self> {
        [Self::Sha1, Self::Sha256, Self::Sha512].into_iter().find(|algorithm| algorithm.name() == text)
    }
}

impl Word for Account {
    fn read(text: &str) -> Option<Self> {
        Self::stored(text).ok()
    }
}

/// A value in its own words: borrowed to be written, owned when it was read.
pub(super) struct Text<'a, T: Word>(Cow<'a, T>);

impl<'a, T: Word> Text<'a, T> {
    pub(super) fn of(value: &'a T) -> Self {
        Self(Cow::Borrowed(value))
    }

    pub(super) fn value(self) -> T {
        self.0.into_owned()
    }
}

impl<T: Word> Serialize for Text<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: Word> Deserialize<'de> for Text<'_, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = |text: &str| T::read(text).map(|value| Self(Cow::Owned(value)));
        deserializer.deserialize_str(Reader("a value in its own words", read, PhantomData))
    }
}

/// Bytes in base64 (RFC 4648 §4), padded. None of them are secret: what is, is
/// sealed or hashed. `T` is an array, or a vector of [`MAX_BYTES`] at most.
pub(super) struct Base64<T>(pub T);

/// A sealed secret is the longest of all.
const MAX_BYTES: usize = NONCE + MAX_SECRET + TAG;

impl<T: AsRef<[u8]>> Serialize for Base64<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; MAX_BYTES.div_ceil(3) * 4];
        let length = BASE64_STANDARD.encode_slice(&self.0, &mut text).map_err(serde::ser::Error::custom)?;
        let text = text.get(..length).and_then(|text| std::str::from_utf8(text).ok());
        serializer.serialize_str(text.unwrap_or_default())
    }
}

impl<'de, T: for<'a> TryFrom<&'a [u8]>> Deserialize<'de> for Base64<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = |text: &str| {
            let mut bytes = [0; MAX_BYTES];
            let length = BASE64_STANDARD.decode_slice(text, &mut bytes).ok()?;
            T::try_from(bytes.get(..length)?).ok().map(Self)
        };
        deserializer.deserialize_str(Reader("bytes in base64", read, PhantomData))
    }
}

/// Reads a text as it stands in JSON.
struct Reader<T, F>(&'static str, F, PhantomData<T>);

impl<T, F: Fn(&str) -> Option<T>> Visitor<'_> for Reader<T, F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        // Whatever was wrong with it, the error doesn't repeat it.
        (self.1)(text).ok_or_else(|| E::custom(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_text_only() {
        let text = serde_json::to_string(&Base64([0xff; 16])).unwrap();
        assert_eq!(text, "\"/////////////////////w==\"");
        assert_eq!(serde_json::from_str::<Base64<[u8; 16]>>(&text).unwrap().0, [0xff; 16]);
        for bad in
            ["/////////////////////w", "/////////////////////x==", "/////////////////w==", "___________________w==", ""]
        {
            assert!(serde_json::from_str::<Base64<[u8; 16]>>(&format!("{bad:?}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_longest_sealed_secret_has_room_and_nothing_longer() {
        let bytes = vec![7; MAX_BYTES];
        let text = serde_json::to_string(&Base64(&bytes)).unwrap();
        assert_eq!(serde_json::from_str::<Base64<Vec<u8>>>(&text).unwrap().0, bytes);
        assert!(serde_json::to_string(&Base64(vec![7; MAX_BYTES + 3])).is_err());
        let longer = format!("\"{}\"", "BwcH".repeat(MAX_BYTES / 3 + 1));
        assert!(serde_json::from_str::<Base64<Vec<u8>>>(&longer).is_err());
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        let account = Account::of_volume(&"8c3c2b54-0f5e-4d6f-9a3b-000000000001".parse().unwrap());
        let text = serde_json::to_string(&Text::of(&account)).unwrap();
        assert_eq!(serde_json::from_str::<Text<'_, Account>>(&text).unwrap().value(), account);
        let escaped: Text<'_, Label> = serde_json::from_str("\"ph\\u006fne\"").unwrap();
        assert_eq!(escaped.value().as_str(), "phone");
        assert!(serde_json::from_str::<Text<'_, Label>>("\"a b\"").is_err());
    }
}
