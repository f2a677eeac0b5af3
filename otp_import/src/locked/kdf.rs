//! Keys from passwords, within bounds that the file has no say in.

use argon2::{Algorithm, Argon2, Params, Version};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use super::Fault;

/// A key.
pub(super) type Key<const N: usize> = Zeroizing<[u8; N]>;

/// Bytes of memory that a key may take; the whole process has 300 MB.
pub(super) const MEMORY: u64 = 208 << 20;
/// Rounds of PBKDF2 at most: some five seconds.
const ROUNDS: u32 = 5_000_000;
/// Bytes that all passes of Argon2 go over, at most: some ten seconds.
const WORK: u64 = 8 << 30;
/// Its lanes, at most.
const LANES: u32 = 64;

const COSTS: Fault = Fault::Form("the costs of its key");

/// The hash under PBKDF2 (RFC 8018 §5.2).
#[derive(Clone, Copy)]
pub(super) enum Prf {
    Sha1,
    Sha256,
    Sha512,
}

pub(super) fn pbkdf2<const N: usize>(prf: Prf, password: &[u8], salt: &[u8], rounds: u32) -> Result<Key<N>, Fault> {
    if !(1..=ROUNDS).contains(&rounds) {
        return Err(if rounds == 0 { COSTS } else { Fault::Costly });
    }
    let mut key = Zeroizing::new([0; N]);
    match prf {
        Prf::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, rounds, &mut key[..]),
        Prf::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, rounds, &mut key[..]),
        Prf::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, rounds, &mut key[..]),
    }
    Ok(key)
}

/// What Argon2 is to cost (RFC 9106 §3.1).
#[derive(Clone, Copy)]
pub(super) struct Costs {
    pub algorithm: Algorithm,
    pub version: Version,
    /// KiB of memory.
    pub memory: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl Costs {
    /// Argon2id of today.
    pub fn id(memory: u32, passes: u32, lanes: u32) -> Self {
        Self { algorithm: Algorithm::Argon2id, version: Version::V0x13, memory, passes, lanes }
    }
}

pub(super) fn argon2<const N: usize>(password: &[u8], salt: &[u8], costs: Costs) -> Result<Key<N>, Fault> {
    let Costs { algorithm, version, memory, passes, lanes } = costs;
    let bytes = u64::from(memory) * 1024;
    if bytes > MEMORY || bytes.saturating_mul(passes.into()) > WORK || lanes > LANES {
        return Err(Fault::Costly);
    }
    let params = Params::new(memory, passes, lanes, Some(N)).map_err(|_| COSTS)?;
    let mut key = Zeroizing::new([0; N]);
    Argon2::new(algorithm, version, params).hash_password_into(password, salt, &mut key[..]).map_err(|_| COSTS)?;
    Ok(key)
}

/// RFC 7914, with N as it is written.
pub(super) fn scrypt<const N: usize>(
    password: &[u8],
    salt: &[u8],
    (n, r, p): (u64, u32, u32),
) -> Result<Key<N>, Fault> {
    if n.saturating_mul(u64::from(r)).saturating_mul(128) > MEMORY || p > 16 {
        return Err(Fault::Costly);
    }
    if !n.is_power_of_two() {
        return Err(COSTS);
    }
    let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| COSTS)?;
    let params = scrypt::Params::new(log_n, r, p, N).map_err(|_| COSTS)?;
    let mut key = Zeroizing::new([0; N]);
    scrypt::scrypt(password, salt, &params, &mut key[..]).map_err(|_| COSTS)?;
    Ok(key)
}
