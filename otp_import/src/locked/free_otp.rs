//! FreeOTP 2: a map as Java writes it, from names to JSON. Each secret is
//! locked with a key that the password locks.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Fault, Locked, Plain, Source, cipher, kdf, take};

const MAGIC: &[u8] = b"\xac\xed\x00\x05sr\x00\x11java.util.HashMap";
/// In front of the map's entries: a block of two numbers.
const BLOCK: &[u8] = b"w\x08";
/// Java's marks: a text, and the end.
const TEXT: &[u8] = b"t";
const END: &[u8] = b"x";
/// The end of what stands beside a secret's name.
const TOKEN: &str = "-token";

pub(super) struct FreeOtp;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Master {
    m_algorithm: String,
    m_encrypted_key: Sealed,
    m_iterations: u32,
    m_salt: Vec<i8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sealed {
    m_cipher_text: Vec<i8>,
    /// DER: a sequence of the nonce and the tag's length.
    m_parameters: Vec<i8>,
    m_token: String,
}

impl Sealed {
    fn open(&self, key: &[u8; 32]) -> Result<Plain, Fault> {
        let parameters = bytes(&self.m_parameters);
        let nonce = parameters.get(4..16).filter(|_| parameters.starts_with(&[0x30, 0x11, 0x04, 0x0c]));
        let nonce = nonce.ok_or(Fault::Form("its nonces"))?;
        cipher::gcm(key, nonce, &bytes(&self.m_cipher_text), self.m_token.as_bytes())
    }
}

fn bytes(signed: &[i8]) -> Vec<u8> {
    signed.iter().map(|byte| byte.cast_unsigned()).collect()
}

impl Master {
    fn key(&self, password: &[u8]) -> Result<kdf::Key<32>, Fault> {
        let prf = match self.m_algorithm.as_str() {
            "PBKDF2withHmacSHA512" => kdf::Prf::Sha512,
            "PBKDF2withHmacSHA1" => kdf::Prf::Sha1,
            _ => return Err(Fault::Form("the kind of its key")),
        };
        let key = kdf::pbkdf2(prf, password, &bytes(&self.m_salt), self.m_iterations)?;
        let master = self.m_encrypted_key.open(&key)?;
        master.as_slice().try_into().map(Zeroizing::new).map_err(|_| Fault::Form("its master key"))
    }
}

impl Locked for FreeOtp {
    fn name(&self) -> &'static str {
        "freeotp-v2-backup"
    }

    fn title(&self) -> &'static str {
        "FreeOTP 2, backed up with a password"
    }

    fn recognises(&self, source: &Source) -> bool {
        source.bytes.starts_with(MAGIC)
    }

    fn open(&self, source: &Source, password: &[u8]) -> Result<Plain, Fault> {
        let map = map(source.bytes)?;
        let master: Master = of_text(map.get("masterKey").ok_or(Fault::Form("it has no master key"))?)?;
        let master = master.key(password)?;
        let mut tokens = Vec::new();
        for (name, text) in map.iter().filter(|(name, _)| map.contains_key(&format!("{name}{TOKEN}")[..])) {
            let outer: Value = of_text(text)?;
            let sealed: Sealed = of_text(outer.get("key").and_then(Value::as_str).unwrap_or_default())?;
            let secret = sealed.open(&master)?;
            let mut token: Value = of_text(map.get(&format!("{name}{TOKEN}")[..]).copied().unwrap_or_default())?;
            let signed: Vec<i8> = secret.iter().map(|byte| byte.cast_signed()).collect();
            if let Some(fields) = token.as_object_mut() {
                fields.insert("secret".to_owned(), json!(signed));
            }
            tokens.push(token);
        }
        let plain = serde_json::to_vec(&json!({ "tokens": tokens, "tokenOrder": [] }));
        plain.map(Zeroizing::new).map_err(|_| Fault::Form("its entries"))
    }
}

fn of_text<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|_| Fault::Form("its fields"))
}

/// The map, in the order of its names.
fn map(bytes: &[u8]) -> Result<BTreeMap<&str, &str>, Fault> {
    let begin = bytes.windows(BLOCK.len()).position(|window| window == BLOCK);
    let mut rest = begin.and_then(|begin| bytes.get(begin + BLOCK.len() + 8..)).ok_or(Fault::Form("its map"))?;
    let mut map = BTreeMap::new();
    while !rest.starts_with(END) {
        let (name, value) = (text(&mut rest)?, text(&mut rest)?);
        map.insert(name, value);
    }
    Ok(map)
}

fn text<'a>(rest: &mut &'a [u8]) -> Result<&'a str, Fault> {
    if take(rest, 1)? != TEXT {
        return Err(Fault::Form("its texts"));
    }
    let length = take(rest, 2)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    std::str::from_utf8(take(rest, length)?).map_err(|_| Fault::Form("its texts"))
}
