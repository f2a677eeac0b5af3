//! The store on one host: SQLite, one writer, durable before the answer.

mod audit;
pub mod backup;
mod bulk;
mod checkpoint;
mod claims;
mod desk;
mod identity;
mod readers;
mod report;
mod requests;
mod rows;
mod schema;
mod writer;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use otp_core::{Account, CredentialId, Fingerprint, Limits, Owner, Record, UnixTime};
use rusqlite::{Connection, OpenFlags};
use rustix::fs::FlockOperation;

use crate::bulk::Bulk;
use crate::{
    Acceptances, Answered, AuditFilter, AuditRow, Error, Login, Report, SealingKeys, Store, Then, Transaction, place,
};
use bulk::SqliteBulk;
use desk::Desk;
use identity::Identity;
use readers::{Reader, Readers};
use writer::Writer;

/// How SQLite keeps its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// Write-ahead: several readers beside one writer, on a local disk.
    Wal,
    /// A rollback journal, for homes that may lie on a network.
    Delete,
}

/// How long to wait for another process's transaction.
const BUSY: Duration = Duration::from_secs(4);
/// Readers that are kept open, and read at the same time. A further one waits:
/// opening a connection takes longer than what the others have to do.
const READERS: usize = 4;
/// Statements that stay prepared; there are fewer.
const STATEMENTS: usize = 32;

/// A store in one SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    keys: Arc<SealingKeys>,
    identity: Arc<Identity>,
    /// Closed before the writer, which alone can put the journal away.
    readers: Readers,
    writer: Writer,
    /// Held for as long as the store is open: a service and a spawned
    /// verifier never work on one store at the same time.
    _lock: File,
}

impl SqliteStore {
    /// Makes an empty store at `path`.
    ///
    /// # Errors
    /// When there is a file already, or the place is not safe.
    pub fn create(path: &Path) -> Result<(), Error> {
        place::check_folder(path.parent().unwrap_or(Path::new("/")))?;
        let _lock = lock(&path.with_extension("lock"))?;
        place::make_new(path, 0o600, |new| {
            // Of one that was cut short; it would be taken for ours.
            let _ = std::fs::remove_file(place::beside(new, "-journal"));
            // In one file, until it has its name; whoever opens it says which journal it has.
            schema::create(&mut connect(new, OpenFlags::SQLITE_OPEN_READ_WRITE)?, Journal::Delete)
        })
    }

    /// Opens the store at `path`. Waits for another process that has it open.
    /// A store that isn't there is not made: an empty one would know nobody,
    /// and nobody's codes would be asked for.
    ///
    /// # Errors
    /// When there is none, the place is not safe, or the file is foreign,
    /// damaged or newer. Such a file is left as it is.
    pub fn open(path: &Path, keys: Arc<SealingKeys>, journal: Journal) -> Result<Self, Error> {
        Self::open_with_batches(path, keys, journal, writer::BATCH)
    }

    /// The same, with at most `batch` requests in one commit; for the
    /// benchmark, which shows what batches are good for.
    ///
    /// # Errors
    /// As for [`SqliteStore::open`].
    pub fn open_with_batches(
        path: &Path,
        keys: Arc<SealingKeys>,
        journal: Journal,
        batch: usize,
    ) -> Result<Self, Error> {
        place::check_folder(path.parent().unwrap_or(Path::new("/")))?;
        let lock = lock(&path.with_extension("lock"))?;
        place::check_file(path)?;
        let identity = Arc::new(Identity::of(path)?);
        let desk = Desk::open(path, Arc::clone(&keys), Arc::clone(&identity), journal, batch)?;
        let (writer, readers) = (Writer::start(desk), Readers::default());
        Ok(Self { path: path.to_owned(), keys, identity, readers, writer, _lock: lock })
    }

    /// Looks something up.
    fn reading<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        self.identity.check()?;
        let reader = Reader::take(&self.readers, || connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY))?;
        read(reader.connection.as_ref().ok_or(Error::Closed)?)
    }

    /// Reads what may be long, over a connection of its own: no login waits for it.
    fn listing<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        self.identity.check()?;
        read(&connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
    }
}

fn connect(path: &Path, access: OpenFlags) -> Result<Connection, Error> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    // A database can hold triggers and views; ours holds none and trusts none.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // What is half done stays in memory, not in a folder that others can fill.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Copies the whole database, as it is at this moment, into the file `to` in
/// our own folder, mode 0600. What was there before is lost.
fn copy_into(connection: &Connection, to: &Path) -> Result<(), Error> {
    match std::fs::remove_file(to) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => return Err(Error::Io(to.to_owned(), why)),
        _ => place::write_new(to, b"", 0o600)?,
    }
    let name = to.to_str().ok_or_else(|| Error::Place(to.to_owned(), "not a name in UTF-8".to_owned()))?;
    connection.execute("VACUUM INTO ?1", [name])?;
    File::open(to).and_then(|file| file.sync_all()).map_err(|why| Error::Io(to.to_owned(), why))
}

/// Waits until nobody else has the store open, and keeps it so.
fn lock(path: &Path) -> Result<File, Error> {
    lock_as(path, FlockOperation::LockExclusive)
}

fn lock_as(path: &Path, operation: FlockOperation) -> Result<File, Error> {
    let io = |why| Error::Io(path.to_owned(), why);
    let mut options = OpenOptions::new();
    let nofollow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(nofollow);
    let file = options.open(path).map_err(io)?;
    let own = rustix::process::geteuid().as_raw();
    let owner = file.metadata().map_err(io)?.uid();
    if owner != own && owner != 0 {
        return Err(Error::Place(path.to_owned(), format!("belongs to uid {owner}; remove it")));
    }
    match rustix::fs::flock(&file, operation) {
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::InUse),
        other => other.map(|()| file).map_err(|why| io(why.into())),
    }
}

impl Store for SqliteStore {
    fn transact(&self, transaction: Transaction) -> Result<Answered, Error> {
        self.writer.transact(transaction)
    }

    fn submit(&self, transaction: Transaction, then: Then) -> Result<(), Error> {
        self.writer.submit(transaction, then)
    }

    fn bulk(&self) -> Result<Box<dyn Bulk + '_>, Error> {
        Ok(Box::new(SqliteBulk::begin(self)?))
    }

    fn owner_of(&self, account: &Account, key: Option<&Fingerprint>) -> Result<Option<Owner>, Error> {
        self.reading(|connection| rows::owner_of(connection, account, key))
    }

    fn owner_of_login(&self, login: &Login) -> Result<Option<Owner>, Error> {
        self.reading(|connection| rows::owner_of_login(connection, login))
    }

    fn owner_of_credential(&self, id: &CredentialId) -> Result<Option<Owner>, Error> {
        self.reading(|connection| rows::owner_of_credential(connection, id))
    }

    fn owners(&self, account: Option<&Account>) -> Result<Vec<Owner>, Error> {
        self.owners_after(account, None, usize::MAX)
    }

    fn owners_after(
        &self,
        account: Option<&Account>,
        after: Option<&Owner>,
        limit: usize,
    ) -> Result<Vec<Owner>, Error> {
        self.listing(|connection| rows::owners(connection, account, after, limit))
    }

    fn knows(&self, account: &Account) -> Result<bool, Error> {
        self.reading(|connection| rows::knows(connection, account))
    }

    fn read(&self, owner: &Owner) -> Result<Option<Record>, Error> {
        self.reading(|connection| Ok(rows::load(connection, owner, &self.keys)?.map(|(_, record)| record)))
    }

    fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditRow>, Error> {
        self.listing(|connection| audit::read(connection, filter))
    }

    fn accepted(&self, owner: &Owner, id: &CredentialId, now: UnixTime) -> Result<Acceptances, Error> {
        self.listing(|connection| audit::accepted(connection, owner, id, now))
    }

    fn report(&self, limits: Limits, now: UnixTime) -> Result<Report, Error> {
        self.listing(|connection| report::report(connection, &self.keys, limits, now))
    }
}
