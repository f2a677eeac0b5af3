//! Databases as a phone writes them.

#![allow(clippy::expect_used)]

use std::path::Path;

use rusqlite::Connection;

/// A database that its app has open.
pub struct Phone(Connection);

/// Makes a database with this schema at `path`, with a write-ahead log.
///
/// # Panics
/// When it can't be made.
pub fn database(path: &Path, schema: &str) -> Phone {
    let connection = Connection::open(path).expect("a new database");
    connection.execute_batch(schema).expect("a schema");
    connection.execute_batch("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0").expect("a write-ahead log");
    Phone(connection)
}

impl Phone {
    /// Adds an account.
    ///
    /// # Panics
    /// When the schema has no room for one.
    pub fn add(&self, name: &str, secret: &str) {
        let row = "INSERT INTO accounts (email, secret, type) VALUES (?, ?, 0)";
        self.0.execute(row, [name, secret]).expect("a row");
    }

    /// Begins to write, and goes no further.
    ///
    /// # Panics
    /// When somebody else does that.
    pub fn hold_the_lock(&self) {
        self.0.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    }
}

/// The bytes of a database with one account, after the app was closed.
///
/// # Panics
/// When it can't be made.
#[must_use]
pub fn closed(secret: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("databases");
    let schema = "CREATE TABLE accounts (_id INTEGER PRIMARY KEY, email TEXT NOT NULL, secret TEXT NOT NULL,
                  counter INTEGER DEFAULT 0, type INTEGER)";
    database(&path, schema).add("alice", secret);
    std::fs::read(&path).expect("the database")
}
