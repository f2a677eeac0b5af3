//! 2FAS: `ciphertext:salt:nonce`, each in base64.

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Fault, Locked, Plain, Source, base64, cipher, document, has_words, kdf};

/// Fixed by the program.
const ROUNDS: u32 = 10_000;

pub(super) struct TwoFas;

#[derive(Deserialize)]
struct Backup {
    #[serde(rename = "servicesEncrypted")]
    services: String,
}

impl Locked for TwoFas {
    fn name(&self) -> &'static str {
        "2fas-encrypted"
    }

    fn title(&self) -> &'static str {
        "2FAS, backed up with a password"
    }

    fn recognises(&self, source: &Source) -> bool {
        has_words(source, &["servicesEncrypted", "schemaVersion"]) && document::<Backup>(source).is_ok()
    }

    fn open(&self, source: &Source, password: &[u8]) -> Result<Plain, Fault> {
        let backup: Backup = document(source)?;
        let mut parts = backup.services.split(':');
        let mut next = || parts.next().ok_or(Fault::Form("its parts")).and_then(base64);
        let (sealed, salt, nonce) = (next()?, next()?, next()?);
        let key = kdf::pbkdf2(kdf::Prf::Sha256, password, &salt, ROUNDS)?;
        let services = cipher::gcm(&key, &nonce, &sealed, b"")?;
        Ok(Zeroizing::new([b"{\"schemaVersion\":3,\"services\":", &services[..], b"}"].concat()))
    }
}
