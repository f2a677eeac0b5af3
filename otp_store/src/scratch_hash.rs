//! Scratch codes at rest: Argon2id (RFC 9106) for ours. Those of eight digits are
//! found in hours whatever hash is chosen, so theirs is HMAC-SHA-256 with a key of
//! the set's own, which is sealed as secrets are: who can open that has those, too.

use argon2::{Algorithm, Argon2, Params, Version};
use hmac::{Hmac, Mac};
use otp_core::scratch::{Salt, ScratchHash, ScratchKind};
use sha2::Sha256;

use crate::Error;

/// Memory in KiB. Small, because somebody waits for it at a login prompt.
const MEMORY: u32 = 7 * 1024;
/// Passes over the memory, chosen for [`MEMORY`].
const PASSES: u32 = 5;

/// Hashes a scratch code under its set's salt. Takes some 10 ms for ours, and a
/// microsecond for those of eight digits.
///
/// # Errors
/// When there is no memory for it.
pub fn hash(kind: ScratchKind, code: &[u8], salt: &Salt) -> Result<ScratchHash, Error> {
    match kind {
        ScratchKind::Base32 => argon2id(code, salt),
        ScratchKind::EightDigits => mac(code, salt),
    }
}

fn mac(code: &[u8], key: &Salt) -> Result<ScratchHash, Error> {
    let mac = <Hmac<Sha256> as Mac>::new_from_slice(&key.0).map_err(|_| Error::Damaged("no MAC"))?;
    Ok(ScratchHash(mac.chain_update(code).finalize().into_bytes().into()))
}

fn argon2id(code: &[u8], salt: &Salt) -> Result<ScratchHash, Error> {
    let failed = |_| Error::Damaged("a scratch code can't be hashed");
    let params = Params::new(MEMORY, PASSES, 1, Some(32)).map_err(failed)?;
    let mut hash = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(code, &salt.0, &mut hash)
        .map_err(failed)?;
    Ok(ScratchHash(hash))
}

/// A fresh salt.
///
/// # Errors
/// When the kernel gives no random numbers.
pub fn salt() -> Result<Salt, Error> {
    let mut salt = Salt::default();
    getrandom::fill(&mut salt.0).map_err(|_| Error::Random)?;
    Ok(salt)
}
