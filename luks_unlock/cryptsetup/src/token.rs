//! A token in a header that libcryptsetup has read.

use std::path::Path;

use luks_unlock::store_gate::{self, SOCKET};
use luks_unlock::{Header, HeaderError, Unsealed};

use crate::handle::{Handle, Level};

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

    fn unseal(&self, answer: Option<&[u8]>) -> Unsealed {
        let socket = Path::new(SOCKET);
        match answer {
            Some(answer) => store_gate::unseal(socket, &self.handle.uuid(), answer),
            None => store_gate::reach(socket).map_or_else(
                |why| Unsealed::Unasked(format!("{SOCKET}: {why}; is the verifier running?")),
                |()| Unsealed::No(String::new()),
            ),
        }
    }

    fn say(&self, line: &str) {
        self.handle.log(Level::Error, line);
    }
}
