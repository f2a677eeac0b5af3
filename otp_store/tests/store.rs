//! The store: durable, one code once, and nothing that isn't ours is touched.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside of #[test] functions

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Barrier};

use base64ct::{Base64, Encoding};
use common::*;
use otp_core::Limits;
use otp_core::record::{Factor, State};
use otp_core::scratch::{HashedCode, Salt, ScratchKind, ScratchSet};
use otp_core::{Credential, CredentialId, Period, Secret};
use otp_store::{
    Answered, AuditFilter, AuditRow, Change, Error, Journal, Mark, SealingKeys, SqliteStore, Store, Transaction, Whose,
    scratch_hash,
};

#[test]
fn a_record_comes_back_as_it_was_kept() {
    let place = Place::new();
    let mut full = record(Factor::Totp { period: Period::DEFAULT, last_step: Some(7), skew: -3, window: 2 });
    full.credentials.push(Credential {
        state: State::Revoked { at: NOW },
        last_used: Some(NOW),
        confirmed: Some(NOW),
        ..credential(2, Factor::Hotp { next: u64::MAX })
    });
    let salt = scratch_hash::salt().unwrap();
    let hash = scratch_hash::hash(ScratchKind::Base32, b"ABCDEFGHIJKL2345", &salt).unwrap();
    for kind in [ScratchKind::Base32, ScratchKind::EightDigits] {
        let codes = vec![HashedCode { hash, used: Some(NOW) }, HashedCode { hash, used: None }];
        full.scratch.push(ScratchSet { kind, salt: salt.clone(), created: NOW, codes });
    }
    let shown = format!("{full:?}");
    put(&place.open().unwrap(), 1, full).unwrap();
    let store = place.open().unwrap();
    let back = store.read(&alice()).unwrap().unwrap();
    assert_eq!(format!("{back:?}"), shown);
    assert_eq!(back.credentials[0].secret, Secret::copy(SECRET).unwrap());
    for set in &back.scratch {
        assert!(set.salt == salt && set.codes[0].hash.0 == hash.0, "{:?}", set.kind);
    }
    assert_eq!(store.owner_of(&account(), None).unwrap(), Some(alice()));
    assert_eq!(store.owner_of_credential(&CredentialId::from_random([2; 5])).unwrap(), Some(alice()));
}

#[test]
fn eight_digits_are_hashed_with_a_key() {
    let hash = |kind, code: &[u8], salt: u8| scratch_hash::hash(kind, code, &Salt([salt; 16])).unwrap().0;
    let kind = ScratchKind::EightDigits;
    assert_eq!(hash(kind, b"12345678", 1), hash(kind, b"12345678", 1));
    for other in [hash(kind, b"12345679", 1), hash(kind, b"12345678", 2), hash(ScratchKind::Base32, b"12345678", 1)] {
        assert_ne!(hash(kind, b"12345678", 1), other);
    }
}

#[test]
fn no_secret_lies_on_the_disk() {
    let place = Place::new();
    let mut with_codes = record(Factor::Hotp { next: 0 });
    let salt = Salt(*b"a key of a set's");
    with_codes.scratch =
        vec![ScratchSet { kind: ScratchKind::EightDigits, salt: salt.clone(), created: NOW, codes: vec![] }];
    put(&place.open().unwrap(), 1, with_codes).unwrap();
    let base32 = Secret::copy(SECRET).unwrap().to_base32();
    let salt_base64 = Base64::encode_string(&salt.0);
    for file in
        fs::read_dir(place.folder.path()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file())
    {
        let content = fs::read(&file).unwrap();
        for needle in [SECRET, base32.as_bytes(), &salt.0, salt_base64.as_bytes()] {
            assert!(!content.windows(needle.len()).any(|window| window == needle), "{}", file.display());
        }
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0, "{}", file.display());
    }
}

#[test]
fn of_many_threads_with_one_code_one_wins() {
    let place = Place::new();
    let store = Arc::new(place.open().unwrap());
    put(&*store, 1, record(Factor::Hotp { next: 0 })).unwrap();
    for round in 0..20 {
        let barrier = Arc::new(Barrier::new(16));
        let threads: Vec<_> = (0..16)
            .map(|thread| {
                let (store, barrier) = (Arc::clone(&store), Arc::clone(&barrier));
                std::thread::spawn(move || {
                    barrier.wait();
                    verify(&*store, 1000 + round * 16 + thread, &hotp(round)).unwrap()
                })
            })
            .collect();
        let accepted = threads.into_iter().map(|thread| thread.join().unwrap()).filter(|yes| *yes).count();
        assert_eq!(accepted, 1, "round {round}");
    }
}

/// While a checkpoint comes to its end requests are judged ahead of their
/// transaction: of several about one record each sees what the others left.
#[test]
fn every_change_is_seen_by_the_next_whatever_is_copied_meanwhile() {
    let place = Place::new();
    let store = place.open().unwrap();
    put(&store, 0, record(Factor::Hotp { next: 0 })).unwrap();
    let long = "x".repeat(4000); // so that the log is full again soon
    let (threads, each) = (64_u64, 60_u64);
    let count_one = |number: u64| {
        let reason = long.clone();
        let change = move |record: Option<otp_core::Record>| {
            let mut record = record.unwrap();
            let Factor::Hotp { next } = &mut record.credentials[0].factor else { panic!() };
            *next += 1;
            let row = AuditRow { at: NOW, verdict: "change", reason, ..AuditRow::default() };
            Change { record: Some(record), audit: vec![row], answer: vec![] }
        };
        let whose = Whose::Owner(alice());
        store.transact(Transaction { mark: mark(number), whose, now: NOW, change: Box::new(change) }).unwrap();
    };
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let count_one = &count_one;
            scope.spawn(move || (0..each).for_each(|number| count_one(1 + thread * each + number)));
        }
    });
    let record = store.read(&alice()).unwrap().unwrap();
    assert_eq!(record.credentials[0].factor, Factor::Hotp { next: threads * each });
    let log = fs::metadata(place.folder.path().join("store.db-wal")).unwrap().len();
    assert!(log < 8_000_000, "of 16 MB that were written the log holds {log}: it began anew");
}

#[test]
fn a_spent_code_stays_spent_after_reopening() {
    let place = Place::new();
    let store = place.open().unwrap();
    put(&store, 1, record(Factor::Hotp { next: 0 })).unwrap();
    assert!(verify(&store, 2, &hotp(0)).unwrap());
    drop(store);
    let store = place.open().unwrap();
    assert!(!verify(&store, 3, &hotp(0)).unwrap());
    assert!(verify(&store, 4, &hotp(1)).unwrap());
}

#[test]
fn asking_again_gets_the_same_answer_for_ten_seconds() {
    let place = Place::new();
    let store = place.open().unwrap();
    let made = |answer: &[u8]| Answered::Now { audit: vec![], answer: answer.to_vec() };
    assert_eq!(put(&store, 1, record(Factor::Hotp { next: 0 })).unwrap(), made(b"put"));
    assert_eq!(put(&store, 1, record(Factor::Hotp { next: 5 })).unwrap(), Answered::Before(b"put".to_vec()));
    let later = |mark, now| {
        let change = Box::new(|_| Change { record: None, audit: vec![], answer: vec![] });
        store.transact(Transaction { mark, whose: Whose::Owner(alice()), now, change })
    };
    assert!(matches!(later(Mark { uid: 1, ..mark(1) }, NOW + 9), Err(Error::Reused)));
    assert!(matches!(later(Mark { digest: [2; 32], ..mark(1) }, NOW + 9), Err(Error::Reused)));
    assert_eq!(later(mark(1), NOW + 11).unwrap(), made(b""));
}

#[test]
fn one_failing_change_spoils_no_other() {
    let place = Place::new();
    let store = place.open().unwrap();
    put(&store, 1, record(Factor::Hotp { next: 0 })).unwrap();
    std::panic::set_hook(Box::new(|_| {}));
    // A third breaks within, a third wants an entry of alice's, and a third is good.
    let ask = |number: u64| {
        let owner: otp_core::Owner = format!("owner{number}").parse().unwrap();
        let mut record = match number % 3 {
            1 => record(Factor::Hotp { next: 0 }),
            _ => otp_core::Record::new(owner.clone()),
        };
        record.owner = owner.clone();
        record.credentials.clear();
        let change = Box::new(move |_| {
            assert!(!number.is_multiple_of(3), "on purpose");
            let row = AuditRow { at: NOW, verdict: "change", reason: number.to_string(), ..AuditRow::default() };
            Change { record: Some(record), audit: vec![row], answer: vec![] }
        });
        store.transact(Transaction { mark: mark(100 + number), whose: Whose::Owner(owner), now: NOW, change })
    };
    // They wait together, so that most of them share a commit.
    let all = Barrier::new(31);
    let begin = |number| (all.wait(), ask(number)).1;
    let answers: Vec<_> = std::thread::scope(|scope| {
        let (begun, (go, wait)) = (Arc::new(Barrier::new(2)), std::sync::mpsc::channel::<()>());
        let (inside, held) = (Arc::clone(&begun), &store);
        let hold = Box::new(move |_| {
            inside.wait();
            let _ = wait.recv();
            Change { record: None, audit: vec![], answer: vec![] }
        });
        let hold = Transaction { mark: mark(2), whose: Whose::Owner(alice()), now: NOW, change: hold };
        let first = scope.spawn(move || held.transact(hold).is_ok());
        begun.wait();
        let begin = &begin;
        let threads: Vec<_> = (0..30).map(|number| scope.spawn(move || begin(number))).collect();
        all.wait();
        drop(go);
        assert!(first.join().unwrap());
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (number, answer) in (0..).zip(&answers) {
        let as_told = match number % 3 {
            0 => matches!(answer, Err(Error::Damaged(_))),
            1 => matches!(answer, Err(Error::Taken)),
            _ => matches!(answer, Ok(Answered::Now { .. })),
        };
        assert!(as_told, "{number}: {answer:?}");
        let kept = store.read(&format!("owner{number}").parse().unwrap()).unwrap().is_some();
        assert_eq!(kept, number % 3 == 2, "{number}");
    }
    let rows = store.audit(&AuditFilter { limit: 100, ..AuditFilter::default() }).unwrap();
    assert_eq!(rows.len(), 10, "what failed left nothing behind");
    for number in (0..30).filter(|number| number % 3 == 2) {
        assert!(matches!(ask(number), Ok(Answered::Before(_))), "{number} is remembered");
    }
}

#[test]
fn an_entry_belongs_to_one_owner() {
    let place = Place::new();
    let store = place.open().unwrap();
    put(&store, 1, record(Factor::Hotp { next: 0 })).unwrap();
    let mut stolen = record(Factor::Hotp { next: 0 });
    stolen.owner = "mallory".parse().unwrap();
    stolen.credentials[0].id = CredentialId::from_random([9; 5]);
    assert!(matches!(put(&store, 2, stolen), Err(Error::Taken)));
    assert!(store.read(&"mallory".parse().unwrap()).unwrap().is_none());
}

fn refused_and_unchanged(place: &Place) -> Error {
    let before = fs::read(place.db()).unwrap();
    let error = place.open().err().expect("must be refused");
    assert_eq!(fs::read(place.db()).unwrap(), before, "a refused file is left as it is");
    error
}

#[test]
fn foreign_newer_and_damaged_files_are_refused() {
    let place = Place::new();
    let write = |content: &[u8]| {
        fs::write(place.db(), content).unwrap();
        fs::set_permissions(place.db(), fs::Permissions::from_mode(0o600)).unwrap();
    };
    write(b"this is no database at all, but long enough to have a header of its own: one hundred bytes or more it is.");
    assert!(matches!(refused_and_unchanged(&place), Error::Sqlite(_)));

    fs::remove_file(place.db()).unwrap();
    sqlite(&place.db(), "CREATE TABLE accounts (secret TEXT)");
    fs::set_permissions(place.db(), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(refused_and_unchanged(&place), Error::Foreign(_)));

    fs::write(place.db(), b"").unwrap();
    assert!(matches!(refused_and_unchanged(&place), Error::Foreign(_)), "empty");

    fs::remove_file(place.db()).unwrap();
    assert!(matches!(place.open(), Err(Error::Place(..))), "missing");
    assert!(!place.db().exists(), "a missing store is not made again");

    SqliteStore::create(&place.db()).unwrap();
    sqlite(&place.db(), "PRAGMA user_version = 99");
    assert!(matches!(refused_and_unchanged(&place), Error::Newer(99)));
}

#[test]
fn a_truncated_store_accepts_nothing() {
    let place = Place::new();
    put(&place.open().unwrap(), 1, record(Factor::Hotp { next: 0 })).unwrap();
    sqlite(&place.db(), "PRAGMA wal_checkpoint(TRUNCATE)");
    let whole = fs::read(place.db()).unwrap();
    for pages in [1, whole.len() / 8192, whole.len() / 4096 - 1] {
        fs::write(place.db(), &whole[..pages * 4096]).unwrap();
        let verdict = place.open().and_then(|store| verify(&store, 7, &hotp(0)));
        assert!(!matches!(verdict, Ok(true)), "{pages} pages");
    }
}

#[test]
fn a_record_changed_behind_our_back_is_noticed() {
    let place = Place::new();
    put(&place.open().unwrap(), 1, record(Factor::Hotp { next: 7 })).unwrap();
    let reset = r#"UPDATE owner SET record = CAST(replace(CAST(record AS TEXT), '"next":7', '"next":0') AS BLOB)"#;
    sqlite(&place.db(), reset);
    assert!(matches!(verify(&place.open().unwrap(), 2, &hotp(0)), Err(Error::Damaged(_))));
}

#[test]
fn careless_places_are_refused() {
    let place = Place::new();
    drop(place.open().unwrap());
    let path = place.db();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(place.open(), Err(Error::Place(..))));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::hard_link(&path, place.folder.path().join("second")).unwrap();
    assert!(matches!(place.open(), Err(Error::Place(..))));
    fs::remove_file(place.folder.path().join("second")).unwrap();
    fs::rename(&path, place.folder.path().join("real.db")).unwrap();
    std::os::unix::fs::symlink(place.folder.path().join("real.db"), &path).unwrap();
    assert!(matches!(place.open(), Err(Error::Place(..))));
    fs::remove_file(&path).unwrap();
    fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(place.open(), Err(Error::Place(..))));
}

/// A store as version 1 made it, with alice in it.
fn version_1(place: &Place) {
    put(&place.open().unwrap(), 1, record(Factor::Hotp { next: 7 })).unwrap();
    let new = place.folder.path().join("new.db");
    fs::rename(place.db(), &new).unwrap();
    sqlite(&place.db(), include_str!("version_1.sql"));
    let carry = format!(
        "ATTACH '{}' AS new;
         INSERT INTO owner SELECT * FROM new.owner;
         INSERT INTO entry SELECT * FROM new.entry;
         INSERT INTO credential SELECT * FROM new.credential;
         INSERT INTO audit VALUES (1, {NOW}, 'accept', 'code', 'alice', 'alice', 'su', '', '', 0, 0),
                                  (2, {NOW}, 'refuse', 'wrong', 'alice', 'alice', 'su', '', '', 0, 0);",
        new.display()
    );
    sqlite(&place.db(), &carry);
    fs::remove_file(new).unwrap();
    fs::set_permissions(place.db(), fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_store_of_version_1_is_brought_up_and_a_copy_kept() {
    let place = Place::new();
    version_1(&place);
    let store = place.open().unwrap();
    assert_eq!(store.report(Limits::Usual, NOW).unwrap().schema, 5);
    assert!(verify(&store, 2, &hotp(7)).unwrap() && !verify(&store, 3, &hotp(7)).unwrap());
    let rows = store.audit(&AuditFilter { limit: 9, ..AuditFilter::default() }).unwrap();
    assert_eq!(rows.iter().map(|row| (row.id, row.count, row.until)).collect::<Vec<_>>(), [(2, 1, None), (1, 1, None)]);
    let copy = place.db().with_extension("schema-1.db");
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let copy = rusqlite::Connection::open(copy).unwrap();
    let count = |query: &str| copy.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((count("PRAGMA user_version"), count("SELECT count(*) FROM owner")), (1, 1));
}

#[test]
fn a_migration_that_was_cut_short_is_made_again() {
    let place = Place::new();
    version_1(&place);
    // The copy was made, and then the power went away.
    fs::write(place.db().with_extension("schema-1.db"), b"half a copy").unwrap();
    assert_eq!(place.open().unwrap().report(Limits::Usual, NOW).unwrap().schema, 5);
}

/// A start that was cut short, or met a full disk, is in nobody's way later.
#[test]
fn a_store_and_a_key_are_made_as_a_whole_or_not_at_all() {
    let place = Place::new();
    let folder = place.folder.path().join("another");
    otp_store::place::make_folder(&folder).unwrap();
    let db = folder.join("store.db");
    for (left, bytes) in
        [("store.db.new", &b"half a store"[..]), ("store.db.new-journal", b"half"), ("1.key.new", b"k")]
    {
        fs::write(folder.join(left), bytes).unwrap();
    }
    SealingKeys::create(&folder).unwrap();
    SqliteStore::create(&db).unwrap();
    assert!(matches!(SqliteStore::create(&db), Err(Error::Io(..))), "what is there stays");
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|one| one.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["1.key", "store.db", "store.lock"]);
    let mode = |name: &str| fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("1.key"), mode("store.db")), (0o400, 0o600));
    let keys = Arc::new(SealingKeys::load(&folder).unwrap());
    let store = SqliteStore::open(&db, keys, Journal::Wal).unwrap();
    put(&store, 1, record(Factor::Hotp { next: 0 })).unwrap();

    // A folder that takes no further name.
    let key = folder.join("2.key");
    fs::create_dir(key.with_extension("key.new")).unwrap();
    assert!(otp_store::place::write_new(&key, b"key", 0o400).is_err());
    assert!(!key.exists());
}

/// Until then, what was committed can't be copied out of the write-ahead log.
#[test]
fn the_log_is_short_again_when_a_long_reading_ends() {
    let place = Place::new();
    let store = place.open().unwrap();
    put(&store, 0, record(Factor::Hotp { next: 0 })).unwrap();
    let long = "x".repeat(4000);
    let write = |number| {
        let audit = |_| AuditRow { at: NOW, verdict: "change", reason: long.clone(), ..AuditRow::default() };
        let change = Change { record: None, audit: (0..100).map(audit).collect(), answer: vec![] };
        let whose = Whose::Owner(alice());
        store.transact(Transaction { mark: mark(number), whose, now: NOW, change: Box::new(|_| change) }).unwrap();
        fs::metadata(place.folder.path().join("store.db-wal")).unwrap().len()
    };
    let reader = rusqlite::Connection::open(place.db()).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM owner").unwrap();
    let grown = (1..100).map(write).find(|log| *log > 20_000_000);
    assert!(grown.is_some(), "the reader holds the log");
    drop(reader);
    let shortened = (100..200).map(write).find(|log| *log <= 8_000_000);
    assert!(shortened.is_some(), "{} bytes stay", write(200));
}
