//! The one writer. Requests that wait together are committed together and
//! answered only after the commit: one fsync for all of them, and none of them
//! can spoil another.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

use rusqlite::Connection;

use super::audit;
use super::bulk::{self, Order};
use super::checkpoint::Checkpoints;
use super::identity::Identity;
use super::requests::Requests;
use super::rows::{self, Before};
use crate::reserve::Reserve;
use crate::{Answered, Change, Error, Judge, Mark, SealingKeys, Then, Transaction, Whose};

/// Requests that may wait; a further one waits at the door.
const QUEUE: usize = 256;
/// Requests in one commit.
pub(super) const BATCH: usize = 64;

/// Slices of a bulk that was given up which are cleared away before the store
/// is closed: a verifier that is started for each request gets on with it too.
const CLOSING: usize = 10;

/// An answer that somebody waits for.
type Waiting = SyncSender<Result<Answered, Error>>;

/// Who gets an answer.
pub(super) enum To {
    /// Somebody who waits.
    Waiting(Waiting),
    /// Whatever is to be done then; the teller does it.
    Then(Then),
}

/// What the teller is to do.
type Answers = Vec<(Then, Result<Answered, Error>)>;

/// What the writer is asked to do.
pub(super) enum Job {
    /// A request.
    One((Transaction, To)),
    /// A slice of a bulk, between the requests.
    Slice(Order),
}

pub(super) struct Writer {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// What the writer's thread works with.
pub(super) struct Desk {
    /// Ends before the connection is closed.
    pub(super) checkpoints: Checkpoints,
    pub(super) connection: Connection,
    pub(super) keys: Arc<SealingKeys>,
    pub(super) identity: Arc<Identity>,
    pub(super) reserve: Reserve,
    pub(super) requests: RefCell<Requests>,
    pub(super) bulk: Cell<bulk::State>,
    /// Clearing failed, and is tried again after the next request.
    pub(super) failing: Cell<bool>,
    /// At most so many requests in one commit.
    pub(super) batch: usize,
    /// Where records are put together.
    pub(super) bytes: RefCell<Vec<u8>>,
}

/// A request that was decided, to be written.
#[allow(clippy::large_enum_variant)] // nearly every one is the large one
enum Decided {
    /// It was answered before; nothing is to be written.
    Before(Vec<u8>),
    /// It leads to this.
    Now { mark: Mark, before: Before, now: u64, change: Change },
}

impl Writer {
    pub(super) fn start(mut desk: Desk) -> Self {
        let (jobs, waiting) = sync_channel(QUEUE);
        let (answers, told) = channel();
        // Nobody waits for the teller: it ends when the writer has.
        let teller = Builder::new().name("teller".to_owned()).spawn(move || tell(&told));
        let write = move || run(&mut desk, &waiting, &answers);
        let thread = teller.and_then(|_| Builder::new().name("writer".to_owned()).spawn(write)).ok();
        Self { jobs: Some(jobs), thread }
    }

    pub(super) fn transact(&self, transaction: Transaction) -> Result<Answered, Error> {
        let (waiting, answer) = sync_channel(1);
        self.send(Job::One((transaction, To::Waiting(waiting))))?;
        answer.recv().map_err(|_| Error::Closed)?
    }

    pub(super) fn submit(&self, transaction: Transaction, then: Then) -> Result<(), Error> {
        self.send(Job::One((transaction, To::Then(then))))
    }

    pub(super) fn send(&self, job: Job) -> Result<(), Error> {
        self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok()).ok_or(Error::Closed)
    }
}

impl Drop for Writer {
    /// Waits for what is under way, so that SQLite closes its files in order.
    fn drop(&mut self) {
        self.jobs.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(desk: &mut Desk, waiting: &Receiver<Job>, teller: &Sender<Answers>) {
    while let Some(first) = next(desk, waiting) {
        let (mut batch, mut slice) = (Vec::new(), None);
        for job in std::iter::once(first).chain(waiting.try_iter().take(desk.batch.saturating_sub(1))) {
            match job {
                Job::One(one) => batch.push(one),
                Job::Slice(order) => {
                    slice = Some(order);
                    break;
                }
            }
        }
        let (transactions, all): (Vec<_>, Vec<To>) = batch.into_iter().unzip();
        let mut told = Answers::new();
        for (to, kept) in all.into_iter().zip(desk.keep(transactions)) {
            // The record goes here, where it was made: to free it, another thread
            // would have to wait for our allocations, and they for it.
            let answer = kept.map(Decided::answered);
            match to {
                To::Waiting(waiting) => drop(waiting.send(answer)),
                To::Then(then) => told.push((then, answer)),
            }
        }
        if !told.is_empty() {
            let _ = teller.send(told);
        }
        if let Some((slice, reply)) = slice {
            let _ = reply.send(desk.slice(slice));
        }
        desk.checkpoints.go_on(&desk.connection);
        desk.reserve.refill();
        desk.failing.set(false);
    }
}

/// Tells answers while the writer writes on: it would wake a thread for each.
fn tell(told: &Receiver<Answers>) {
    for (then, answer) in told.iter().flatten() {
        // Whatever breaks in there is one peer's, who hears nothing and refuses.
        let _ = catch_unwind(AssertUnwindSafe(|| then(answer)));
    }
}

/// The next job; while nobody has one, what a bulk left is cleared away.
fn next(desk: &mut Desk, waiting: &Receiver<Job>) -> Option<Job> {
    let mut closing = 0;
    while desk.has_left() && !desk.failing.get() {
        desk.clear();
        desk.checkpoints.go_on(&desk.connection);
        match waiting.try_recv() {
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) if closing < CLOSING => closing += 1,
            job => return job.ok(),
        }
    }
    waiting.recv().ok()
}

impl Desk {
    /// Decides a batch and remembers it; what was kept of each of its requests.
    fn keep(&mut self, batch: Vec<Transaction>) -> Vec<Result<Decided, Error>> {
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

    /// Decides and writes a batch in one transaction, and in a further one where
    /// a request breaks a rule of the store's: then what came before it is written
    /// once more, and it is not. That is rare, and savepoints cost each request.
    /// After an error nothing is remembered of the batch.
    fn decide(
        &self,
        batch: Vec<Transaction>,
        now: u64,
        decided: &mut Vec<Result<Decided, Error>>,
    ) -> Result<(), Error> {
        let mut waiting = batch.into_iter();
        loop {
            let mut broken = false;
            let done = self.transaction(|| {
                self.write_again(decided)?;
                for transaction in waiting.by_ref() {
                    let one = self.guarded(|| self.judge(transaction));
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

    pub(super) fn transaction<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
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

    fn judge(&self, transaction: Transaction) -> Result<Decided, Error> {
        let Transaction { mark, whose, now, change } = transaction;
        if let Some(answer) = self.requests.borrow().answered(&self.connection, &mark, now)? {
            return Ok(Decided::Before(answer));
        }
        let (before, record) = match whose {
            Whose::Owner(owner) => {
                let found = rows::load(&self.connection, &owner, &self.keys)?;
                if found.is_none() {
                    bulk::check_free(&self.connection, &owner)?;
                }
                found.unzip()
            }
            Whose::Login(login) => match rows::load_of_login(&self.connection, &login, &self.keys)? {
                None => return self.judge_nobody(mark, now, change),
                found => found.unzip(),
            },
        };
        Ok(Decided::Now { mark, before: before.unwrap_or_default(), now, change: change(record) })
    }

    /// The same work for a login that leads to nobody.
    fn judge_nobody(&self, mark: Mark, now: u64, change: Judge) -> Result<Decided, Error> {
        let (before, nobody) = rows::load_nobody(&self.connection, &self.keys)?;
        let change = Change { record: Some(nobody), ..change(None) };
        Ok(Decided::Now { mark, before, now, change })
    }

    fn write(&self, decided: &Decided) -> Result<(), Error> {
        let Decided::Now { mark, before, now, change } = decided else { return Ok(()) };
        let connection = &self.connection;
        if let Some(record) = &change.record {
            rows::save(connection, before, record, &self.keys, &mut self.bytes.borrow_mut())?;
        }
        for row in &change.audit {
            audit::write(connection, row)?;
        }
        self.requests.borrow_mut().remember(connection, mark, *now, &change.answer)
    }
}

impl Decided {
    fn answered(self) -> Answered {
        match self {
            Self::Before(answer) => Answered::Before(answer),
            Self::Now { change, .. } => Answered::Now(change.audit),
        }
    }
}

/// Whether the disk said no, and not a rule of ours.
fn is_io(error: &Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, SystemIoFailure};
    matches!(error, Error::Sqlite(error)
        if matches!(error.sqlite_error_code(), Some(DiskFull | SystemIoFailure | CannotOpen)))
}
