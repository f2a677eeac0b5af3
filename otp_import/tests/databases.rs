//! Databases as SQLite itself leaves them behind: rows in the write-ahead log,
//! a change that was cut short, every schema, damage.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers outside of #[test] functions

use std::path::{Path, PathBuf};

use otp_import::{Error, Kind, Parsed, Source, read};
use rusqlite::Connection;

const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const TABLE: &str = "CREATE TABLE accounts (_id INTEGER PRIMARY KEY, email TEXT NOT NULL, secret TEXT NOT NULL,
    counter INTEGER DEFAULT 0, type INTEGER, provider INTEGER DEFAULT 0, issuer TEXT DEFAULT NULL)";

struct Phone {
    folder: tempfile::TempDir,
    connection: Connection,
}

impl Phone {
    fn new(schema: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("databases")).unwrap();
        // Nothing here outlives the test: no waiting for the disk.
        connection.execute_batch("PRAGMA synchronous=OFF").unwrap();
        connection.execute_batch(schema).unwrap();
        Self { folder, connection }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("databases")
    }

    fn add(&self, name: &str) {
        self.connection.execute("INSERT INTO accounts (email, secret, type) VALUES (?, ?, 0)", [name, SECRET]).unwrap();
    }

    fn read(&self) -> Result<Parsed, Error> {
        read_with_logs(&self.path())
    }
}

fn read_with_logs(path: &Path) -> Result<Parsed, Error> {
    let beside = |suffix: &str| std::fs::read(format!("{}{suffix}", path.display())).ok();
    let (bytes, wal, journal) = (std::fs::read(path).unwrap(), beside("-wal"), beside("-journal"));
    read(&[Source {
        name: "databases",
        bytes: &bytes,
        wal: wal.as_deref(),
        journal: journal.as_deref(),
        password: None,
        zone: None,
    }])
}

fn names(parsed: &Parsed) -> Vec<&str> {
    parsed.entries.iter().map(|entry| entry.name.as_str()).collect()
}

#[test]
fn rows_that_lie_only_in_the_log_are_read() {
    let phone = Phone::new(TABLE);
    phone.add("in the file");
    phone.connection.execute_batch("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0").unwrap();
    phone.add("in the log");
    assert_eq!(names(&phone.read().unwrap()), ["in the file", "in the log"]);

    // A later commit of many pages, after a checkpoint that begins the log anew.
    phone.connection.execute_batch("PRAGMA wal_checkpoint(RESTART)").unwrap();
    for number in 0..200 {
        phone.add(&format!("{number}:{}", "x".repeat(100)));
    }
    assert_eq!(phone.read().unwrap().entries.len(), 202);
}

#[test]
fn what_was_never_committed_does_not_count() {
    let phone = Phone::new(TABLE);
    phone.connection.execute_batch("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0").unwrap();
    phone.add("first");
    let committed = std::fs::metadata(format!("{}-wal", phone.path().display())).unwrap().len();
    phone.add("second");
    let log = std::fs::read(format!("{}-wal", phone.path().display())).unwrap();
    let bytes = std::fs::read(phone.path()).unwrap();
    let cut = &log[..log.len() - 1];
    for (log, expected) in [(cut, 1), (&log[..committed as usize], 1), (&log[..], 2)] {
        let source =
            Source { name: "databases", bytes: &bytes, wal: Some(log), journal: None, password: None, zone: None };
        assert_eq!(read(&[source]).unwrap().entries.len(), expected);
    }
    // One flipped bit ends what counts; and says so where nothing is left.
    let mut flipped = log.clone();
    flipped[40] ^= 1;
    let source =
        Source { name: "databases", bytes: &bytes, wal: Some(&flipped), journal: None, password: None, zone: None };
    let read = read(&[source]);
    assert!(read.is_err() || read.is_ok_and(|parsed| parsed.notes.iter().any(|note| note.contains("-wal"))));
}

#[test]
fn a_change_that_was_cut_short_is_rolled_back() {
    let phone = Phone::new(TABLE);
    for number in 0..500 {
        phone.add(&format!("before {number}"));
    }
    // A cache of one page: changes reach the file before they are committed.
    phone
        .connection
        .execute_batch("PRAGMA cache_size=1; BEGIN; UPDATE accounts SET email = 'after', secret = ''")
        .unwrap();
    for _ in 0..500 {
        phone.add("after");
    }
    let journal = std::fs::read(format!("{}-journal", phone.path().display())).unwrap();
    assert!(journal.len() > 1000, "the change reached the file");
    let bytes = std::fs::read(phone.path()).unwrap();
    let without = read(&[Source::of("databases", &bytes)]);
    let before =
        |parsed: &Parsed| parsed.entries.len() == 500 && names(parsed).iter().all(|name| name.starts_with("before"));
    assert!(!without.is_ok_and(|parsed| before(&parsed)), "the file alone holds what was not committed");
    assert!(before(&phone.read().unwrap()));
    phone.connection.execute_batch("ROLLBACK").unwrap();
    assert!(before(&phone.read().unwrap()), "a journal that is over counts for nothing");
}

#[test]
fn every_column_but_four_may_be_missing() {
    for (columns, values) in [
        ("", ""),
        (", provider INTEGER DEFAULT 0", ", 0"),
        (", provider INTEGER DEFAULT 0, issuer TEXT, original_name TEXT", ", 0, NULL, NULL"),
        (", issuer TEXT, isencrypted INTEGER DEFAULT 0", ", NULL, 0"),
        (", issuer TEXT, isencrypted TEXT DEFAULT NULL", ", NULL, NULL"),
    ] {
        let phone = Phone::new(&format!(
            "CREATE TABLE accounts (_id INTEGER PRIMARY KEY, email TEXT NOT NULL, secret TEXT NOT NULL,
             counter INTEGER DEFAULT 0, type INTEGER{columns});
             INSERT INTO accounts VALUES (1, 'Example:alice', '{SECRET}', 7, 1{values})"
        ));
        let parsed = phone.read().unwrap();
        let [entry] = parsed.entries.as_slice() else { panic!("{columns}: {:?}", parsed.skipped) };
        assert_eq!((entry.issuer.as_str(), entry.name.as_str()), ("Example", "alice"));
        assert_eq!(entry.kind, Kind::Hotp { stored: 7, next: 8 });
        assert!(parsed.notes.iter().any(|note| note.contains("algorithm")));
    }
}

#[test]
fn encrypted_rows_are_named_one_by_one() {
    for flag in ["1", "'1'"] {
        let phone = Phone::new(&format!(
            "CREATE TABLE accounts (_id INTEGER PRIMARY KEY, email TEXT NOT NULL, secret TEXT NOT NULL,
             counter INTEGER DEFAULT 0, type INTEGER, issuer TEXT, isencrypted);
             INSERT INTO accounts VALUES (1, 'alice', 'x', 0, 0, 'Example', {flag});
             INSERT INTO accounts VALUES (2, 'Example:bob', 'x', 0, 0, 'Example', {flag});
             INSERT INTO accounts VALUES (3, 'carol', '{SECRET}', 0, 0, 'Example', NULL)"
        ));
        let parsed = phone.read().unwrap();
        assert_eq!(names(&parsed), ["carol"]);
        let skipped: Vec<_> = parsed.skipped.iter().map(|row| (row.row, row.name.as_str())).collect();
        assert_eq!(skipped, [(Some(1), "Example:alice"), (Some(2), "Example:bob")]);
        assert!(parsed.skipped.iter().all(|row| row.reason.contains("Export")));
    }
}

#[test]
fn odd_rows_are_skipped_and_never_trusted() {
    let phone = Phone::new(TABLE);
    for (secret, counter, kind) in [
        ("X'00ff'", "0", "0"),
        ("''", "0", "0"),
        ("'0189'", "0", "0"),
        ("'A'", "-1", "1"),
        ("'AAAA'", "9e999", "1"),
        ("'AAAA'", "0", "'x'"),
    ] {
        let row =
            format!("INSERT INTO accounts (email, secret, counter, type) VALUES ('odd', {secret}, {counter}, {kind})");
        phone.connection.execute_batch(&row).unwrap();
    }
    phone.add("good");
    let parsed = phone.read().unwrap();
    assert_eq!((names(&parsed), parsed.skipped.len()), (vec!["good"], 6));
}

#[test]
fn other_databases_and_tricks_are_refused() {
    for schema in [
        "CREATE TABLE other (x)",
        "CREATE TABLE accounts (x)",
        "CREATE VIEW accounts AS SELECT 'a' email, 'b' secret, 0 counter, 0 type",
    ] {
        let error = Phone::new(schema).read().unwrap_err();
        assert!(error.reason.contains("not Google Authenticator's"), "{schema}: {error}");
    }
}

#[test]
fn no_cut_is_read_as_a_whole_database() {
    let phone = Phone::new(TABLE);
    for number in 0..100 {
        phone.add(&format!("name {number}"));
    }
    let bytes = std::fs::read(phone.path()).unwrap();
    for length in (16..bytes.len()).step_by(509) {
        let error = read(&[Source::of("databases", &bytes[..length])]).unwrap_err();
        assert!(error.hint.is_some(), "{length}: {error}");
    }
}

#[test]
fn no_damage_makes_it_panic() {
    let phone = Phone::new(TABLE);
    phone.connection.execute_batch("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0").unwrap();
    phone.add("alice");
    let bytes = std::fs::read(phone.path()).unwrap();
    let log = std::fs::read(format!("{}-wal", phone.path().display())).unwrap();
    for place in 0..200 {
        let (mut bytes, mut log) = (bytes.clone(), log.clone());
        bytes[place % 100] ^= 0xff;
        log[place] ^= 0xff;
        let _ = read(&[Source {
            name: "databases",
            bytes: &bytes,
            wal: Some(&log),
            journal: Some(&log),
            password: None,
            zone: None,
        }]);
    }
}
