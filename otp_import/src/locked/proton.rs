//! Proton Authenticator.

use serde::Deserialize;

use super::{Fault, Locked, Plain, Source, base64, cipher, document, has_words, kdf, take};

/// Fixed by the program, as are the costs below.
const AAD: &[u8] = b"proton.authenticator.export.v1";

pub(super) struct Proton;

#[derive(Deserialize)]
struct Export {
    salt: String,
    content: String,
}

impl Locked for Proton {
    fn name(&self) -> &'static str {
        "proton-authenticator-encrypted"
    }

    fn title(&self) -> &'static str {
        "Proton Authenticator, exported with a password"
    }

    fn recognises(&self, source: &Source) -> bool {
        has_words(source, &["version", "salt", "content"]) && document::<Export>(source).is_ok()
    }

    fn open(&self, source: &Source, password: &[u8]) -> Result<Plain, Fault> {
        let export: Export = document(source)?;
        let key = kdf::argon2(password, &base64(&export.salt)?, kdf::Costs::id(19_456, 2, 1))?;
        let content = base64(&export.content)?;
        let mut rest = &content[..];
        let nonce = take(&mut rest, 12)?;
        cipher::gcm(&key, nonce, rest, AAD)
    }
}
