//! What the PIN opens: Argon2id (RFC 9106) makes a key of it, and
//! XChaCha20-Poly1305 seals three secrets under that key.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use otp_core::Secret;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::base64::Bytes;
use crate::key::{SLOT_KEY, SlotKey};
use crate::token::Pin;

/// What is sealed belongs here and nowhere else.
const PURPOSE: &[u8] = b"oathgate/luks/1";
const NONCE: usize = 24;
const TAG: usize = 16;
const STATE_KEY: usize = 32;

/// The cost of turning a PIN into a key, for us and for whoever guesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// KiB of memory.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Cost {
    /// The least that people may choose: RFC 9106 §4, second recommendation.
    pub const LEAST: Self = Self { memory: 64 * 1024, passes: 3 };
    /// The most memory in KiB.
    pub const MAX_MEMORY: u32 = 4 * 1024 * 1024;
    /// The most memory in KiB times passes: about a minute.
    const MAX_WORK: u64 = 64 * 1024 * 1024;

    /// Only what can be computed; a cost that is too small opens nothing that
    /// was sealed with another.
    pub(crate) fn check(self) -> Result<(), &'static str> {
        let work = u64::from(self.memory).saturating_mul(u64::from(self.passes));
        let bounded = (8..=Self::MAX_MEMORY).contains(&self.memory) && self.passes > 0 && work <= Self::MAX_WORK;
        if bounded { Ok(()) } else { Err("its Argon2id cost is out of range") }
    }
}

/// Why nothing was sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// Another PIN, or other bytes.
    Shut,
    /// There is no memory for Argon2id.
    Memory,
    /// The kernel gives no random numbers.
    Random,
}

type Key = Zeroizing<[u8; 32]>;

/// What is sealed under the PIN.
#[derive(Debug)]
pub struct Contents {
    /// The keyslot's key.
    pub slot_key: SlotKey,
    /// The key of the mark.
    pub(crate) state_key: StateKey,
    /// The secret of the codes.
    pub secret: Secret,
}

/// The key of the mark over a token.
pub(crate) struct StateKey(Box<Key>);

impl std::fmt::Debug for StateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StateKey(redacted)")
    }
}

impl StateKey {
    pub(crate) fn random() -> Result<Self, Error> {
        let mut key = Self(Box::default());
        random(&mut key.0[..])?;
        Ok(key)
    }

    /// The mark on a text.
    pub(crate) fn mark(&self, text: &[u8]) -> Option<Vec<u8>> {
        Some(self.hmac(text)?.finalize().into_bytes().to_vec())
    }

    /// Whether the mark is the text's; in constant time.
    pub(crate) fn holds(&self, text: &[u8], mark: &[u8]) -> bool {
        self.hmac(text).is_some_and(|mac| mac.verify_slice(mark).is_ok())
    }

    fn hmac(&self, text: &[u8]) -> Option<Hmac<Sha256>> {
        // HMAC takes keys of any length.
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.0[..]).ok()?;
        Some(mac.chain_update(text))
    }
}

impl Pin {
    /// With a fresh salt.
    ///
    /// # Errors
    /// When the kernel gives no random numbers.
    pub fn new(cost: Cost) -> Result<Self, Error> {
        let mut salt = vec![0; 16];
        random(&mut salt)?;
        Ok(Self { cost, salt: Bytes(salt) })
    }

    /// The key of a PIN. All memory that it was made in is wiped.
    fn key(&self, pin: &[u8]) -> Result<Box<Key>, Error> {
        let params = Params::new(self.cost.memory, self.cost.passes, 1, Some(32)).map_err(|_| Error::Shut)?;
        let mut blocks = Blocks::new(params.block_count())?;
        let mut key: Box<Key> = Box::default();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(pin, &self.salt.0, &mut key[..], &mut blocks.0[..])
            .map_err(|_| Error::Shut)?;
        Ok(key)
    }
}

/// Argon2id's memory, wiped when dropped.
struct Blocks(Vec<Block>);

impl Blocks {
    fn new(count: usize) -> Result<Self, Error> {
        let mut blocks = Vec::new();
        blocks.try_reserve_exact(count).map_err(|_| Error::Memory)?;
        blocks.resize(count, Block::default());
        Ok(Self(blocks))
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|block| block.as_mut().zeroize());
    }
}

/// Does what a guess at a PIN costs, to be timed.
///
/// # Errors
/// When there is no memory for it.
pub fn measure(cost: Cost) -> Result<(), Error> {
    Pin::new(cost)?.key(b"a pin").map(drop)
}

/// Seals `contents` under a PIN.
pub(crate) fn seal(pin: &Pin, typed: &[u8], contents: &Contents) -> Result<Bytes, Error> {
    let secret = contents.secret.expose();
    let mut plain = Zeroizing::new(Vec::with_capacity(SLOT_KEY + STATE_KEY + secret.len()));
    plain.extend_from_slice(contents.slot_key.expose());
    plain.extend_from_slice(&contents.state_key.0[..]);
    plain.extend_from_slice(secret);
    let mut nonce = [0; NONCE];
    random(&mut nonce)?;
    let cipher = XChaCha20Poly1305::new((&**pin.key(typed)?).into());
    let tag = cipher.encrypt_in_place_detached(XNonce::from_slice(&nonce), PURPOSE, &mut plain);
    Ok(Bytes([&nonce[..], &tag.map_err(|_| Error::Shut)?[..], &plain[..]].concat()))
}

/// Opens what was sealed under a PIN.
pub(crate) fn open(pin: &Pin, typed: &[u8], sealed: &Bytes) -> Result<Contents, Error> {
    let (nonce, rest) = sealed.0.split_first_chunk::<NONCE>().ok_or(Error::Shut)?;
    let (tag, text) = rest.split_first_chunk::<TAG>().ok_or(Error::Shut)?;
    let mut plain = Zeroizing::new(text.to_vec());
    let cipher = XChaCha20Poly1305::new((&**pin.key(typed)?).into());
    let (nonce, tag) = (XNonce::from_slice(nonce), Tag::from_slice(tag));
    cipher.decrypt_in_place_detached(nonce, PURPOSE, &mut plain, tag).map_err(|_| Error::Shut)?;
    let (slot_key, rest) = plain.split_first_chunk::<SLOT_KEY>().ok_or(Error::Shut)?;
    let (state_key, secret) = rest.split_first_chunk::<STATE_KEY>().ok_or(Error::Shut)?;
    let mut keys = Contents {
        slot_key: SlotKey::fill(|place| {
            place.copy_from_slice(slot_key);
            Ok(())
        })?,
        state_key: StateKey(Box::default()),
        secret: Secret::copy(secret).map_err(|_| Error::Shut)?,
    };
    keys.state_key.0.copy_from_slice(state_key);
    Ok(keys)
}

fn random(place: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(place).map_err(|_| Error::Random)
}
