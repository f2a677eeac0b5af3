//! Scratch codes at rest: Argon2id (RFC 9106).

use argon2::{Algorithm, Argon2, Params, Version};
use otp_core::scratch::{Salt, ScratchHash};

use crate::Error;

/// Memory in KiB. Small, because somebody waits for it at a login prompt, and
/// enough for the eight digits of imported codes.
const MEMORY: u32 = 7 * 1024;
/// Passes over the memory, chosen for [`MEMORY`].
const PASSES: u32 = 5;

/// Hashes a scratch code under its set's salt. Takes some 10 ms.
///
/// # Errors
/// When there is no memory for it.
pub fn hash(code: &[u8], salt: &Salt) -> Result<ScratchHash, Error> {
    let failed = |_| Error::Damaged("a scratch code can't be hashed");
    let params = Params::new(MEMORY, PASSES, 1, Some(32)).map_err(failed)?;
    let mut hash = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(code, salt, &mut hash)
        .map_err(failed)?;
    Ok(ScratchHash(hash))
}

/// A fresh salt.
///
/// # Errors
/// When the kernel gives no random numbers.
pub fn salt() -> Result<Salt, Error> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| Error::Random)?;
    Ok(salt)
}
