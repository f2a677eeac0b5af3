//! KeePass's databases (KDBX 3.1 and 4): they open to the XML that KeePass
//! exports, with the values in it that are protected once more.

use std::io::Read;

use aes::Aes256;
use aes::cipher::{BlockEncrypt, KeyInit};
use argon2::{Algorithm, Version};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use super::kdbx_header::{Cipher, Header, Kdf};
use super::kdbx_values::{Stream, unprotected};
use super::{Fault, Locked, Plain, Source, cipher, kdf, take};
use crate::format::MAX_FILE;

const MAGIC: [u8; 8] = [0x03, 0xd9, 0xa2, 0x9a, 0x67, 0xfb, 0x4b, 0xb5];
/// Rounds of AES at most: some ten seconds.
const ROUNDS: u64 = 100_000_000;

pub(super) struct Kdbx;

impl Locked for Kdbx {
    fn name(&self) -> &'static str {
        "kdbx"
    }

    fn title(&self) -> &'static str {
        "KeePass and KeePassXC, the database itself"
    }

    fn recognises(&self, source: &Source) -> bool {
        source.bytes.starts_with(&MAGIC)
    }

    fn open(&self, source: &Source, password: &[u8]) -> Result<Plain, Fault> {
        let mut rest = source.bytes;
        take(&mut rest, MAGIC.len())?;
        let version = take(&mut rest, 4)?;
        match version {
            [.., 3, 0] => open_3(&Header::of_3(&mut rest)?, rest, password),
            [.., 4, 0] => {
                let header = Header::of_4(&mut rest)?;
                let length = source.bytes.len() - rest.len();
                open_4(&header, source.bytes.get(..length).unwrap_or_default(), rest, password)
            }
            _ => Err(Fault::Form("its version")),
        }
    }
}

fn sha256(parts: &[&[u8]]) -> kdf::Key<32> {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    Zeroizing::new(hash.finalize().into())
}

fn sha512(parts: &[&[u8]]) -> kdf::Key<64> {
    let mut hash = Sha512::new();
    parts.iter().for_each(|part| hash.update(part));
    Zeroizing::new(hash.finalize().into())
}

/// The key that the password transforms to; key files are not known here.
fn transformed(kdf: &Kdf, password: &[u8]) -> Result<kdf::Key<32>, Fault> {
    let composite = sha256(&[&sha256(&[password])[..]]);
    match kdf {
        Kdf::Aes { seed, rounds } => aes_kdf(composite, seed, *rounds),
        Kdf::Argon2 { id, salt, lanes, memory, passes, version } => {
            let number = |number: u64| u32::try_from(number).map_err(|_| Fault::Costly);
            let costs = kdf::Costs {
                algorithm: if *id { Algorithm::Argon2id } else { Algorithm::Argon2d },
                version: Version::try_from(*version).map_err(|_| Fault::Form("the version of its key"))?,
                memory: number(memory / 1024)?,
                passes: number(*passes)?,
                lanes: *lanes,
            };
            kdf::argon2(&composite[..], salt, costs)
        }
    }
}

fn aes_kdf(mut key: kdf::Key<32>, seed: &[u8; 32], rounds: u64) -> Result<kdf::Key<32>, Fault> {
    if rounds > ROUNDS {
        return Err(Fault::Costly);
    }
    let aes = Aes256::new(seed.into());
    let (left, right) = key.split_at_mut(16);
    let mut blocks = [aes::Block::clone_from_slice(left), aes::Block::clone_from_slice(right)];
    for _ in 0..rounds {
        aes.encrypt_blocks(&mut blocks);
    }
    let [left, right] = &blocks;
    Ok(sha256(&[left, right]))
}

fn open_4(header: &Header, header_bytes: &[u8], mut rest: &[u8], password: &[u8]) -> Result<Plain, Fault> {
    let key = transformed(&header.kdf, password)?;
    let (hash, mac) = (take(&mut rest, 32)?, take(&mut rest, 32)?);
    if sha256(&[header_bytes]).as_slice() != hash {
        return Err(Fault::Form("its header was changed"));
    }
    let base = sha512(&[&header.seed, &key[..], &[1]]);
    check(&base, u64::MAX, &[header_bytes], mac)?;
    let mut sealed = Vec::with_capacity(rest.len());
    for number in 0.. {
        let (mac, length) = (take(&mut rest, 32)?, take(&mut rest, 4)?);
        let bytes = take(&mut rest, number_of(length))?;
        check(&base, number, &[&number.to_le_bytes(), length, bytes], mac)?;
        if bytes.is_empty() {
            break;
        }
        sealed.extend_from_slice(bytes);
    }
    let plain = unpacked(header, decrypted(header, &key, &sealed)?)?;
    let mut inner = &plain[..];
    let (mut kind, mut stream_key) = (0, &b""[..]);
    loop {
        let (id, length) = (take(&mut inner, 1)?, take(&mut inner, 4)?);
        let value = take(&mut inner, number_of(length))?;
        match id {
            [0] => break,
            [1] => kind = number_of(value),
            [2] => stream_key = value,
            _ => {} // attachments
        }
    }
    unprotected(inner, Stream::new(kind, stream_key)?)
}

/// The HMAC of one block.
fn check(base: &kdf::Key<64>, number: u64, parts: &[&[u8]], mac: &[u8]) -> Result<(), Fault> {
    let key = sha512(&[&number.to_le_bytes(), &base[..]]);
    let mut hmac = <Hmac<Sha256> as Mac>::new_from_slice(&key[..]).map_err(|_| Fault::Form("its key"))?;
    parts.iter().for_each(|part| hmac.update(part));
    hmac.verify_slice(mac).map_err(|_| Fault::Password)
}

fn open_3(header: &Header, sealed: &[u8], password: &[u8]) -> Result<Plain, Fault> {
    let key = transformed(&header.kdf, password)?;
    let plain = decrypted(header, &key, sealed)?;
    let mut rest = plain.strip_prefix(&header.start[..]).ok_or(Fault::Password)?;
    let mut packed = Zeroizing::new(Vec::with_capacity(rest.len()));
    loop {
        let (_, hash, length) = (take(&mut rest, 4)?, take(&mut rest, 32)?, take(&mut rest, 4)?);
        let bytes = take(&mut rest, number_of(length))?;
        if bytes.is_empty() {
            break;
        }
        if sha256(&[bytes]).as_slice() != hash {
            return Err(Fault::Password);
        }
        packed.extend_from_slice(bytes);
    }
    unprotected(&unpacked(header, packed)?, Stream::new(header.stream, &header.stream_key)?)
}

fn decrypted(header: &Header, key: &kdf::Key<32>, sealed: &[u8]) -> Result<Plain, Fault> {
    let key = sha256(&[&header.seed, &key[..]]);
    match header.cipher {
        Cipher::Aes => cipher::cbc(&key, &header.iv, sealed),
        Cipher::ChaCha20 => cipher::chacha20(&key, &header.iv, sealed),
    }
}

fn unpacked(header: &Header, packed: Plain) -> Result<Plain, Fault> {
    if !header.packed {
        return Ok(packed);
    }
    let mut plain = Zeroizing::new(Vec::new());
    let mut reader = flate2::read::GzDecoder::new(&packed[..]).take(MAX_FILE + 1);
    reader.read_to_end(&mut plain).map_err(|_| Fault::Form("what it unpacks to"))?;
    if plain.len() as u64 > MAX_FILE { Err(Fault::Form("it unpacks to too much")) } else { Ok(plain) }
}

/// A little-endian number of up to four bytes.
pub(super) fn number_of(bytes: &[u8]) -> usize {
    bytes.iter().take(4).rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
}
