//! Stratum, once Authenticator Pro: two kinds, told by a word at the beginning.

use super::{Fault, Locked, Plain, Source, cipher, kdf, take};

const STRONG: &[u8] = b"AUTHENTICATORPRO";
const LEGACY: &[u8] = b"AuthenticatorPro";

/// Since 2023.
pub(super) struct Strong;

impl Locked for Strong {
    fn name(&self) -> &'static str {
        "stratum-encrypted"
    }

    fn title(&self) -> &'static str {
        "Stratum, backed up with a password"
    }

    fn recognises(&self, source: &Source) -> bool {
        source.bytes.starts_with(STRONG)
    }

    fn open(&self, source: &Source, password: &[u8]) -> Result<Plain, Fault> {
        let mut rest = source.bytes;
        take(&mut rest, STRONG.len())?;
        let (salt, nonce) = (take(&mut rest, 16)?, take(&mut rest, 12)?);
        cipher::gcm(&*kdf::argon2(password, salt, kdf::Costs::id(65_536, 3, 4))?, nonce, rest, b"")
    }
}

/// Before.
pub(super) struct Legacy;

impl Locked for Legacy {
    fn name(&self) -> &'static str {
        "stratum-encrypted-legacy"
    }

    fn title(&self) -> &'static str {
        "Authenticator Pro, backed up with a password"
    }

    fn recognises(&self, source: &Source) -> bool {
        source.bytes.starts_with(LEGACY)
    }

    fn open(&self, source: &Source, password: &[u8]) -> Result<Plain, Fault> {
        let mut rest = source.bytes;
        take(&mut rest, LEGACY.len())?;
        let (salt, iv) = (take(&mut rest, 20)?, take(&mut rest, 16)?);
        cipher::cbc(&*kdf::pbkdf2(kdf::Prf::Sha1, password, salt, 64_000)?, iv, rest)
    }
}
