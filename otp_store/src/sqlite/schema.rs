//! The schema, and the way from each version to the next.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::Journal;
use crate::Error;

/// SQLite's application_id of our stores: "oath" in ASCII.
const APPLICATION_ID: i32 = 0x6f61_7468;

/// One step each; `user_version` counts the steps that were taken.
const MIGRATIONS: [&str; 5] = [VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5];

const VERSION_1: &str = "
    CREATE TABLE owner (
        id          INTEGER PRIMARY KEY,
        name        TEXT    NOT NULL UNIQUE,
        record      BLOB    NOT NULL,
        sealing_key INTEGER NOT NULL,
        mac         BLOB    NOT NULL
    ) STRICT;

    -- Where the entries and credentials of the records are, to find the record.
    CREATE TABLE entry (
        account TEXT    NOT NULL,
        key     TEXT    NOT NULL,   -- SHA256:…, or empty for logins without a key
        owner   INTEGER NOT NULL REFERENCES owner (id),
        PRIMARY KEY (account, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX entry_owner ON entry (owner);
    CREATE TABLE credential (
        id    TEXT    PRIMARY KEY,
        owner INTEGER NOT NULL REFERENCES owner (id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX credential_owner ON credential (owner);

    -- Requests that were answered, to answer them again.
    CREATE TABLE request (
        id     BLOB    PRIMARY KEY,
        uid    INTEGER NOT NULL,
        digest BLOB    NOT NULL,
        at     INTEGER NOT NULL,
        answer BLOB    NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX request_at ON request (at);

    CREATE TABLE audit (
        id      INTEGER PRIMARY KEY AUTOINCREMENT,
        at      INTEGER NOT NULL,
        verdict TEXT    NOT NULL,
        reason  TEXT    NOT NULL,
        account TEXT    NOT NULL,
        owner   TEXT    NOT NULL,
        service TEXT    NOT NULL,
        key     TEXT    NOT NULL,
        address TEXT    NOT NULL,
        peer    INTEGER NOT NULL,
        claimed INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX audit_account ON audit (account, id);
";

const VERSION_2: &str = "
    -- Repeated refusals: how many, and when the last one was.
    ALTER TABLE audit ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE audit ADD COLUMN until INTEGER;
    -- Bytes of all rows up to this one, so that the size of the rest is known at once.
    ALTER TABLE audit ADD COLUMN total INTEGER NOT NULL DEFAULT 0;
    UPDATE audit SET total = sums.total FROM (
        SELECT id, sum(150 + length(reason) + length(account) + length(owner) + length(service) + length(key)
                       + length(address)) OVER (ORDER BY id) AS total FROM audit
    ) AS sums WHERE sums.id = audit.id;

    -- Which records need an older sealing key, without reading them all.
    CREATE INDEX owner_sealing_key ON owner (sealing_key);
";

const VERSION_3: &str = "
    -- In the order of their coming; where each is, the writer knows.
    DROP TABLE request;
    CREATE TABLE request (
        number INTEGER PRIMARY KEY,
        id     BLOB    NOT NULL,
        uid    INTEGER NOT NULL,
        digest BLOB    NOT NULL,
        at     INTEGER NOT NULL,
        answer BLOB    NOT NULL
    ) STRICT;

    -- The same without AUTOINCREMENT, which writes a page more for each row. The
    -- newest row is never removed, so that numbers never come again.
    CREATE TABLE rows (
        id      INTEGER PRIMARY KEY,
        at      INTEGER NOT NULL,
        verdict TEXT    NOT NULL,
        reason  TEXT    NOT NULL,
        account TEXT    NOT NULL,
        owner   TEXT    NOT NULL,
        service TEXT    NOT NULL,
        key     TEXT    NOT NULL,
        address TEXT    NOT NULL,
        peer    INTEGER NOT NULL,
        claimed INTEGER NOT NULL,
        count   INTEGER NOT NULL,   -- of refusals that are alike
        until   INTEGER,            -- when the last of them was
        total   INTEGER NOT NULL    -- bytes of all rows up to this one
    ) STRICT;
    INSERT INTO rows SELECT id, at, verdict, reason, account, owner, service, key, address, peer, claimed, count,
                            until, total FROM audit;
    DROP TABLE audit;
    ALTER TABLE rows RENAME TO audit;
    CREATE INDEX audit_account ON audit (account, id);
";

const VERSION_4: &str = "
    -- The rows of `owner` that are of a bulk which is under way: they don't count.
    CREATE TABLE bulk (
        first INTEGER PRIMARY KEY,
        last  INTEGER NOT NULL
    ) STRICT;
    -- The terminal (PAM_TTY).
    ALTER TABLE audit ADD COLUMN tty TEXT NOT NULL DEFAULT '';
";

/// The version since which the rows of the audit have their form.
pub(super) const AUDIT: u32 = 4;

const VERSION_5: &str = "
    -- Accounts that lost an entry: nobody is let in there as one who never had a code.
    CREATE TABLE former (account TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    -- What was lost before is told by the audit alone, as far back as it goes.
    INSERT OR IGNORE INTO former SELECT account FROM audit WHERE verdict = 'change' AND reason LIKE 'removed key %';
";

/// Makes the tables in an empty database.
pub(super) fn create(connection: &mut Connection, journal: Journal) -> Result<(), Error> {
    settings(connection, journal)?;
    migrate(connection, 0)
}

/// The newest version, which this program writes.
pub(super) fn newest() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// Checks that the database is ours and not newer than this program, and says
/// of which version it is.
pub(super) fn recognise(connection: &Connection, path: &Path) -> Result<u32, Error> {
    let version = version(connection)?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    match version {
        _ if application != APPLICATION_ID => Err(Error::Foreign(path.to_owned())),
        0 => Err(Error::Foreign(path.to_owned())),
        version if version > newest() => Err(Error::Newer(version)),
        version => Ok(version),
    }
}

/// Checks that the database is ours, and brings an older one up to this
/// version, after a copy was made.
pub(super) fn prepare(connection: &mut Connection, path: &Path, journal: Journal) -> Result<(), Error> {
    let version = recognise(connection, path)?;
    settings(connection, journal)?;
    if version < newest() {
        copy(connection, path, version)?;
        migrate(connection, version)?;
    }
    Ok(())
}

/// `PRAGMA user_version`.
pub(super) fn version(connection: &Connection) -> Result<u32, Error> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// The longest that the write-ahead log stays, in bytes: longer than it ever is
/// while nobody reads for long ([`super::checkpoint`]).
const LOG: i64 = 8_000_000;

pub(super) fn settings(connection: &Connection, journal: Journal) -> Result<(), Error> {
    let (mode, expected) = match journal {
        Journal::Wal => ("wal", "wal"),
        Journal::Delete => ("delete", "delete"),
    };
    let now: String = connection.query_row(&format!("PRAGMA journal_mode={mode}"), [], |row| row.get(0))?;
    if now != expected {
        return Err(Error::Damaged("the journal's mode can't be set"));
    }
    // An accepted code is on the disk before anybody is let in: FULL syncs the log
    // with each commit; a commit that removes its journal needs the folder synced too.
    let synchronous = match journal {
        Journal::Wal => "FULL",
        Journal::Delete => "EXTRA",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // A log that somebody's long reading let grow is cut to this when it begins anew.
    connection.pragma_update(None, "journal_size_limit", LOG)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Sealed secrets that are replaced don't stay behind in free pages.
    connection.pragma_update(None, "secure_delete", true)?;
    Ok(())
}

/// Keeps a copy of the store as it was before a migration. One that is there
/// already was left by a migration that was cut short, so it is made anew.
fn copy(connection: &Connection, path: &Path, version: u32) -> Result<(), Error> {
    let copy = path.with_extension(format!("schema-{version}.db"));
    super::copy_into(connection, &copy)
}

pub(super) fn migrate(connection: &mut Connection, from: u32) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let from = from.max(version(&transaction)?);
    for step in MIGRATIONS.iter().skip(usize::try_from(from).unwrap_or(usize::MAX)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", newest())?;
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_journal_is_synced_as_it_needs() {
        let folder = tempfile::tempdir().unwrap();
        for (journal, synchronous) in [(Journal::Wal, 2), (Journal::Delete, 3)] {
            let connection = Connection::open(folder.path().join("store.db")).unwrap();
            settings(&connection, journal).unwrap();
            let found: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
            assert_eq!(found, synchronous, "{journal:?}");
        }
    }
}
