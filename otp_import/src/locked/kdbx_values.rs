//! Values in a KeePass database that are protected once more: one stream goes
//! over all of them, in the order of the document.

use base64ct::{Base64, Encoding};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use salsa20::Salsa20;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use super::{Fault, Plain};

/// Fixed by the program.
const SALSA20_NONCE: [u8; 8] = [0xe8, 0x30, 0x09, 0x4b, 0x97, 0x20, 0x5d, 0x2a];
const BEGIN: &str = "<Value Protected=\"True\"";
const END: &str = "</Value>";

/// The stream.
pub(super) struct Stream(Box<dyn StreamCipher>);

impl Stream {
    /// The one of this kind: 2 or 3.
    pub fn new(kind: usize, key: &[u8]) -> Result<Self, Fault> {
        match kind {
            2 => Ok(Self(Box::new(Salsa20::new(&Sha256::digest(key), &SALSA20_NONCE.into())))),
            3 => {
                let hash = Zeroizing::new(<[u8; 64]>::from(Sha512::digest(key)));
                let (key, rest) = hash.split_at(32);
                let (nonce, _) = rest.split_at(12);
                let stream = ChaCha20::new_from_slices(key, nonce).map_err(|_| Fault::Form("its inner key"))?;
                Ok(Self(Box::new(stream)))
            }
            _ => Err(Fault::Form("how its values are protected")),
        }
    }
}

/// The document with plain values.
pub(super) fn unprotected(document: &[u8], mut stream: Stream) -> Result<Plain, Fault> {
    let mut rest = std::str::from_utf8(document).map_err(|_| Fault::Form("its text"))?;
    let mut plain = Zeroizing::new(Vec::with_capacity(document.len()));
    while let Some((before, value)) = rest.split_once(BEGIN) {
        let (attributes, value) = value.split_once('>').ok_or(Fault::Form("its document"))?;
        put(&mut plain, before.as_bytes());
        if attributes.trim_end().ends_with('/') {
            rest = value;
            continue;
        }
        let (base64, after) = value.split_once(END).ok_or(Fault::Form("its document"))?;
        let mut bytes = Base64::decode_vec(base64.trim()).map(Zeroizing::new).map_err(|_| Fault::Form("its values"))?;
        stream.0.try_apply_keystream(&mut bytes).map_err(|_| Fault::Form("it has too many values"))?;
        put(&mut plain, b"<Value>");
        bytes.iter().for_each(|byte| escaped(&mut plain, *byte));
        put(&mut plain, END.as_bytes());
        rest = after;
    }
    put(&mut plain, rest.as_bytes());
    Ok(plain)
}

/// What moves is wiped where it was.
fn put(plain: &mut Plain, bytes: &[u8]) {
    if plain.len() + bytes.len() > plain.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(2 * (plain.len() + bytes.len())));
        larger.extend_from_slice(plain);
        *plain = larger;
    }
    plain.extend_from_slice(bytes);
}

fn escaped(plain: &mut Plain, byte: u8) {
    match byte {
        b'<' => put(plain, b"&lt;"),
        b'>' => put(plain, b"&gt;"),
        b'&' => put(plain, b"&amp;"),
        byte => put(plain, &[byte]),
    }
}
