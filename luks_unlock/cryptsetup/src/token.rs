//! A token in a header that libcryptsetup has read.

use luks_unlock::{Header, HeaderError};

use crate::ffi::{Handle, Level};

/// The token with this number.
pub struct TokenOf<'a> {
    /// The header.
    pub handle: &'a Handle,
    /// The number.
    pub number: i32,
}

impl Header for TokenOf<'_> {
    fn token(&self) -> Result<String, HeaderError> {
        self.handle.token_json(self.number).ok_or(HeaderError)
    }

    fn replace(&self, json: &str) -> Result<(), HeaderError> {
        // libcryptsetup compares the header's sequence number, writes and syncs.
        match self.handle.set_token_json(Some(self.number), Some(json)) {
            Ok(number) if number == self.number => Ok(()),
            _ => Err(HeaderError),
        }
    }

    fn say(&self, line: &str) {
        self.handle.log(Level::Error, line);
    }
}
