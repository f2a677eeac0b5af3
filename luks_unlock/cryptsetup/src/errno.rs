//! What libcryptsetup's functions return.

use std::fmt;
use std::io;

/// An error number, positive (errno(3)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// A number that is not negative, or the error.
    ///
    /// # Errors
    /// When `code` is negative.
    pub fn check(code: i32) -> Result<i32, Self> {
        if code < 0 { Err(Self(code.saturating_neg())) } else { Ok(code) }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        io::Error::from_raw_os_error(self.0).fmt(f)
    }
}

impl std::error::Error for Errno {}
