//! Making and hashing scratch codes: outside of transactions, one at a time.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use otp_core::input::Input;
use otp_core::scratch::{HashedCode, SET_SIZE, Salt, ScratchCode, ScratchHash, ScratchKind, ScratchSet};
use otp_core::{Record, UnixTime};
use otp_store::{Error, scratch_hash};
use zeroize::Zeroizing;

use crate::access::{Peer, Role};

/// So many of root's requests may wait for their hash; more are told to come again.
const QUEUE: usize = 16;
/// So many of all others', who keep none of root's waiting longer than these take.
const OTHERS: usize = 8;
/// So many of one uid's.
const A_UID: usize = 2;

/// The one place where hashes are computed.
#[derive(Default)]
pub struct Hasher {
    waiting: Mutex<Waiting>,
    one_at_a_time: Mutex<()>,
}

/// How many wait for their hash, or have it computed.
#[derive(Default)]
struct Waiting {
    root: usize,
    others: BTreeMap<u32, usize>,
}

impl Waiting {
    /// The count of those like `peer`, if one more may wait.
    fn room(&mut self, peer: Peer) -> Option<&mut usize> {
        if peer.role == Role::Root {
            return Some(&mut self.root).filter(|root| **root < QUEUE);
        }
        let others: usize = self.others.values().sum();
        let own = self.others.entry(peer.uid).or_default();
        Some(own).filter(|own| others < OTHERS && **own < A_UID)
    }

    fn leave(&mut self, peer: Peer) {
        if peer.role == Role::Root {
            self.root = self.root.saturating_sub(1);
        } else if let Some(own) = self.others.get_mut(&peer.uid) {
            *own = own.saturating_sub(1);
        }
        self.others.retain(|_, own| *own > 0);
    }
}

/// A place among those who wait.
struct Place<'a> {
    hasher: &'a Hasher,
    peer: Peer,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.hasher.lock().leave(self.peer);
    }
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
    pub fn hashes(&self, peer: Peer, input: &Input, record: Option<&Record>) -> Result<Vec<(Salt, ScratchHash)>, Busy> {
        let Some((code, kind)) = scratch_code(input) else { return Ok(vec![]) };
        let sets = record.iter().flat_map(|record| &record.scratch);
        let mut salts: Vec<Salt> = sets.filter(|set| set.kind == kind).map(|set| set.salt.clone()).collect();
        if salts.is_empty() {
            salts.push(Salt::default());
        }
        // Eight digits take microseconds.
        let _place = if kind == ScratchKind::Base32 { Some(self.enter(peer)?) } else { None };
        let hashed = |salt| self.hash(kind, code, &salt).map(|hash| (salt, hash)).map_err(|_| Busy);
        salts.into_iter().map(hashed).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, peer: Peer) -> Result<Place<'_>, Busy> {
        *self.lock().room(peer).ok_or(Busy)? += 1;
        Ok(Place { hasher: self, peer })
    }

    fn hash(&self, kind: ScratchKind, code: &[u8], salt: &Salt) -> Result<ScratchHash, Error> {
        match kind {
            ScratchKind::EightDigits => scratch_hash::hash(kind, code, salt),
            ScratchKind::Base32 => self.in_turn(kind, code, salt),
        }
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

    const ROOT: Peer = Peer { uid: 0, role: Role::Root };

    #[test]
    fn as_many_hashes_without_a_record_as_with_a_set() {
        let hasher = Hasher::default();
        for typed in ["12345678", "ABCDEFGHIJKL2345"] {
            let input = Input::parse(typed.as_bytes());
            let (_, kind) = scratch_code(&input).unwrap();
            let mut record = Record::new("alice".parse().unwrap());
            record.scratch = vec![ScratchSet { kind, salt: Salt([3; 16]), created: 0, codes: vec![] }];
            for record in [None, Some(&record)] {
                assert_eq!(hasher.hashes(ROOT, &input, record).unwrap().len(), 1, "{typed}");
            }
        }
    }

    #[test]
    fn nobody_takes_the_places_of_others() {
        let hasher = Hasher::default();
        let other = |uid| Peer { uid, role: Role::Account };
        let own: Vec<_> = (0..A_UID).map(|_| hasher.enter(other(1000)).unwrap()).collect();
        assert!(hasher.enter(other(1000)).is_err(), "one's own share");
        let others: Vec<_> = (1001..).map_while(|uid| hasher.enter(other(uid)).ok()).collect();
        assert_eq!(own.len() + others.len(), OTHERS);
        let roots: Vec<_> = std::iter::from_fn(|| hasher.enter(ROOT).ok()).collect();
        assert_eq!(roots.len(), QUEUE, "whatever others do");
        drop(own);
        assert!(hasher.enter(other(1000)).is_ok() && hasher.enter(ROOT).is_err());
        drop((others, roots));
        let waiting = hasher.lock();
        assert_eq!((waiting.root, waiting.others.len()), (0, 0));
    }
}
