//! Making and hashing scratch codes: outside of transactions, one at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use otp_core::input::Input;
use otp_core::scratch::{HashedCode, SET_SIZE, Salt, ScratchCode, ScratchHash, ScratchKind, ScratchSet};
use otp_core::{Record, UnixTime};
use otp_store::{Error, scratch_hash};
use zeroize::Zeroizing;

/// So many may wait for their hash; more are told to come again.
const QUEUE: usize = 16;

/// The one place where hashes are computed.
#[derive(Default)]
pub struct Hasher {
    waiting: AtomicUsize,
    one_at_a_time: Mutex<()>,
}

/// Too many are waiting for a hash.
#[derive(Debug, PartialEq, Eq)]
pub struct Busy;

impl Hasher {
    /// Whether `input` can be a scratch code at all.
    #[must_use]
    pub fn concerns(input: &Input) -> bool {
        scratch_code(input).is_some()
    }

    /// The hashes of `input` that a verdict on `record` may need. Without a
    /// record or a set the work is the same.
    ///
    /// # Errors
    /// [`Busy`], or when there is no memory.
    pub fn hashes(&self, input: &Input, record: Option<&Record>) -> Result<Vec<(Salt, ScratchHash)>, Busy> {
        let Some((code, kind)) = scratch_code(input) else { return Ok(vec![]) };
        let sets = record.iter().flat_map(|record| &record.scratch);
        let mut salts: Vec<Salt> = sets.filter(|set| set.kind == kind).map(|set| set.salt.clone()).collect();
        if salts.is_empty() {
            salts.push(Salt::default());
        }
        let hashed = |salt| self.hash(kind, code, &salt).map(|hash| (salt, hash));
        salts.into_iter().map(hashed).collect()
    }

    fn hash(&self, kind: ScratchKind, code: &[u8], salt: &Salt) -> Result<ScratchHash, Busy> {
        if kind == ScratchKind::EightDigits {
            return scratch_hash::hash(kind, code, salt).map_err(|_| Busy);
        }
        if self.waiting.fetch_add(1, Ordering::SeqCst) >= QUEUE {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            return Err(Busy);
        }
        let hash = self.in_turn(kind, code, salt);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        hash.map_err(|_| Busy)
    }

    /// The hash of a code that is to be kept: whoever makes one waits for a
    /// turn, as logins do, but is not turned away.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn in_turn(&self, kind: ScratchKind, code: &[u8], salt: &Salt) -> Result<ScratchHash, Error> {
        let _turn = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        scratch_hash::hash(kind, code, salt)
    }
}

/// The bytes that are hashed, if `input` can be a scratch code.
pub(crate) fn scratch_code(input: &Input) -> Option<(&[u8], ScratchKind)> {
    match input {
        Input::Scratch(code) => Some((code.expose(), ScratchKind::Base32)),
        Input::Digits(digits) if digits.len() == 8 => Some((digits.as_bytes(), ScratchKind::EightDigits)),
        _ => None,
    }
}

/// Makes a new set, and the codes to show once.
///
/// # Errors
/// When the kernel gives no random numbers or there is no memory.
pub fn new_set(hasher: &Hasher, now: UnixTime) -> Result<(ScratchSet, Vec<ScratchCode>), Error> {
    let salt = scratch_hash::salt()?;
    let mut set = ScratchSet { kind: ScratchKind::Base32, salt, created: now, codes: Vec::with_capacity(SET_SIZE) };
    let mut codes = Vec::with_capacity(SET_SIZE);
    for _ in 0..SET_SIZE {
        let mut bits = Zeroizing::new([0; 10]);
        getrandom::fill(&mut bits[..]).map_err(|_| Error::Random)?;
        let code = ScratchCode::from_random(&bits);
        set.codes.push(HashedCode { hash: hasher.in_turn(set.kind, code.expose(), &set.salt)?, used: None });
        codes.push(code);
    }
    Ok((set, codes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_hashes_without_a_record_as_with_a_set() {
        let hasher = Hasher::default();
        for typed in ["12345678", "ABCDEFGHIJKL2345"] {
            let input = Input::parse(typed.as_bytes());
            let (_, kind) = scratch_code(&input).unwrap();
            let mut record = Record::new("alice".parse().unwrap());
            record.scratch = vec![ScratchSet { kind, salt: Salt([3; 16]), created: 0, codes: vec![] }];
            for record in [None, Some(&record)] {
                assert_eq!(hasher.hashes(&input, record).unwrap().len(), 1, "{typed}");
            }
        }
    }
}
