//! A store to try, and short ways to use it.

#![allow(dead_code)] // each test program uses a part

use std::path::Path;
use std::sync::Arc;

use otp_core::Terms;
use otp_core::decide::Shown;
use otp_core::record::{Entry, Factor, Policy, State};
use otp_core::{
    Account, Algorithm, Attempt, Credential, CredentialId, Digits, Input, Owner, Record, Secret, Verdict, decide, otp,
};
use otp_store::{Answered, Change, Error, Journal, Mark, SealingKeys, SqliteStore, Store, Transaction, Whose};

pub const NOW: u64 = 1_800_000_000;
pub const SECRET: &[u8] = b"12345678901234567890";

/// A store in a folder of its own, with its keys.
pub struct Place {
    pub folder: tempfile::TempDir,
    pub keys: Arc<SealingKeys>,
}

impl Place {
    pub fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap())
    }

    pub fn at(folder: tempfile::TempDir) -> Self {
        let keys = folder.path().join("keys");
        otp_store::place::make_folder(&keys).unwrap();
        SealingKeys::create(&keys).unwrap();
        let keys = Arc::new(SealingKeys::load(&keys).unwrap());
        SqliteStore::create(&folder.path().join("store.db")).unwrap();
        Self { folder, keys }
    }

    pub fn db(&self) -> std::path::PathBuf {
        self.folder.path().join("store.db")
    }

    pub fn open(&self) -> Result<SqliteStore, Error> {
        SqliteStore::open(&self.db(), Arc::clone(&self.keys), Journal::Wal)
    }
}

pub fn alice() -> Owner {
    "alice".parse().unwrap()
}

pub fn account() -> Account {
    "alice".parse().unwrap()
}

pub fn credential(number: u8, factor: Factor) -> Credential {
    Credential {
        id: CredentialId::from_random([number; 5]),
        label: format!("phone{number}").parse().unwrap(),
        display: Some("My phone".to_owned()),
        algorithm: Algorithm::Sha1,
        digits: Digits::SIX,
        secret: Secret::copy(SECRET).unwrap(),
        factor,
        created: NOW,
        confirmed: None,
        last_used: None,
        state: State::Active,
        barred: None,
    }
}

pub fn record(factor: Factor) -> Record {
    let credential = credential(1, factor);
    let entry = Entry {
        account: account(),
        key: None,
        note: None,
        policy: Policy::Code,
        credentials: vec![credential.id.clone()],
        grant: None,
    };
    Record { credentials: vec![credential], entries: vec![entry], ..Record::new(alice()) }
}

pub fn mark(number: u64) -> Mark {
    Mark { id: u128::from(number).to_be_bytes(), uid: 0, digest: [1; 32] }
}

pub fn put(store: &dyn Store, number: u64, record: Record) -> Result<Answered, Error> {
    let whose = Whose::Owner(record.owner.clone());
    let change = Box::new(|_| Change { record: Some(record), audit: vec![], answer: b"put".to_vec() });
    store.transact(Transaction { mark: mark(number), whose, now: NOW, change })
}

/// Judges `input` at alice's only way in; whether it was accepted, and the record to keep.
pub fn judge(record: Option<Record>, input: &Input) -> (bool, Record) {
    let (account, shown) = (account(), Shown::Fact { service: "sshd", keys: &[] });
    let limits = otp_core::Limits::Usual;
    let attempt = Attempt { account: &account, shown, input, hashes: &[], only: None, limits, terms: Terms::default() };
    let (verdict, record) = decide(record.unwrap(), &attempt, NOW);
    (matches!(verdict, Verdict::Accept(_)), record)
}

/// Verifies `code` and says whether it was accepted.
pub fn verify(store: &dyn Store, number: u64, code: &str) -> Result<bool, Error> {
    let input = Input::parse(code.as_bytes());
    let (tell, told) = std::sync::mpsc::channel();
    let change = Box::new(move |record: Option<Record>| {
        let (accepted, record) = judge(record, &input);
        tell.send(accepted).unwrap();
        Change { record: Some(record), audit: vec![], answer: vec![] }
    });
    store.transact(Transaction { mark: mark(number), whose: Whose::Owner(alice()), now: NOW, change })?;
    Ok(told.recv().unwrap())
}

pub fn hotp(counter: u64) -> String {
    otp::code(&Secret::copy(SECRET).unwrap(), Algorithm::Sha1, Digits::SIX, counter).to_string()
}

pub fn sqlite(path: &Path, statement: &str) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch(statement).unwrap();
}
