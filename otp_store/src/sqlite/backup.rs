//! Back-ups: out of a store that is in use, and back without going back in time.
//!
//! A back-up is a store of its own: one SQLite file, its secrets sealed as they
//! were, without the sealing keys.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use otp_core::{Owner, Record, UnixTime, merge};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use rustix::fs::FlockOperation;

use super::rows::{self, Before};
use super::{Journal, audit, connect, copy_into, lock, lock_as, schema};
use crate::{AuditRow, Error, SealingKeys, place};

/// What a restored store is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Owners in the back-up.
    pub owners: u64,
    /// Owners of whom the store before knew nothing that can be read: what they
    /// may have used since the back-up counts as used.
    pub lost: u64,
    /// Owners that only the store before knew; they stay.
    pub kept: u64,
    /// Where the store before is now, if there was one.
    pub aside: Option<PathBuf>,
}

/// Writes a copy of the store at `path`, as it is at this moment, into `into`.
/// A service may go on using the store; nothing waits for the copy.
///
/// # Errors
/// When the store can't be read, or its folder has no room for the copy.
pub fn backup(path: &Path, into: &mut dyn Write) -> Result<u64, Error> {
    place::check_folder(path.parent().unwrap_or(Path::new("/")))?;
    place::check_file(path)?;
    let _one_at_a_time = lock(&path.with_extension("backup.lock"))?;
    let copy = path.with_extension("backup.db");
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    schema::recognise(&connection, path)?;
    let copied = copy_into(&connection, &copy).and_then(|()| File::open(&copy).map_err(|why| at(&copy, why)));
    // Whatever comes now, no copy stays behind.
    let removed = fs::remove_file(&copy);
    let mut copied = copied?;
    removed.and_then(|()| io::copy(&mut copied, into)).map_err(|why| at(&copy, why))
}

/// Puts the back-up in `from` in the place of the store at `path`, merged
/// forward with it ([`merge()`]). The store before is kept beside it.
///
/// # Errors
/// [`Error::InUse`] while a verifier has the store open; when `from` is not a
/// whole back-up that the keys open. Then everything is left as it was.
pub fn restore(path: &Path, from: &mut dyn Read, keys: &SealingKeys, now: UnixTime) -> Result<Restored, Error> {
    place::check_folder(path.parent().unwrap_or(Path::new("/")))?;
    let _alone = lock_as(&path.with_extension("lock"), FlockOperation::NonBlockingLockExclusive)?;
    let new = path.with_extension("restore.db");
    let merged = take(&new, from).and_then(|()| merge_with(path, &new, keys, now));
    let swapped = merged.and_then(|restored| Ok(Restored { aside: swap(path, &new, now)?, ..restored }));
    if swapped.is_err() {
        let _ = fs::remove_file(&new);
    }
    swapped
}

fn at(path: &Path, why: io::Error) -> Error {
    Error::Io(path.to_owned(), why)
}

/// Stores the back-up beside the store, where SQLite can work on it.
fn take(new: &Path, from: &mut dyn Read) -> Result<(), Error> {
    for left in [new.to_owned(), place::beside(new, "-journal"), place::beside(new, "-wal")] {
        match fs::remove_file(&left) {
            Err(why) if why.kind() != ErrorKind::NotFound => return Err(at(&left, why)),
            _ => {}
        }
    }
    place::write_new(new, b"", 0o600)?;
    let mut file = File::options().append(true).open(new).map_err(|why| at(new, why))?;
    io::copy(from, &mut file).and_then(|_| file.sync_all()).map_err(|why| at(new, why))
}

fn merge_with(path: &Path, new: &Path, keys: &SealingKeys, now: UnixTime) -> Result<Restored, Error> {
    let mut back = open_back(new)?;
    let present = Present::open(path, keys);
    let transaction = back.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let restored = merge_all(&transaction, present.as_ref(), keys, now)?;
    let reason = format!("restored a back-up of {} owner(s)", restored.owners);
    audit::write(&transaction, &AuditRow { at: now, verdict: "change", reason, ..AuditRow::default() })?;
    transaction.commit()?;
    Ok(restored)
}

/// Opens a back-up and checks that it is one, whole, and of this version.
fn open_back(new: &Path) -> Result<Connection, Error> {
    let mut back = connect(new, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let version = schema::recognise(&back, new)?;
    let text = |query: &str| back.query_row(query, [], |row| row.get::<_, String>(0));
    if text("PRAGMA quick_check(1)")? != "ok" {
        return Err(Error::Damaged("the back-up is not whole"));
    }
    // Ours has neither; one that has would do more than it shows.
    let active = "SELECT CAST(count(*) AS TEXT) FROM sqlite_schema WHERE type IN ('trigger', 'view')";
    if text(active)? != "0" {
        return Err(Error::Foreign(new.to_owned()));
    }
    schema::settings(&back, Journal::Delete)?;
    if version < schema::newest() {
        schema::migrate(&mut back, version)?;
    }
    Ok(back)
}

/// Merges every record of the back-up with the one in the store before, and
/// adds those that only that one has.
fn merge_all(
    back: &Connection,
    present: Option<&Present<'_>>,
    keys: &SealingKeys,
    now: UnixTime,
) -> Result<Restored, Error> {
    let owners = rows::owners(back, None, None, usize::MAX)?; // in order
    let mut restored = Restored { owners: owners.len() as u64, ..Restored::default() };
    // Written anew: a way in may have changed hands since.
    back.execute_batch("DELETE FROM entry; DELETE FROM credential; DELETE FROM request;")?;
    // A bulk that was under way then was not let in.
    back.execute_batch(
        "DELETE FROM owner WHERE EXISTS (SELECT 1 FROM bulk WHERE owner.id BETWEEN first AND last); DELETE FROM bulk;",
    )?;
    let mut bytes = Vec::new();
    for owner in &owners {
        let (before, mut record) = rows::load(back, owner, keys)?.ok_or(Error::Damaged("an owner without a record"))?;
        let old = present.and_then(|present| present.record(owner));
        restored.lost += u64::from(old.is_none());
        if let Some(present) = present {
            record.entries.retain(|entry| present.leaves(owner, entry));
        }
        rows::save(back, &before.without_index(), &merge(old, record, now), keys, &mut bytes)?;
    }
    let Some(present) = present else { return Ok(restored) };
    let in_back = |owner: &Owner| owners.binary_search_by(|each| each.as_str().cmp(owner.as_str())).is_ok();
    for owner in present.owners().into_iter().filter(|owner| !in_back(owner)) {
        if let Some(record) = present.record(&owner) {
            rows::save(back, &Before::default(), &record, keys, &mut bytes)?;
            restored.kept += 1;
        }
    }
    present.carry_accounts(back)?;
    present.carry_audit(back)?;
    Ok(restored)
}

/// The store before, as far as it can be read. What can't counts as lost.
struct Present<'a> {
    connection: Connection,
    version: u32,
    keys: &'a SealingKeys,
}

impl<'a> Present<'a> {
    fn open(path: &Path, keys: &'a SealingKeys) -> Option<Self> {
        // For writing: what an ended verifier left in a journal belongs to it.
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).ok()?;
        let version = schema::recognise(&connection, path).ok()?;
        if version < 4 {
            connection.execute_batch("CREATE TEMP TABLE bulk (first, last)").ok()?;
        }
        if version < 5 {
            connection.execute_batch("CREATE TEMP TABLE former (account)").ok()?;
        }
        Some(Self { connection, version, keys })
    }

    fn record(&self, owner: &Owner) -> Option<Record> {
        rows::load(&self.connection, owner, self.keys).ok().flatten().map(|(_, record)| record)
    }

    fn owners(&self) -> Vec<Owner> {
        rows::owners(&self.connection, None, None, usize::MAX).unwrap_or_default()
    }

    /// Whether this way in was not given to somebody else since.
    fn leaves(&self, owner: &Owner, entry: &otp_core::Entry) -> bool {
        let now = rows::owner_of(&self.connection, &entry.account, entry.key.as_ref());
        !matches!(now, Ok(Some(other)) if &other != owner)
    }

    /// Whoever had something enrolled here did so for good. What can't be read
    /// counts as lost.
    fn carry_accounts(&self, back: &Connection) -> Result<(), Error> {
        for account in self.accounts().unwrap_or_default() {
            rows::remember_account(back, &account)?;
        }
        Ok(())
    }

    fn accounts(&self) -> rusqlite::Result<Vec<String>> {
        let mut statement = self.connection.prepare("SELECT account FROM entry UNION SELECT account FROM former")?;
        statement.query_map([], |row| row.get(0))?.collect()
    }

    fn carry_audit(&self, back: &Connection) -> Result<(), Error> {
        if self.version < schema::AUDIT {
            return Ok(()); // its rows have another form, and stay in the file that is kept
        }
        back.execute_batch("SAVEPOINT carry")?;
        // What can't be read stays in the file that is kept.
        let undo = if audit::carry(&self.connection, back).is_err() { "ROLLBACK TO carry;" } else { "" };
        Ok(back.execute_batch(&format!("{undo} RELEASE carry"))?)
    }
}

/// Puts `new` in the place of the store. The store before goes first: if we
/// are cut short, a store is missing, and that is refused; it never meets the
/// journal of another one.
fn swap(path: &Path, new: &Path, now: UnixTime) -> Result<Option<PathBuf>, Error> {
    let aside = free_name(path, now);
    let mut moved = None;
    for end in ["", "-wal", "-shm", "-journal"] {
        match fs::rename(place::beside(path, end), place::beside(&aside, end)) {
            Ok(()) if end.is_empty() => moved = Some(aside.clone()),
            Ok(()) => {}
            Err(why) if why.kind() == ErrorKind::NotFound => {}
            Err(why) => return Err(at(path, why)),
        }
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let sync = || File::open(folder).and_then(|folder| folder.sync_all());
    sync().and_then(|()| fs::rename(new, path)).and_then(|()| sync()).map_err(|why| at(path, why))?;
    Ok(moved)
}

fn free_name(path: &Path, now: UnixTime) -> PathBuf {
    let names = (0..).map(|number| path.with_extension(format!("before-restore-{}.db", now + number)));
    let taken = |name: &PathBuf| fs::symlink_metadata(name).is_ok();
    names.into_iter().find(|name| !taken(name)).unwrap_or_else(|| path.with_extension("before-restore.db"))
}
