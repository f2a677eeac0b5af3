//! The header of a KeePass database: which ciphers, and what their keys cost.

use super::kdbx::number_of;
use super::{Fault, take};

const CIPHER_AES: [u8; 16] = *b"\x31\xc1\xf2\xe6\xbf\x71\x43\x50\xbe\x58\x05\x21\x6a\xfc\x5a\xff";
const CIPHER_CHACHA20: [u8; 16] = *b"\xd6\x03\x8a\x2b\x8b\x6f\x4c\xb5\xa5\x24\x33\x9a\x31\xdb\xb5\x9a";
const KDF_AES: [u8; 16] = *b"\xc9\xd9\xf3\x9a\x62\x8a\x44\x60\xbf\x74\x0d\x08\xc1\x8a\x4f\xea";
const KDF_AES_4: [u8; 16] = *b"\x7c\x02\xbb\x82\x79\xa7\x4a\xc0\x92\x7d\x11\x4a\x00\x64\x82\x38";
const KDF_ARGON2D: [u8; 16] = *b"\xef\x63\x6d\xdf\x8c\x29\x44\x4b\x91\xf7\xa9\xa4\x03\xe3\x0a\x0c";
const KDF_ARGON2ID: [u8; 16] = *b"\x9e\x29\x8b\x19\x56\xdb\x47\x73\xb2\x3d\xfc\x3e\xc6\xf0\xa1\xe6";

const CUT: Fault = Fault::Form("its header");

/// What locks the whole.
#[derive(Clone, Copy)]
pub(super) enum Cipher {
    Aes,
    ChaCha20,
}

/// How the key is made.
pub(super) enum Kdf {
    Aes { seed: [u8; 32], rounds: u64 },
    Argon2 { id: bool, salt: Vec<u8>, lanes: u32, memory: u64, passes: u64, version: u32 },
}

/// What stands in front.
pub(super) struct Header {
    pub cipher: Cipher,
    pub packed: bool,
    pub seed: Vec<u8>,
    pub iv: Vec<u8>,
    pub kdf: Kdf,
    /// Of version 3: the first bytes of what is locked.
    pub start: Vec<u8>,
    /// Of version 3: what protects values.
    pub stream: usize,
    pub stream_key: Vec<u8>,
}

/// The fields, by their numbers.
type Fields<'a> = [&'a [u8]; 13];

/// Reads numbered fields up to the one with number 0.
fn fields<'a>(rest: &mut &'a [u8], length: usize) -> Result<Fields<'a>, Fault> {
    let mut fields: Fields = [b""; 13];
    loop {
        let id = number_of(take(rest, 1)?);
        let count = number_of(take(rest, length)?);
        let value = take(rest, count)?;
        match (id, fields.get_mut(id)) {
            (0, _) => return Ok(fields),
            (_, Some(place)) => *place = value,
            (_, None) => return Err(CUT),
        }
    }
}

fn long(bytes: &[u8]) -> Result<u64, Fault> {
    bytes.try_into().map(u64::from_le_bytes).map_err(|_| CUT)
}

fn short(bytes: &[u8]) -> Result<u32, Fault> {
    bytes.try_into().map(u32::from_le_bytes).map_err(|_| CUT)
}

impl Header {
    /// Version 3.
    pub fn of_3(rest: &mut &[u8]) -> Result<Self, Fault> {
        let fields = fields(rest, 2)?;
        let [.., seed, rounds, _, stream_key, start, stream, _, _] = fields;
        let kdf = Kdf::Aes { seed: seed.try_into().map_err(|_| CUT)?, rounds: long(rounds)? };
        let stream = number_of(stream);
        Ok(Self { start: start.to_vec(), stream, stream_key: stream_key.to_vec(), ..Self::new(&fields, kdf)? })
    }

    /// Version 4.
    pub fn of_4(rest: &mut &[u8]) -> Result<Self, Fault> {
        let fields = fields(rest, 4)?;
        let [.., costs, _] = fields;
        Self::new(&fields, kdf(costs)?)
    }

    fn new(fields: &Fields, kdf: Kdf) -> Result<Self, Fault> {
        let [_, _, cipher, packed, seed, _, _, iv, ..] = fields;
        let cipher = match *cipher {
            id if id == CIPHER_AES => Cipher::Aes,
            id if id == CIPHER_CHACHA20 => Cipher::ChaCha20,
            _ => return Err(Fault::Form("its cipher is neither AES nor ChaCha20")),
        };
        if seed.len() != 32 {
            return Err(CUT);
        }
        let (seed, iv, packed) = (seed.to_vec(), iv.to_vec(), number_of(packed) == 1);
        Ok(Self { cipher, packed, seed, iv, kdf, start: vec![], stream: 0, stream_key: vec![] })
    }
}

/// A dictionary of named values, of which this needs some.
fn kdf(mut rest: &[u8]) -> Result<Kdf, Fault> {
    take(&mut rest, 2)?;
    let [mut id, mut rounds, mut salt, mut lanes, mut memory, mut passes, mut version] = [&b""[..]; 7];
    while take(&mut rest, 1)? != [0] {
        let count = number_of(take(&mut rest, 4)?);
        let name = take(&mut rest, count)?;
        let count = number_of(take(&mut rest, 4)?);
        let value = take(&mut rest, count)?;
        match name {
            b"$UUID" => id = value,
            b"R" => rounds = value,
            b"S" => salt = value,
            b"P" => lanes = value,
            b"M" => memory = value,
            b"I" => passes = value,
            b"V" => version = value,
            _ => {}
        }
    }
    if id == KDF_AES || id == KDF_AES_4 {
        return Ok(Kdf::Aes { seed: salt.try_into().map_err(|_| CUT)?, rounds: long(rounds)? });
    }
    if id != KDF_ARGON2D && id != KDF_ARGON2ID {
        return Err(Fault::Form("the kind of its key"));
    }
    Ok(Kdf::Argon2 {
        id: id == KDF_ARGON2ID,
        salt: salt.to_vec(),
        lanes: short(lanes)?,
        memory: long(memory)?,
        passes: long(passes)?,
        version: short(version)?,
    })
}
