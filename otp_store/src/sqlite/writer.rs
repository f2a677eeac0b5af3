//! The one writer. Requests that wait together are committed together, each
//! under a savepoint of its own, and answered only after the commit: one fsync
//! for all of them, and none of them can spoil another.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use otp_core::UnixTime;
use rusqlite::Connection;

use super::rows::{self, Index};
use crate::{Answered, Error, SealingKeys, Transaction};

/// Requests that may wait; a further one waits at the door.
const QUEUE: usize = 256;
/// Requests in one commit.
pub(super) const BATCH: usize = 64;

type Reply = SyncSender<Result<Answered, Error>>;
type Job = (Transaction, Reply);

pub(super) struct Writer {
    jobs: Mutex<Option<SyncSender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, keys: Arc<SealingKeys>, batch: usize) -> Self {
        let (jobs, waiting) = sync_channel(QUEUE);
        let thread =
            Builder::new().name("writer".to_owned()).spawn(move || run(&connection, &keys, &waiting, batch)).ok();
        Self { jobs: Mutex::new(Some(jobs)), thread: Mutex::new(thread) }
    }

    pub(super) fn transact(&self, transaction: Transaction) -> Result<Answered, Error> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Error::Closed)?;
        let (reply, answer) = sync_channel(1);
        jobs.send((transaction, reply)).map_err(|_| Error::Closed)?;
        drop(jobs);
        answer.recv().map_err(|_| Error::Closed)?
    }
}

impl Drop for Writer {
    /// Waits for what is under way, so that SQLite closes its files in order.
    fn drop(&mut self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

fn run(connection: &Connection, keys: &SealingKeys, waiting: &Receiver<Job>, batch: usize) {
    while let Ok(first) = waiting.recv() {
        let batch = std::iter::once(first).chain(waiting.try_iter().take(batch.saturating_sub(1))).collect();
        commit(connection, keys, batch);
    }
}

/// Runs a batch in one transaction and answers each of its requests.
fn commit(connection: &Connection, keys: &SealingKeys, batch: Vec<Job>) {
    let mut decided = Vec::with_capacity(batch.len());
    let mut replies = Vec::with_capacity(batch.len());
    let begun = begin(connection, batch.first().map_or(0, |(transaction, _)| transaction.now));
    for (transaction, reply) in batch {
        decided.push(if begun.is_ok() { savepoint(connection, keys, transaction) } else { Err(Error::Closed) });
        replies.push(reply);
    }
    if let Some(failure) = begun.and_then(|()| execute(connection, "COMMIT")).err() {
        // Whatever was decided was not remembered, so nobody gets in by it.
        let _ = execute(connection, "ROLLBACK");
        let failure = failure.to_string();
        decided.fill_with(|| Err(Error::Io("store".into(), std::io::Error::other(failure.clone()))));
    }
    for (reply, decision) in replies.into_iter().zip(decided) {
        let _ = reply.send(decision);
    }
}

fn begin(connection: &Connection, now: UnixTime) -> Result<(), Error> {
    execute(connection, "BEGIN IMMEDIATE")?;
    rows::forget(connection, now)
}

/// Runs a statement that is kept for the next time.
fn execute(connection: &Connection, statement: &str) -> Result<(), Error> {
    connection.prepare_cached(statement)?.execute([])?;
    Ok(())
}

fn savepoint(connection: &Connection, keys: &SealingKeys, transaction: Transaction) -> Result<Answered, Error> {
    execute(connection, "SAVEPOINT request")?;
    let result = catch_unwind(AssertUnwindSafe(|| apply(connection, keys, transaction)))
        .unwrap_or(Err(Error::Damaged("a change failed within")));
    if result.is_err() {
        execute(connection, "ROLLBACK TO request")?;
    }
    execute(connection, "RELEASE request")?;
    result
}

fn apply(connection: &Connection, keys: &SealingKeys, transaction: Transaction) -> Result<Answered, Error> {
    let Transaction { mark, owner, now, change } = transaction;
    if let Some(answer) = rows::answered(connection, &mark, now)? {
        return Ok(Answered::Before(answer));
    }
    let loaded = match &owner {
        Some(owner) => rows::load(connection, owner, keys)?,
        None => None,
    };
    let (before, record) = match loaded {
        Some((id, record)) => (Some((id, Index::of(&record))), Some(record)),
        None => (None, None),
    };
    let change = change(record);
    if let Some(record) = change.record {
        rows::save(connection, before, &record, keys)?;
    }
    for row in &change.audit {
        rows::write_audit(connection, row)?;
    }
    rows::remember(connection, &mark, now, &change.answer)?;
    Ok(Answered::Now)
}
