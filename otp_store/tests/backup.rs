//! Back-ups: whole while the store is in use, and never a way back in time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside of #[test] functions

mod common;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use common::*;
use otp_core::Limits;
use otp_core::record::{Factor, State};
use otp_core::{Policy, Record};
use otp_store::{AuditFilter, AuditRow, Change, Error, Restored, SqliteStore, Store, Transaction, Whose};

fn backup(place: &Place) -> Vec<u8> {
    let mut copy = Vec::new();
    let bytes = otp_store::backup(&place.db(), &mut copy).unwrap();
    assert_eq!(bytes, copy.len() as u64);
    assert!(!place.db().with_extension("backup.db").exists(), "no copy stays behind");
    copy
}

fn restore(place: &Place, back: &[u8]) -> Result<Restored, Error> {
    otp_store::restore(&place.db(), &mut { back }, &place.keys, NOW)
}

fn audit(store: &dyn Store, reason: &str, number: u64) {
    let row = AuditRow { at: NOW, verdict: "accept", reason: reason.to_owned(), ..AuditRow::default() };
    let change = Box::new(|_| Change { record: None, audit: vec![row], answer: vec![] });
    store.transact(Transaction { mark: mark(number), whose: Whose::Owner(alice()), now: NOW, change }).unwrap();
}

fn reasons(store: &dyn Store) -> Vec<String> {
    let rows = store.audit(&AuditFilter { limit: 1000, ..AuditFilter::default() }).unwrap();
    rows.into_iter().map(|row| row.reason).collect()
}

#[test]
fn a_code_spent_since_the_back_up_stays_spent() {
    let place = Place::new();
    let store = place.open().unwrap();
    put(&store, 1, record(Factor::Hotp { next: 0 })).unwrap();
    audit(&store, "before", 2);
    let back = backup(&place);
    assert!(verify(&store, 3, &hotp(0)).unwrap());
    audit(&store, "since", 4);
    assert!(matches!(restore(&place, &back), Err(Error::InUse)));
    drop(store);

    let restored = restore(&place, &back).unwrap();
    let aside = restored.aside.clone().unwrap();
    assert_eq!(restored, Restored { owners: 1, lost: 0, kept: 0, aside: restored.aside.clone() });
    let store = place.open().unwrap();
    assert!(!verify(&store, 5, &hotp(0)).unwrap(), "spent after the back-up was made");
    assert!(verify(&store, 6, &hotp(1)).unwrap());
    assert_eq!(reasons(&store), ["restored a back-up of 1 owner(s)", "since", "before"]);
    drop(store);
    assert!(!place.folder.path().join("store.db-wal").exists(), "an orderly end leaves no journal");

    fs::rename(aside, place.db()).unwrap();
    assert!(verify(&place.open().unwrap(), 7, &hotp(1)).unwrap(), "the store before is kept, and whole");
}

#[test]
fn what_was_left_in_the_journal_of_a_killed_verifier_counts() {
    let place = Place::new();
    let store = place.open().unwrap();
    put(&store, 1, record(Factor::Hotp { next: 0 })).unwrap();
    let back = backup(&place);
    assert!(verify(&store, 2, &hotp(0)).unwrap());
    // What a kill leaves: the files as they are now, without an orderly end.
    let killed = Place { folder: tempfile::tempdir().unwrap(), keys: place.keys.clone() };
    for file in ["store.db", "store.db-wal"] {
        fs::copy(place.folder.path().join(file), killed.folder.path().join(file)).unwrap();
    }
    assert_eq!(restore(&killed, &back).unwrap().lost, 0);
    assert!(!killed.folder.path().join("store.db-wal").exists());
    let store = killed.open().unwrap();
    assert!(!verify(&store, 3, &hotp(0)).unwrap() && verify(&store, 4, &hotp(1)).unwrap());
}

#[test]
fn where_the_store_before_is_lost_what_may_be_spent_is() {
    let remove: fn(&Path) = |path| fs::remove_file(path).unwrap();
    let overwrite: fn(&Path) = |path| fs::write(path, [7; 9000]).unwrap();
    for lose in [remove, overwrite] {
        let place = Place::new();
        put(&place.open().unwrap(), 1, record(Factor::Hotp { next: 0 })).unwrap();
        let back = backup(&place);
        lose(&place.db());
        let there = place.db().exists();
        let restored = restore(&place, &back).unwrap();
        assert_eq!((restored.lost, restored.aside.is_some()), (1, there));
        let store = place.open().unwrap();
        assert_eq!(store.read(&alice()).unwrap().unwrap().credentials[0].state, State::Disabled);
        assert!(!verify(&store, 2, &hotp(0)).unwrap());
    }
}

#[test]
fn an_empty_store_is_no_proof_that_nothing_was_spent() {
    let place = Place::new();
    put(&place.open().unwrap(), 1, record(Factor::Hotp { next: 0 })).unwrap();
    let back = backup(&place);
    fs::remove_file(place.db()).unwrap();
    SqliteStore::create(&place.db()).unwrap();
    assert_eq!(restore(&place, &back).unwrap().lost, 1);
    assert!(!verify(&place.open().unwrap(), 2, &hotp(0)).unwrap());
}

#[test]
fn who_was_enrolled_since_stays_and_a_key_given_away_stays_away() {
    let place = Place::new();
    let store = place.open().unwrap();
    put(&store, 1, record(Factor::Hotp { next: 0 })).unwrap();
    let back = backup(&place);
    let mut without = record(Factor::Hotp { next: 0 });
    without.entries.clear();
    put(&store, 2, without).unwrap();
    let mut bob = record(Factor::Hotp { next: 3 });
    bob.owner = "bob".parse().unwrap();
    bob.credentials[0].id = otp_core::CredentialId::from_random([2; 5]);
    bob.entries[0].policy = Policy::None { until: None };
    put(&store, 3, bob).unwrap();
    drop(store);

    assert_eq!(restore(&place, &back).unwrap().kept, 1);
    let store = place.open().unwrap();
    assert_eq!(store.owner_of(&account(), None).unwrap(), Some("bob".parse().unwrap()));
    assert!(store.read(&alice()).unwrap().unwrap().entries.is_empty());
}

/// Whoever had a code once is asked for one for good, and a back-up knows no better.
#[test]
fn an_account_that_lost_its_entries_stays_known() {
    let place = Place::new();
    let store = place.open().unwrap();
    assert!(!store.knows(&account()).unwrap());
    let back = backup(&place);
    put(&store, 1, record(Factor::Hotp { next: 0 })).unwrap();
    put(&store, 2, Record { entries: vec![], ..record(Factor::Hotp { next: 0 }) }).unwrap();
    assert_eq!(store.owner_of(&account(), None).unwrap(), None);
    assert!(store.knows(&account()).unwrap());
    drop(store);
    assert!(place.open().unwrap().knows(&account()).unwrap(), "after a restart");
    restore(&place, &back).unwrap();
    assert!(place.open().unwrap().knows(&account()).unwrap(), "after an older back-up");
}

#[test]
fn no_back_up_leaves_everything_as_it_was() {
    let place = Place::new();
    put(&place.open().unwrap(), 1, record(Factor::Hotp { next: 0 })).unwrap();
    let back = backup(&place);
    let foreign = place.folder.path().join("foreign.db");
    sqlite(&foreign, "CREATE TABLE t (x)");
    let changed = place.folder.path().join("changed.db");
    fs::write(&changed, &back).unwrap();
    sqlite(&changed, "CREATE TRIGGER t AFTER UPDATE ON owner BEGIN DELETE FROM owner; END");
    let other = Place::new();
    put(&other.open().unwrap(), 1, record(Factor::Hotp { next: 0 })).unwrap();
    let before = fs::read(place.db()).unwrap();
    let names = || {
        let mut names: Vec<_> =
            fs::read_dir(place.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.retain(|name| !name.to_string_lossy().contains("db-")); // SQLite's own, empty
        names.sort();
        names
    };
    let files = names();
    for bad in [
        &b""[..],
        &b"no database"[..],
        &back[..back.len() / 2],
        &fs::read(&foreign).unwrap(),
        &fs::read(&changed).unwrap(),
        &backup(&other), // sealed with another key
    ] {
        assert!(restore(&place, bad).is_err());
        assert_eq!((fs::read(place.db()).unwrap() == before, names()), (true, files.clone()));
    }
    assert!(verify(&place.open().unwrap(), 2, &hotp(0)).unwrap());
}

#[test]
fn an_older_back_up_is_brought_up() {
    let place = Place::new();
    put(&place.open().unwrap(), 1, record(Factor::Hotp { next: 0 })).unwrap();
    let old = place.folder.path().join("old.db");
    fs::write(&old, backup(&place)).unwrap();
    for column in ["count", "until", "total"] {
        sqlite(&old, &format!("ALTER TABLE audit DROP COLUMN {column}"));
    }
    sqlite(&old, "DROP INDEX owner_sealing_key; DROP TABLE bulk; DROP TABLE former; PRAGMA user_version = 1");
    restore(&place, &fs::read(old).unwrap()).unwrap();
    assert_eq!(place.open().unwrap().report(Limits::Usual, NOW).unwrap().schema, 5);
}

#[test]
fn every_back_up_under_load_is_whole() {
    let place = Place::new();
    let store = place.open().unwrap();
    put(&store, 1, record(Factor::Hotp { next: 0 })).unwrap();
    let ended = AtomicBool::new(false);
    let copies = std::thread::scope(|scope| {
        let (store, ended) = (&store, &ended);
        let load = scope.spawn(move || {
            let mut counter = 0;
            while !ended.load(Ordering::SeqCst) {
                assert!(verify(store, counter + 2, &hotp(counter)).unwrap());
                counter += 1;
            }
            counter
        });
        let copies: Vec<_> = (0..10).map(|_| backup(&place)).collect();
        ended.store(true, Ordering::SeqCst);
        assert!(load.join().unwrap() > 0, "logins went on");
        copies
    });
    drop(store);
    for copy in copies {
        assert_eq!(restore(&place, &copy).unwrap().lost, 0);
    }
}
