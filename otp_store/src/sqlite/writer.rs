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
type Told = Vec<(Then, Result<Answered, Error>)>;
/// Answers that were told.
type Spent = Vec<Result<Answered, Error>>;

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
        let (told, to_tell) = channel();
        let (spent, back) = channel();
        // Nobody waits for the teller: it ends when the writer has.
        let teller = Builder::new().name("teller".to_owned()).spawn(move || tell(&to_tell, &spent));
        let write = move || run(&mut desk, &waiting, &told, &back);
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

fn run(desk: &mut Desk, waiting: &Receiver<Job>, teller: &Sender<Told>, back: &Receiver<Spent>) {
    while let Some(first) = next(desk, waiting) {
        let (mut transactions, mut all) = (Vec::with_capacity(desk.batch), Vec::with_capacity(desk.batch));
        let mut slice = None;
        for job in std::iter::once(first).chain(waiting.try_iter().take(desk.batch.saturating_sub(1))) {
            match job {
                Job::One((transaction, to)) => {
                    transactions.push(transaction);
                    all.push(to);
                }
                Job::Slice(order) => {
                    slice = Some(order);
                    break;
                }
            }
        }
        let mut told = Told::with_capacity(all.len());
        for (to, kept) in all.into_iter().zip(desk.keep(transactions)) {
            // The record goes here, where it was made.
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
        back.try_iter().for_each(drop);
    }
}

/// Tells answers while the writer writes on: it would wake a thread for each.
fn tell(told: &Receiver<Told>, back: &Sender<Spent>) {
    for batch in told {
        let spent = batch.into_iter().map(|(then, answer)| {
            // Whatever breaks in there is one peer's, who hears nothing and refuses.
            let _ = catch_unwind(AssertUnwindSafe(|| then(&answer)));
            answer
        });
        let _ = back.send(spent.collect());
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
