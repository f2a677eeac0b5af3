//! A change on its way through the store, and its outcome on the way back.

use std::sync::{Arc, Mutex, PoisonError};

use otp_core::Record;
use otp_store::{Answered, AuditRow, Change, Transaction, Whose};
use otp_wire::message::Outcome;

use crate::service::{Asked, Service, Stop};

/// What a change is to answer, beside what it keeps.
pub(crate) struct Decision {
    pub record: Option<Record>,
    pub audit: Vec<AuditRow>,
    pub outcome: Outcome,
}

/// A transaction that is still to be made.
pub(crate) struct Pending {
    transaction: Transaction,
    made: Made,
}

/// What a change came to, as it was made: the store remembers no secrets of it.
#[derive(Clone, Default)]
struct Made(Arc<Mutex<Option<Outcome>>>);

impl Made {
    fn put(&self, outcome: Outcome) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }

    fn take(&self) -> Option<Outcome> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Pending {
    /// A change of one record. Asked again within ten seconds, the same request
    /// gets the same answer; what held secrets isn't repeated.
    pub(crate) fn new(
        asked: &Asked,
        whose: Whose,
        change: impl FnOnce(Option<Record>) -> Decision + Send + 'static,
    ) -> Self {
        let made = Made::default();
        let inside = made.clone();
        let change = move |record| {
            let Decision { record, audit, outcome } = change(record);
            let answer = remembered(&outcome);
            inside.put(outcome);
            Change { record, audit, answer }
        };
        Self { transaction: Transaction { mark: asked.mark, whose, now: asked.now, change: Box::new(change) }, made }
    }
}

impl Service {
    /// Runs a change in one transaction, and waits for it.
    pub(crate) fn transact(
        &self,
        asked: &Asked,
        whose: Whose,
        change: impl FnOnce(Option<Record>) -> Decision + Send + 'static,
    ) -> Result<Outcome, Stop> {
        self.wait(Pending::new(asked, whose, change))
    }

    /// Waits until it is made.
    pub(crate) fn wait(&self, Pending { transaction, made }: Pending) -> Result<Outcome, Stop> {
        let answered = self.store.transact(transaction);
        self.outcome(&made, &answered)
    }

    /// Has it made, and hands on what came of it.
    pub(crate) fn go_on(
        self: &Arc<Self>,
        Pending { transaction, made }: Pending,
        then: impl FnOnce(Result<Outcome, Stop>) + Send + 'static,
    ) {
        let service = Arc::clone(self);
        let then = move |answered: &_| then(service.outcome(&made, answered));
        // A store that is closed calls nobody: the peer is hung up on and refuses.
        let _ = self.store.submit(transaction, Box::new(then));
    }

    fn outcome(&self, made: &Made, answered: &Result<Answered, otp_store::Error>) -> Result<Outcome, Stop> {
        match answered.as_ref()? {
            Answered::Before(answer) => {
                serde_json::from_slice(answer).map_err(|_| Stop::Undecided("an answer can't be read".to_owned()))
            }
            Answered::Now { audit, .. } => {
                audit.iter().for_each(|row| self.tell(row));
                made.take().ok_or_else(|| Stop::Undecided("a change came to nothing".to_owned()))
            }
        }
    }
}

/// The answer as it is kept for a repeated request, without secrets.
fn remembered(outcome: &Outcome) -> Vec<u8> {
    let kept = match outcome {
        Outcome::Enrolled(_) | Outcome::Exported(_) | Outcome::Scratch(_) | Outcome::Unsealed(_) => {
            &Outcome::Invalid("This was done already; its secrets are shown only once.".to_owned())
        }
        plain => plain,
    };
    serde_json::to_vec(kept).unwrap_or_default()
}
