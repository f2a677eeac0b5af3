//! Bitwarden, exported with a password of its own: AES-CBC and an HMAC, both
//! keys from one (HKDF-Expand, RFC 5869 §2.3).

use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Fault, Locked, Plain, Source, base64, cipher, document, has_words, kdf};

pub(super) struct Bitwarden;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Export {
    salt: String,
    kdf_type: u32,
    kdf_iterations: u32,
    /// MiB.
    kdf_memory: Option<u32>,
    kdf_parallelism: Option<u32>,
    data: String,
}

impl Locked for Bitwarden {
    fn name(&self) -> &'static str {
        "bitwarden-json-encrypted"
    }

    fn title(&self) -> &'static str {
        "Bitwarden, exported with a password"
    }

    fn recognises(&self, source: &Source) -> bool {
        has_words(source, &["encrypted", "passwordProtected", "kdfType", "data"])
    }

    fn open(&self, source: &Source, password: &[u8]) -> Result<Plain, Fault> {
        let export: Export = document(source)?;
        let key = export.key(password)?;
        let (enc, mac) = (expand(&key, b"enc")?, expand(&key, b"mac")?);
        let parts = export.data.strip_prefix("2.").ok_or(Fault::Form("the kind of its cipher"))?;
        let parts = parts.split('|').map(base64).collect::<Result<Vec<_>, _>>()?;
        let [iv, sealed, tag] = parts.as_slice() else { return Err(Fault::Form("its parts")) };
        cipher::hmac_sha256(&mac[..], &[iv, sealed], tag)?;
        cipher::cbc(&enc, iv, sealed)
    }
}

impl Export {
    fn key(&self, password: &[u8]) -> Result<kdf::Key<32>, Fault> {
        // The salt is the text itself, not what it stands for.
        let salt = self.salt.as_bytes();
        match (self.kdf_type, self.kdf_memory, self.kdf_parallelism) {
            (0, ..) => kdf::pbkdf2(kdf::Prf::Sha256, password, salt, self.kdf_iterations),
            (1, Some(memory), Some(lanes)) => {
                let costs = kdf::Costs::id(memory.saturating_mul(1024), self.kdf_iterations, lanes);
                kdf::argon2(password, &Sha256::digest(salt), costs)
            }
            _ => Err(Fault::Form("the kind of its key")),
        }
    }
}

/// One block of it is enough.
fn expand(key: &[u8; 32], info: &[u8]) -> Result<kdf::Key<32>, Fault> {
    let mut hmac = <Hmac<Sha256> as Mac>::new_from_slice(key).map_err(|_| Fault::Form("its key"))?;
    hmac.update(info);
    hmac.update(&[1]);
    Ok(Zeroizing::new(hmac.finalize().into_bytes().into()))
}
