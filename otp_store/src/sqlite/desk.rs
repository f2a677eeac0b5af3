//! A batch of requests: decided and remembered in one transaction.
//!
//! While the last pages of a checkpoint are copied nothing may be written
//! ([`super::checkpoint`]); then a batch is judged ahead, and only written when
//! that is done.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use otp_core::Record;
use rusqlite::{Connection, OpenFlags};

use super::checkpoint::Checkpoints;
use super::claims::Claims;
use super::identity::Identity;
use super::requests::Requests;
use super::rows::{self, Before};
use super::{Journal, audit, bulk, connect, schema};
use crate::reserve::Reserve;
use crate::{Answered, Change, Error, Mark, SealingKeys, Transaction, Whose};

/// KiB of pages that stay in memory: in a large store those of some 200 owners who
/// come again and again, way down through the indexes included. SQLite's own 2000
/// hold half of them, and then a sixth more of the processor's time goes into a code.
const PAGES: i64 = 4096;

/// What the writer's thread works with.
pub(super) struct Desk {
    /// Ends before the connection is closed.
    pub(super) checkpoints: RefCell<Checkpoints>,
    pub(super) connection: Connection,
    pub(super) keys: Arc<SealingKeys>,
    pub(super) identity: Arc<Identity>,
    pub(super) reserve: Reserve,
    pub(super) requests: RefCell<Requests>,
    /// How much of the audit each uid has filled lately.
    pub(super) claims: RefCell<Claims>,
    pub(super) bulk: Cell<bulk::State>,
    /// Clearing failed, and is tried again after the next request.
    pub(super) failing: Cell<bool>,
    /// At most so many requests in one commit.
    pub(super) batch: usize,
    /// Where records are put together.
    pub(super) bytes: RefCell<Vec<u8>>,
}

/// A request of a batch.
#[allow(clippy::large_enum_variant)] // there are few, and not for long
enum Work {
    /// To be judged, and written.
    Judge(Transaction),
    /// Judged already, to be written.
    Write(Result<Decided, Error>),
}

/// The record that a request is about.
enum Found {
    /// This one.
    Record(Before, Record),
    /// None yet, of an owner who is named.
    None,
    /// Nobody's, in its stead.
    Nobody(Before, Record),
}

/// A request that was decided, to be written.
#[allow(clippy::large_enum_variant)] // nearly every one is the large one
pub(super) enum Decided {
    /// It was answered before; nothing is to be written.
    Before(Vec<u8>),
    /// It leads to this.
    Now { mark: Mark, before: Before, now: u64, change: Change },
}

impl Desk {
    /// Opens the store at `path` for writing, in the newest version.
    pub(super) fn open(
        path: &Path,
        keys: Arc<SealingKeys>,
        identity: Arc<Identity>,
        journal: Journal,
        batch: usize,
    ) -> Result<Self, Error> {
        let mut reserve = match journal {
            Journal::Wal => Reserve::open(path),
            Journal::Delete => Reserve::none(path),
        };
        let mut connection = match prepared(path, journal) {
            Err(failure) if reserve.frees_for_store(&failure) => prepared(path, journal)?,
            other => other?,
        };
        identity.check()?;
        let (requests, bulk) = (RefCell::new(Requests::load(&connection)?), bulk::State::load(&connection)?);
        let checkpoints = Checkpoints::of(&mut connection, path.to_owned(), Arc::clone(&identity))?;
        Ok(Self {
            checkpoints: RefCell::new(checkpoints),
            connection,
            keys,
            identity,
            reserve,
            requests,
            claims: RefCell::default(),
            bulk,
            failing: Cell::new(false),
            batch,
            bytes: RefCell::default(),
        })
    }

    /// Decides a batch and remembers it; what was kept of each of its requests.
    pub(super) fn keep(&mut self, batch: Vec<Transaction>) -> Vec<Result<Decided, Error>> {
        let count = batch.len();
        if count == 0 {
            return vec![];
        }
        // Whatever was decided and not remembered lets nobody in.
        let nobody = |failure: &Error| {
            let text = failure.to_string();
            (0..count).map(|_| Err(Error::NotKept(text.clone()))).collect()
        };
        if let Err(failure) = self.identity.check() {
            return nobody(&failure);
        }
        let now = batch.first().map_or(0, |transaction| transaction.now);
        let batch = if self.checkpoints.borrow().is_ending() {
            self.judge_ahead(batch)
        } else {
            batch.into_iter().map(Work::Judge).collect()
        };
        let mut decided = Vec::with_capacity(count);
        let first = self.decide(batch, now, &mut decided);
        match first {
            Ok(()) => decided,
            // The disk was full, and is no more: what was decided is written once more.
            Err(failure) if self.reserve.frees_for_store(&failure) => {
                match self.transaction(|| self.write_again(&decided)) {
                    Ok(()) if decided.len() == count => decided,
                    Ok(()) => nobody(&failure),
                    Err(failure) => nobody(&failure),
                }
            }
            Err(failure) => nobody(&failure),
        }
    }

    /// Judges what it can of a batch without writing: each request about whose
    /// record none before it is, and whose id none before it has. They all came at
    /// once, so the others may as well be judged after them; so is whatever fails here.
    fn judge_ahead(&self, batch: Vec<Transaction>) -> Vec<Work> {
        if self.execute("BEGIN").is_err() {
            return batch.into_iter().map(Work::Judge).collect();
        }
        let (mut ids, mut rows, mut all_found) = (HashSet::new(), HashSet::new(), true);
        let judge = |transaction: Transaction| {
            let is_new = ids.insert(transaction.mark.id);
            let found = self.guarded(|| self.find(&transaction.whose));
            // It may be about a record that a later one is about too.
            all_found &= found.is_ok();
            match found {
                Ok(found) if all_found && found.row().is_some_and(|row| rows.insert(row)) && is_new => {
                    Work::Write(self.guarded(|| self.judge(transaction, |_| Ok(found))))
                }
                _ => Work::Judge(transaction),
            }
        };
        let works = batch.into_iter().map(judge).collect();
        let _ = self.execute("ROLLBACK");
        works
    }

    /// Decides and writes a batch in one transaction, and in a further one where
    /// a request breaks a rule of the store's: then what came before it is written
    /// once more, and it is not. That is rare, and savepoints cost each request.
    /// After an error nothing is remembered of the batch.
    fn decide(&self, batch: Vec<Work>, now: u64, decided: &mut Vec<Result<Decided, Error>>) -> Result<(), Error> {
        let mut waiting = batch.into_iter();
        loop {
            let mut broken = false;
            let done = self.transaction(|| {
                self.write_again(decided)?;
                for work in waiting.by_ref() {
                    let one = match work {
                        Work::Judge(one) => self.guarded(|| self.judge(one, |whose| self.find(whose))),
                        Work::Write(one) => one,
                    };
                    match one.as_ref().map_or(Ok(()), |one| self.guarded(|| self.write(one))) {
                        Err(rule) if !is_io(&rule) => {
                            decided.push(Err(rule));
                            broken = true;
                            return Err(Error::Closed);
                        }
                        written => {
                            decided.push(one);
                            written?;
                        }
                    }
                }
                self.requests.borrow_mut().forget(&self.connection, now)?;
                audit::trim(&self.connection, now, audit::KEEP_BYTES)
            });
            if !broken {
                // What the disk's failure came before may not be judged without it.
                decided.extend(waiting.map(|_| Err(Error::Closed)));
                return done;
            }
        }
    }

    /// Writes what was decided once more. Nobody else has written since: the
    /// store is locked for us.
    fn write_again(&self, decided: &[Result<Decided, Error>]) -> Result<(), Error> {
        decided.iter().flatten().try_for_each(|one| self.guarded(|| self.write(one)))
    }

    /// Does `work` in a transaction that is durable when this returns.
    pub(super) fn transaction<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        self.checkpoints.borrow_mut().end();
        let begun = self.execute("BEGIN IMMEDIATE");
        let done = begun.and_then(|()| work()).and_then(|done| self.execute("COMMIT").map(|()| done));
        if done.is_err() {
            let _ = self.execute("ROLLBACK");
            // What was not kept was not answered either. If this fails too, those
            // requests are refused for a while, as ones whose answers are missing.
            if let Ok(requests) = Requests::load(&self.connection) {
                self.requests.replace(requests);
            }
        }
        done
    }

    /// Runs a statement that stays prepared for the next time.
    fn execute(&self, statement: &str) -> Result<(), Error> {
        self.connection.prepare_cached(statement)?.execute([])?;
        Ok(())
    }

    /// Does one request's work within a transaction that still stands; whatever
    /// breaks in there is an error.
    pub(super) fn guarded<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        if self.connection.is_autocommit() {
            // The disk's failure ended the transaction: this would be kept by itself.
            return Err(Error::Closed);
        }
        catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Error::Damaged("a change failed within")))
    }

    fn find(&self, whose: &Whose) -> Result<Found, Error> {
        match whose {
            Whose::Owner(owner) => match rows::load(&self.connection, owner, &self.keys)? {
                Some((before, record)) => Ok(Found::Record(before, record)),
                None => bulk::check_free(&self.connection, owner).map(|()| Found::None),
            },
            Whose::Login(login) => match rows::load_of_login(&self.connection, login, &self.keys)? {
                Some((before, record)) => Ok(Found::Record(before, record)),
                // The same work for a login that leads to nobody.
                None => rows::load_nobody(&self.connection, &self.keys)
                    .map(|(before, nobody)| Found::Nobody(before, nobody)),
            },
        }
    }

    fn judge(
        &self,
        transaction: Transaction,
        find: impl FnOnce(&Whose) -> Result<Found, Error>,
    ) -> Result<Decided, Error> {
        let Transaction { mark, whose, now, change } = transaction;
        if let Some(answer) = self.requests.borrow().answered(&self.connection, &mark, now)? {
            return Ok(Decided::Before(answer));
        }
        let (before, change) = match find(&whose)? {
            Found::Record(before, record) => (before, change(Some(record))),
            Found::None => (Before::default(), change(None)),
            Found::Nobody(before, nobody) => (before, Change { record: Some(nobody), ..change(None) }),
        };
        Ok(Decided::Now { mark, before, now, change })
    }

    fn write(&self, decided: &Decided) -> Result<(), Error> {
        let Decided::Now { mark, before, now, change } = decided else { return Ok(()) };
        let connection = &self.connection;
        if let Some(record) = &change.record {
            rows::save(connection, before, record, &self.keys, &mut self.bytes.borrow_mut())?;
        }
        for row in &change.audit {
            audit::write_claimed(connection, row, &mut self.claims.borrow_mut())?;
        }
        self.requests.borrow_mut().remember(connection, mark, *now, &change.answer)
    }
}

impl Found {
    /// The number of its row; none where there is no row yet.
    fn row(&self) -> Option<i64> {
        match self {
            Self::Record(before, _) | Self::Nobody(before, _) => before.id(),
            Self::None => None,
        }
    }
}

impl Decided {
    pub(super) fn answered(self) -> Answered {
        match self {
            Self::Before(answer) => Answered::Before(answer),
            Self::Now { change: Change { audit, answer, .. }, .. } => Answered::Now { audit, answer },
        }
    }
}

fn prepared(path: &Path, journal: Journal) -> Result<Connection, Error> {
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "cache_size", -PAGES)?; // less than none: KiB
    schema::prepare(&mut connection, path, journal)?;
    Ok(connection)
}

/// Whether the disk said no, and not a rule of ours.
fn is_io(error: &Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, SystemIoFailure};
    matches!(error, Error::Sqlite(error)
        if matches!(error.sqlite_error_code(), Some(DiskFull | SystemIoFailure | CannotOpen)))
}

#[cfg(test)]
mod tests {
    use otp_core::record::{Entry, Policy};
    use otp_core::{Account, Owner};

    use super::*;
    use crate::sqlite::SqliteStore;
    use crate::{AuditFilter, AuditRow, Login, place};

    const NOW: u64 = 1_800_000_000;

    fn owner(name: &str) -> Owner {
        name.parse().unwrap()
    }

    fn entry(account: &str) -> Entry {
        let (account, policy): (Account, _) = (account.parse().unwrap(), Policy::Code);
        Entry { account, key: None, note: None, policy, credentials: vec![], grant: None }
    }

    /// A request that counts, in the note of its record's first entry; the answer
    /// is the count. Who has no record gets one with `new`.
    fn request(number: u8, whose: Whose, new: Option<Record>) -> Transaction {
        let change = move |record: Option<Record>| {
            let mut record = record.or(new);
            let note = record.as_mut().and_then(|record| record.entries.first_mut()).map(|entry| {
                let note = format!("{}+", entry.note.as_deref().unwrap_or_default());
                entry.note.insert(note).clone()
            });
            let answer = note.unwrap_or_else(|| "nobody".to_owned());
            let row = AuditRow { at: NOW, verdict: "change", reason: answer.clone(), ..AuditRow::default() };
            Change { record, audit: vec![row], answer: answer.into_bytes() }
        };
        let mark = Mark { id: [number; 16], uid: 0, digest: [0; 32] };
        Transaction { mark, whose, now: NOW, change: Box::new(change) }
    }

    fn of(name: &str) -> Whose {
        Whose::Owner(owner(name))
    }

    fn login(account: &str) -> Whose {
        Whose::Login(Login { account: account.parse().unwrap(), keys: vec![] })
    }

    fn newcomer(name: &str) -> Record {
        Record { entries: vec![entry(name)], ..Record::new(owner(name)) }
    }

    /// Whatever can meet in a batch.
    fn batch() -> Vec<Transaction> {
        let mut taken = request(12, of("dave"), None);
        taken.change = Box::new(|record| {
            let mut record = record.unwrap();
            record.entries.push(entry("bob"));
            Change { record: Some(record), audit: vec![], answer: vec![] }
        });
        let mut panics = request(13, of("erin"), None);
        panics.change = Box::new(|_| panic!("on purpose"));
        let mut reused = request(1, of("frank"), None);
        reused.mark.digest = [1; 32];
        let mut reused_of_one_that_waits = request(3, of("heidi"), None);
        reused_of_one_that_waits.mark.digest = [1; 32];
        vec![
            request(1, of("alice"), None),
            request(2, login("bob"), None),
            request(3, of("alice"), None),
            request(4, login("unknown"), None),
            request(5, login("nobody-either"), None),
            request(6, of("grace"), Some(newcomer("grace"))),
            request(7, of("grace"), Some(newcomer("grace"))),
            taken,
            request(8, of("bob"), None),
            panics,
            request(1, of("alice"), None),
            reused,
            request(9, login("frank"), None),
            request(0, of("carol"), None),
            reused_of_one_that_waits,
        ]
    }

    /// What comes of the batch: the answers, and what the store holds then.
    fn outcome(ahead: bool) -> (Vec<String>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let (path, keys) = (folder.path().join("store.db"), folder.path().join("keys"));
        place::make_folder(&keys).unwrap();
        SealingKeys::create(&keys).unwrap();
        let keys = Arc::new(SealingKeys::load(&keys).unwrap());
        SqliteStore::create(&path).unwrap();
        let identity = Arc::new(Identity::of(&path).unwrap());
        let mut desk = Desk::open(&path, keys, identity, Journal::Wal, 64).unwrap();
        let names = ["alice", "bob", "carol", "dave", "erin", "frank", "heidi"];
        let people = names.iter().zip(100..).map(|(name, number)| request(number, of(name), Some(newcomer(name))));
        let mut people: Vec<_> = people.collect();
        people.push(request(0, of("carol"), None)); // answered before
        people.push(request(99, login("unknown"), None)); // makes nobody's record
        assert!(desk.keep(people).iter().all(Result::is_ok));

        let works = if ahead { desk.judge_ahead(batch()) } else { batch().into_iter().map(Work::Judge).collect() };
        let written = desk.connection.query_row("SELECT max(number) FROM request", [], |row| row.get::<_, i64>(0));
        assert_eq!(written.unwrap(), 9, "nothing is written ahead");
        let judged = works.iter().filter(|work| matches!(work, Work::Write(_))).count();
        assert_eq!(judged, if ahead { 6 } else { 0 });
        let mut decided = vec![];
        desk.decide(works, NOW, &mut decided).unwrap();
        let answers = decided.into_iter().map(|one| format!("{:?}", one.map(Decided::answered))).collect();
        let filter = AuditFilter { limit: 100, ..AuditFilter::default() };
        let mut held: Vec<_> =
            audit::read(&desk.connection, &filter).unwrap().into_iter().map(|row| row.reason).collect();
        for name in names.iter().chain(&["grace"]) {
            let (_, record) = rows::load(&desk.connection, &owner(name), &desk.keys).unwrap().unwrap();
            held.push(format!("{name} {:?}", record.entries));
        }
        (answers, held)
    }

    #[test]
    fn a_batch_that_is_judged_ahead_comes_out_the_same() {
        let (answers, held) = outcome(false);
        assert_eq!(outcome(true), (answers.clone(), held));
        let counts: Vec<_> = answers.iter().map(|answer| answer.matches('+').count()).collect();
        assert_eq!(counts, [2, 2, 3, 0, 0, 1, 2, 0, 3, 0, 0, 0, 2, 0, 0], "{answers:#?}");
        for (place, expected) in [
            (7, "Taken"),
            (9, "a change failed within"),
            (10, "Before"),
            (11, "Reused"),
            (13, "Before"),
            (14, "Reused"),
        ] {
            assert!(answers[place].contains(expected), "{place}: {}", answers[place]);
        }
    }
}
