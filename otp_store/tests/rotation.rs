//! Two sealing keys at once, and the day the old one goes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside of #[test] functions

mod common;

use std::fs;
use std::sync::Arc;

use common::*;
use otp_core::CredentialId;
use otp_core::Limits;
use otp_core::record::Factor;
use otp_store::{Error, SealingKeys, Store};

impl Place {
    /// Loads the keys again, as a restart does.
    fn reload(&mut self) {
        self.keys = Arc::new(SealingKeys::load(&self.folder.path().join("keys")).unwrap());
    }
}

#[test]
fn a_record_is_sealed_anew_when_it_is_written_and_then_the_old_key_can_go() {
    let mut place = Place::new();
    let store = place.open().unwrap();
    put(&store, 1, record(Factor::Hotp { next: 0 })).unwrap();
    let mut bob = record(Factor::Hotp { next: 0 });
    bob.owner = "bob".parse().unwrap();
    bob.credentials[0].id = CredentialId::from_random([2; 5]);
    bob.entries.clear();
    put(&store, 2, bob).unwrap();
    assert_eq!(store.report(Limits::Usual, NOW).unwrap().older_key, 0);
    drop(store);

    let keys = place.folder.path().join("keys");
    SealingKeys::create(&keys).unwrap();
    place.reload();
    let store = place.open().unwrap();
    assert_eq!(
        store.report(Limits::Usual, NOW).unwrap().older_key,
        2,
        "the old key opens, the new one has sealed nothing yet"
    );
    assert!(verify(&store, 3, &hotp(0)).unwrap());
    assert_eq!(store.report(Limits::Usual, NOW).unwrap().older_key, 1, "a login seals its owner's record anew");
    drop(store);

    fs::remove_file(keys.join("1.key")).unwrap();
    place.reload();
    let store = place.open().unwrap();
    assert!(verify(&store, 4, &hotp(1)).unwrap(), "what was sealed anew needs no old key");
    assert!(matches!(store.read(&"bob".parse().unwrap()), Err(Error::NoKey(1))), "what was not can't be read");
    assert_eq!(store.report(Limits::Usual, NOW).unwrap().older_key, 1, "and status goes on saying so");
}
