//! Ente Auth: one message of libsodium's secretstream.

use crypto_secretstream::{Header, Key, PullStream};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Fault, Locked, Plain, Source, base64, document, has_words, kdf};

pub(super) struct Ente;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Export {
    kdf_params: KdfParams,
    encrypted_data: String,
    encryption_nonce: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KdfParams {
    /// Bytes.
    mem_limit: u64,
    ops_limit: u32,
    salt: String,
}

impl Locked for Ente {
    fn name(&self) -> &'static str {
        "ente-encrypted"
    }

    fn title(&self) -> &'static str {
        "Ente Auth, exported with a password"
    }

    fn recognises(&self, source: &Source) -> bool {
        has_words(source, &["kdfParams", "encryptedData", "encryptionNonce"])
    }

    fn open(&self, source: &Source, password: &[u8]) -> Result<Plain, Fault> {
        let Export { kdf_params, encrypted_data, encryption_nonce } = document(source)?;
        let memory = u32::try_from(kdf_params.mem_limit / 1024).map_err(|_| Fault::Costly)?;
        let costs = kdf::Costs::id(memory, kdf_params.ops_limit, 1);
        let key: kdf::Key<32> = kdf::argon2(password, &base64(&kdf_params.salt)?, costs)?;
        let header = Header::try_from(&base64(&encryption_nonce)?[..]).map_err(|_| Fault::Form("its nonce"))?;
        let mut message = Zeroizing::new(base64(&encrypted_data)?);
        PullStream::init(header, &Key::from(*key)).pull(&mut *message, &[]).map_err(|_| Fault::Password)?;
        Ok(message)
    }
}
