//! Aegis: a master key in slots, one of them for each password.

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Fault, Locked, Plain, Source, base64, cipher, document, has_words, hex, kdf};

pub(super) struct Aegis;

#[derive(Deserialize)]
struct Vault {
    header: Header,
    db: String,
}

#[derive(Deserialize)]
struct Header {
    slots: Vec<Slot>,
    params: Params,
}

#[derive(Deserialize)]
struct Params {
    nonce: String,
    tag: String,
}

/// Type 1 is a password; others are fingerprints of a phone's own.
#[derive(Deserialize)]
struct Slot {
    #[serde(rename = "type")]
    kind: u32,
    key: String,
    key_params: Params,
    #[serde(default)]
    n: u64,
    #[serde(default)]
    r: u32,
    #[serde(default)]
    p: u32,
    #[serde(default)]
    salt: String,
}

/// Slots that are tried; each takes a moment.
const SLOTS: usize = 8;

impl Params {
    fn open(&self, key: &[u8; 32], text: &[u8]) -> Result<Plain, Fault> {
        let mut sealed = text.to_vec();
        sealed.extend(hex(&self.tag)?);
        cipher::gcm(key, &hex(&self.nonce)?, &sealed, b"")
    }
}

impl Slot {
    fn open(&self, password: &[u8]) -> Result<kdf::Key<32>, Fault> {
        let key = kdf::scrypt(password, &hex(&self.salt)?, (self.n, self.r, self.p))?;
        let master = self.key_params.open(&key, &hex(&self.key)?)?;
        master.as_slice().try_into().map(Zeroizing::new).map_err(|_| Fault::Form("its master key"))
    }
}

impl Locked for Aegis {
    fn name(&self) -> &'static str {
        "aegis-json-encrypted"
    }

    fn title(&self) -> &'static str {
        "Aegis, exported with a password"
    }

    fn recognises(&self, source: &Source) -> bool {
        has_words(source, &["header", "db", "slots", "key_params"])
    }

    fn open(&self, source: &Source, password: &[u8]) -> Result<Plain, Fault> {
        let vault: Vault = document(source)?;
        let mut slots = vault.header.slots.iter().filter(|slot| slot.kind == 1).take(SLOTS).peekable();
        slots.peek().ok_or(Fault::Form("it has no password"))?;
        let mut fault = Fault::Password;
        for slot in slots {
            match slot.open(password) {
                Ok(master) => {
                    let database = vault.header.params.open(&master, &base64(&vault.db)?)?;
                    return Ok(Zeroizing::new([b"{\"header\":{\"slots\":null},\"db\":", &database[..], b"}"].concat()));
                }
                Err(why) => fault = why,
            }
        }
        Err(fault)
    }
}
