//! The key of a keyslot.

use std::fmt;

use zeroize::Zeroizing;

/// Bytes of a keyslot's key.
pub const SLOT_KEY: usize = 32;

/// The passphrase of a keyslot, as libcryptsetup calls it: random bytes that
/// nobody types. Wiped when dropped, never printed, never cloned.
pub struct SlotKey(Box<Zeroizing<[u8; SLOT_KEY]>>);

impl SlotKey {
    /// A fresh one from the kernel.
    ///
    /// # Errors
    /// When the kernel gives no random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        Self::fill(getrandom::fill)
    }

    /// One that `fill` writes in place.
    ///
    /// # Errors
    /// With `fill`'s own error.
    pub fn fill<E>(fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut key = Self(Box::default());
        fill(&mut key.0[..])?;
        Ok(key)
    }

    /// The bytes themselves. Each use of this name is a place to review.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0[..]
    }
}

impl fmt::Debug for SlotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SlotKey(redacted)")
    }
}
