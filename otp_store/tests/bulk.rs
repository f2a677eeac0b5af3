//! Many people at once: all of them or none, and everybody else goes on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside of #[test] functions

mod common;

use std::time::{Duration, Instant};

use common::*;
use otp_core::record::{Entry, Factor, Policy};
use otp_core::{Account, CredentialId, Limits, Owner, Record, Secret};
use otp_store::{Arrival, AuditFilter, AuditRow, Error, Fate, Login, Newcomer, SqliteStore, Store};

fn name(number: u32) -> String {
    format!("person{number:05}")
}

/// A record of its own for each number.
fn person(number: u32) -> Record {
    let mut credential = credential(1, Factor::Hotp { next: 0 });
    credential.id = CredentialId::from_random([1, 0, (number >> 16) as u8, (number >> 8) as u8, number as u8]);
    let entry = Entry {
        account: name(number).parse().unwrap(),
        key: None,
        note: None,
        policy: Policy::Code,
        credentials: vec![credential.id.clone()],
        grant: None,
    };
    Record { credentials: vec![credential], entries: vec![entry], ..Record::new(name(number).parse().unwrap()) }
}

fn newcomer(number: u32) -> Newcomer {
    let judge = move |record: Option<Record>| {
        let audit = vec![AuditRow { at: NOW, verdict: "change", account: name(number), ..AuditRow::default() }];
        Ok(record.is_none().then(|| Arrival { record: person(number), audit }))
    };
    Newcomer { owner: name(number).parse().unwrap(), judge: Box::new(judge) }
}

fn newcomers(numbers: std::ops::Range<u32>) -> Vec<Newcomer> {
    numbers.map(newcomer).collect()
}

fn end() -> AuditRow {
    AuditRow { at: NOW, verdict: "change", reason: "bulk".to_owned(), ..AuditRow::default() }
}

/// Every way in which a store could show somebody.
fn shown(store: &SqliteStore, number: u32) -> [bool; 5] {
    let (account, owner): (Account, Owner) = (name(number).parse().unwrap(), name(number).parse().unwrap());
    let login = Login { account: account.clone(), keys: vec![] };
    [
        store.owner_of(&account, None).unwrap().is_some(),
        store.owner_of_login(&login).unwrap().is_some(),
        store.knows(&account).unwrap(),
        store.read(&owner).unwrap().is_some(),
        store.owner_of_credential(&person(number).credentials[0].id).unwrap().is_some(),
    ]
}

fn counted(store: &SqliteStore) -> (usize, u64, u64) {
    let report = store.report(Limits::Usual, NOW).unwrap();
    (store.owners(None).unwrap().len(), report.owners, report.entries)
}

fn rows(place: &Place, table: &str) -> i64 {
    let connection = rusqlite::Connection::open(place.db()).unwrap();
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

/// Waits until nothing of a bulk is left.
fn cleared(place: &Place) {
    let until = Instant::now() + Duration::from_secs(20);
    while rows(place, "bulk") > 0 {
        assert!(Instant::now() < until, "not cleared away");
        std::thread::yield_now();
    }
    assert_eq!((rows(place, "owner"), rows(place, "entry"), rows(place, "credential")), (1, 1, 1), "alice's alone");
}

fn with_alice(place: &Place) -> SqliteStore {
    let store = place.open().unwrap();
    put(&store, 1, record(Factor::Hotp { next: 0 })).unwrap();
    store
}

#[test]
fn nobody_counts_before_all_do() {
    let place = Place::new();
    let store = with_alice(&place);
    let mut bulk = store.bulk().unwrap();
    for slice in 0..4 {
        let fates = bulk.add(newcomers(slice * 100..slice * 100 + 100)).unwrap();
        assert!(fates.iter().all(|fate| *fate == Fate::Taken));
        assert!(verify(&store, 10 + u64::from(slice), &hotp(slice.into())).unwrap(), "others log in");
        assert_eq!((shown(&store, slice * 100), counted(&store)), ([false; 5], (1, 1, 1)));
    }
    bulk.admit(end()).unwrap();
    assert_eq!((shown(&store, 0), shown(&store, 399), counted(&store)), ([true; 5], [true; 5], (401, 401, 401)));
    drop(store);
    let store = place.open().unwrap();
    assert_eq!(counted(&store), (401, 401, 401));
    let audit = store.audit(&AuditFilter { limit: 1000, ..AuditFilter::default() }).unwrap();
    assert_eq!(audit.len(), 401, "one row for each, and one for all");
    // Whoever comes later gets a number that no bulk has.
    put(&store, 2, person(1000)).unwrap();
    assert_eq!(shown(&store, 1000), [true; 5]);
}

#[test]
fn what_is_given_up_leaves_nothing() {
    let place = Place::new();
    let store = with_alice(&place);
    let mut bulk = store.bulk().unwrap();
    bulk.add(newcomers(0..700)).unwrap();
    drop(bulk);
    cleared(&place);
    let mut bulk = store.bulk().unwrap();
    bulk.add(newcomers(0..10)).unwrap();
    bulk.admit(end()).unwrap();
    assert_eq!(counted(&store).0, 11);
}

/// Nobody asks for anything meanwhile, and the write-ahead log is copied all the same.
#[test]
fn what_is_cleared_away_does_not_fill_the_disk() {
    let place = Place::new();
    let store = with_alice(&place);
    let mut bulk = store.bulk().unwrap();
    for slice in 0..30 {
        bulk.add(newcomers(slice * 300..slice * 300 + 300)).unwrap();
    }
    drop(bulk);
    // Whoever looks holds the log as it is: nobody does until it is quiet.
    let log = || std::fs::metadata(place.folder.path().join("store.db-wal")).unwrap();
    let mut written = (log().modified().unwrap(), Instant::now());
    while written.1.elapsed() < Duration::from_millis(500) {
        std::thread::yield_now();
        let last = log().modified().unwrap();
        if last != written.0 {
            written = (last, Instant::now());
        }
    }
    cleared(&place);
    let log = log().len();
    assert!(log < 8 << 20, "{log} bytes");
}

#[test]
fn a_bulk_that_its_verifier_did_not_outlive_leaves_nothing() {
    let place = Place::new();
    drop(with_alice(&place));
    // As a killed verifier leaves it: whole slices in the journal, and no end.
    let copy = place.folder.path().join("killed.db");
    {
        let store = place.open().unwrap();
        let mut bulk = store.bulk().unwrap();
        bulk.add(newcomers(0..700)).unwrap();
        sqlite(&place.db(), &format!("VACUUM INTO '{}'", copy.display()));
    }
    left_by_a_killed_one(&place, &copy);
    let store = place.open().unwrap();
    assert_eq!((shown(&store, 5), counted(&store)), ([false; 5], (1, 1, 1)));
    assert!(verify(&store, 2, &hotp(0)).unwrap());
    cleared(&place);
}

fn left_by_a_killed_one(place: &Place, copy: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::rename(copy, place.db()).unwrap();
    std::fs::set_permissions(place.db(), PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(rows(place, "owner"), 701, "it is what a killed verifier leaves");
}

#[test]
fn one_bulk_at_a_time_and_nobody_twice() {
    let place = Place::new();
    let store = with_alice(&place);
    let mut bulk = store.bulk().unwrap();
    assert!(matches!(store.bulk(), Err(Error::Bulk(_))));
    bulk.add(newcomers(0..2)).unwrap();
    assert!(matches!(bulk.add(newcomers(1..2)).unwrap()[..], [Fate::Refused(_)]), "the second time");
    assert!(matches!(put(&store, 2, person(0)), Err(Error::Bulk(_))), "by another way meanwhile");
    put(&store, 3, person(7)).unwrap();
    assert_eq!(shown(&store, 7), [true; 5], "somebody else comes in meanwhile");
    assert_eq!(bulk.add(newcomers(7..8)).unwrap(), [Fate::Known]);
    bulk.admit(end()).unwrap();
    assert_eq!(counted(&store).0, 4);
}

#[test]
fn who_came_in_meanwhile_by_another_way_stops_all() {
    let place = Place::new();
    let store = with_alice(&place);
    let mut bulk = store.bulk().unwrap();
    bulk.add(newcomers(0..300)).unwrap();
    // The same way in under another owner's name.
    let other = Record { owner: "other".parse().unwrap(), ..person(400) };
    put(&store, 2, Record { credentials: person(401).credentials, ..renamed(other) }).unwrap();
    let taken = bulk.add(vec![newcomer(400)]).unwrap();
    assert!(matches!(&taken[..], [Fate::Refused(why)] if why.contains("another owner")), "{taken:?}");
}

/// The entries name the credentials of number 401.
fn renamed(mut record: Record) -> Record {
    record.entries[0].credentials = vec![person(401).credentials[0].id.clone()];
    record
}

#[test]
fn those_who_have_a_record_are_changed_with_the_others() {
    let place = Place::new();
    let store = with_alice(&place);
    let add = |label: &'static str| Newcomer {
        owner: alice(),
        judge: Box::new(move |record| {
            let mut record = record.ok_or("nobody")?;
            let mut new = credential(9, Factor::Hotp { next: 0 });
            new.label = label.parse().unwrap();
            new.secret = Secret::copy(b"another secret of 160").unwrap();
            record.entries[0].credentials.push(new.id.clone());
            record.credentials.push(new);
            Ok(Some(Arrival { record, audit: vec![] }))
        }),
    };
    let credentials = || store.read(&alice()).unwrap().unwrap().credentials.len();
    let mut bulk = store.bulk().unwrap();
    assert_eq!(bulk.add(vec![add("new")]).unwrap(), [Fate::Taken]);
    assert_eq!(credentials(), 1);
    assert!(verify(&store, 2, &hotp(0)).unwrap());
    bulk.admit(end()).unwrap();
    assert_eq!(credentials(), 2);
    assert!(!verify(&store, 3, &hotp(0)).unwrap(), "what was spent meanwhile stays spent");
}

#[test]
fn a_back_up_holds_nobody_who_was_not_let_in() {
    let place = Place::new();
    let store = with_alice(&place);
    let mut bulk = store.bulk().unwrap();
    bulk.add(newcomers(0..10)).unwrap();
    let mut copy = Vec::new();
    otp_store::backup(&place.db(), &mut copy).unwrap();
    drop(bulk);
    drop(store);
    otp_store::restore(&place.db(), &mut copy.as_slice(), &place.keys, NOW).unwrap();
    let store = place.open().unwrap();
    assert_eq!(counted(&store), (1, 1, 1));
    assert_eq!(rows(&place, "bulk"), 0);
}
