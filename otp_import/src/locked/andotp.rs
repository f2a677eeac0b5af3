//! andOTP since 0.6.3: rounds, salt, nonce, text, tag; nothing tells it but the
//! rounds, of which the program takes 140,000 to 160,000. Before that there was
//! nothing at all to tell it by: only whoever gives a password has it tried.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Fault, Locked, Plain, Source, cipher, kdf, take};

/// The rounds that it takes at random.
const ROUNDS: std::ops::RangeInclusive<u32> = 140_000..=160_000;
/// Salt and nonce, both.
const SALT: usize = 12;
/// The tag of AES-GCM.
const TAG: usize = 16;

pub(super) struct AndOtp;

impl Locked for AndOtp {
    fn name(&self) -> &'static str {
        "andotp-encrypted"
    }

    fn title(&self) -> &'static str {
        "andOTP, backed up with a password"
    }

    fn recognises(&self, source: &Source) -> bool {
        rounds(source.bytes).is_some_and(|rounds| ROUNDS.contains(&rounds)) && source.bytes.len() > 4 + 2 * SALT + TAG
    }

    fn open(&self, source: &Source, password: &[u8]) -> Result<Plain, Fault> {
        let mut rest = source.bytes;
        let rounds = rounds(take(&mut rest, 4)?).unwrap_or(0);
        let (salt, nonce) = (take(&mut rest, SALT)?, take(&mut rest, SALT)?);
        cipher::gcm(&*kdf::pbkdf2(kdf::Prf::Sha1, password, salt, rounds)?, nonce, rest, b"")
    }
}

fn rounds(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|first| u32::from_be_bytes(*first))
}

/// What andOTP wrote before: nonce, text, tag, and a hash as the key.
pub(super) fn open_old(bytes: &[u8], password: &[u8]) -> Option<Plain> {
    let (nonce, sealed) = bytes.split_at_checked(SALT)?;
    let key: Zeroizing<[u8; 32]> = Zeroizing::new(Sha256::digest(password).into());
    cipher::gcm(&key, nonce, sealed, b"").ok()
}
