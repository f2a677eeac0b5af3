//! The people in a store: one account that everybody logs in to, each with an
//! SSH key and a counter-based secret of their own, as on a host for git.

#![allow(clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use base64ct::{Base64, Encoding};
use otp_core::record::{Entry, Factor, Policy, State};
use otp_core::scratch::{HashedCode, SET_SIZE, Salt, ScratchHash, ScratchKind, ScratchSet};
use otp_core::{Algorithm, Credential, CredentialId, Digits, Fingerprint, Record, Secret, otp};
use otp_store::{Change, Journal, Mark, SealingKeys, SqliteStore, Store, Transaction, Whose};
use otp_wire::{Ask, Login, Scope, SecretText, Verify};

/// When everybody was enrolled.
const ENROLLED: u64 = 1_700_000_000;
const KEY_TYPE: &str = "ssh-ed25519";

/// Everybody in one store.
pub struct People {
    account: String,
    /// For each person what the SSH key is made from.
    keys: Vec<u32>,
    /// For each person the next counter.
    next: Vec<AtomicU64>,
    random: AtomicU64,
}

impl People {
    /// `count` people of `account`, in the order of their fingerprints, so
    /// that the store is filled from the left.
    pub fn new(account: &str, count: usize) -> Self {
        let count = u32::try_from(count).expect("fewer people than on earth");
        let mut keys: Vec<(Fingerprint, u32)> = (0..count).map(|key| (fingerprint(key), key)).collect();
        keys.sort();
        Self {
            account: account.to_owned(),
            keys: keys.into_iter().map(|(_, key)| key).collect(),
            next: (0..count).map(|_| AtomicU64::new(1)).collect(),
            random: AtomicU64::new(0x9e37_79b9_7f4a_7c15),
        }
    }

    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// Somebody.
    pub fn anybody(&self) -> usize {
        // Knuth's MMIX generator: repeatable, and spread over the whole store.
        let next = |state: u64| state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let state = self.random.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| Some(next(state)));
        usize::try_from(state.unwrap_or_else(|state| state) >> 33).expect("31 bits") % self.count()
    }

    /// The person's next code; it is used up.
    pub fn code(&self, person: usize) -> String {
        let counter = self.next[person].fetch_add(1, Ordering::Relaxed);
        otp::code(&secret(person), Algorithm::Sha1, Digits::SIX, counter).to_string()
    }

    /// Takes back the last codes, which weren't used.
    pub fn give_back(&self, person: usize, codes: usize) {
        self.next[person].fetch_sub(codes as u64, Ordering::Relaxed);
    }

    /// What sshd tells PAM about the person.
    pub fn auth_info(&self, person: usize) -> String {
        format!("publickey {KEY_TYPE} {}\n", Base64::encode_string(&blob(self.keys[person])))
    }

    /// A login of the person.
    pub fn login(&self, person: usize) -> Login {
        Login {
            account: self.account.clone(),
            keys: vec![fingerprint(self.keys[person]).to_string()],
            service: "sshd".to_owned(),
            ..Login::default()
        }
    }

    /// The question about such a login, with a new code.
    pub fn verify<S: Scope>(&self, person: usize, login: Login) -> Ask<S> {
        Ask::Verify(Verify { login, code: SecretText::typed(self.code(person).as_bytes()), credential: None })
    }

    /// Enrols everybody: straight into the store, 64 in each commit.
    pub fn enrol(&self, store: &Path, keys: &Path) {
        let keys = Arc::new(SealingKeys::load(keys).expect("a sealing key"));
        let store = SqliteStore::open(store, keys, Journal::Wal).expect("a store");
        let waiting = Mutex::new(0..self.count());
        thread::scope(|scope| {
            for _ in 0..self.count().min(64) {
                scope.spawn(|| {
                    while let Some(person) = take(&waiting) {
                        self.put(&store, person);
                    }
                });
            }
        });
    }

    fn put(&self, store: &SqliteStore, person: usize) {
        let record = self.record(person);
        let mark = Mark { id: (person as u128).to_be_bytes(), uid: 0, digest: [0; 32] };
        let whose = Whose::Owner(record.owner.clone());
        let change = Box::new(|_| Change { record: Some(record), audit: vec![], answer: vec![] });
        // The store forgets requests by this clock.
        let now = ENROLLED + person as u64 / 1000;
        store.transact(Transaction { mark, whose, now, change }).expect("a new owner");
    }

    fn record(&self, person: usize) -> Record {
        let owner = format!("person{person:07}").parse().expect("an owner");
        let number = u32::try_from(person).expect("31 bits").to_be_bytes();
        let id = CredentialId::from_random([0, number[0], number[1], number[2], number[3]]);
        let entry = Entry {
            account: self.account.parse().expect("an account"),
            key: Some(fingerprint(self.keys[person])),
            note: Some("laptop".to_owned()),
            policy: Policy::Code,
            credentials: vec![id.clone()],
            grant: None,
        };
        let codes = (0..SET_SIZE).map(|_| HashedCode { hash: ScratchHash([7; 32]), used: None }).collect();
        let scratch = ScratchSet { kind: ScratchKind::Base32, salt: Salt([1; 16]), created: ENROLLED, codes };
        Record {
            credentials: vec![credential(id, person)],
            entries: vec![entry],
            scratch: vec![scratch],
            ..Record::new(owner)
        }
    }
}

fn take(waiting: &Mutex<std::ops::Range<usize>>) -> Option<usize> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).next()
}

fn credential(id: CredentialId, person: usize) -> Credential {
    Credential {
        id,
        label: "phone".parse().expect("a label"),
        display: None,
        algorithm: Algorithm::Sha1,
        digits: Digits::SIX,
        secret: secret(person),
        factor: Factor::Hotp { next: 0 },
        created: ENROLLED,
        confirmed: Some(ENROLLED),
        last_used: None,
        state: State::Active,
        barred: None,
    }
}

/// The person's secret: as long as real ones, and no secret at all.
pub fn secret(person: usize) -> Secret {
    let mut bytes = *b"for measuring000\0\0\0\0";
    bytes[16..].copy_from_slice(&u32::try_from(person).expect("31 bits").to_be_bytes());
    Secret::copy(&bytes).expect("160 bits")
}

/// A public key as SSH writes it (RFC 8709 §4); nobody has its private half.
fn blob(key: u32) -> Vec<u8> {
    let mut blob = Vec::new();
    let mut point = [0; 32];
    point[..4].copy_from_slice(&key.to_be_bytes());
    for field in [KEY_TYPE.as_bytes(), &point] {
        blob.extend(u32::try_from(field.len()).expect("short").to_be_bytes());
        blob.extend_from_slice(field);
    }
    blob
}

fn fingerprint(key: u32) -> Fingerprint {
    Fingerprint::of_key(KEY_TYPE, &Base64::encode_string(&blob(key))).expect("a key")
}
