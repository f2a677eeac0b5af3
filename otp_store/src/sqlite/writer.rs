//! The one writer. Requests that wait together are committed together and
//! answered only after the commit: one fsync for all of them, and none of them
//! can spoil another.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

use super::bulk::Order;
use super::desk::{Decided, Desk};
use crate::{Answered, Error, Then, Transaction};

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
        desk.checkpoints.borrow_mut().go_on(&desk.connection);
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
        desk.checkpoints.borrow_mut().go_on(&desk.connection);
        match waiting.try_recv() {
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) if closing < CLOSING => closing += 1,
            job => return job.ok(),
        }
    }
    waiting.recv().ok()
}
