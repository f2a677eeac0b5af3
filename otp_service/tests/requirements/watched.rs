//! A store that writes down what is asked of it, and can fail at any call.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use otp_core::{Account, CredentialId, Fingerprint, Limits, Owner, Record, UnixTime};
use otp_store::{
    Acceptances, Answered, AuditFilter, AuditRow, Bulk, Error, Login, Report, SqliteStore, Store, Then, Transaction,
};

use crate::common::world::World;

/// Which calls there were, and which of the next ones fails.
#[derive(Default)]
pub struct Watch {
    calls: Mutex<Vec<&'static str>>,
    /// Calls until one fails; 0 for none.
    until: AtomicUsize,
}

impl Watch {
    /// A service over a store that is watched.
    pub fn world() -> (World, Arc<Self>) {
        let watch = Arc::new(Self::default());
        let own = Arc::clone(&watch);
        let wrap = |store| Box::new(Watched { store, watch: own }) as Box<dyn Store>;
        (World::over(false, Limits::Usual, wrap), watch)
    }

    /// The calls since this was asked last.
    pub fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// The call of this number, counted from 1 on, fails; 0: none does.
    pub fn fail_at(&self, number: usize) {
        self.until.store(number, Ordering::SeqCst);
    }

    fn note(&self, call: &'static str) -> Result<(), Error> {
        self.calls.lock().unwrap().push(call);
        let down = |until: usize| until.checked_sub(1);
        match self.until.fetch_update(Ordering::SeqCst, Ordering::SeqCst, down) {
            Ok(1) => Err(Error::Random),
            _ => Ok(()),
        }
    }
}

struct Watched {
    store: SqliteStore,
    watch: Arc<Watch>,
}

impl Store for Watched {
    fn transact(&self, transaction: Transaction) -> Result<Answered, Error> {
        self.watch.note("transact")?;
        self.store.transact(transaction)
    }

    fn submit(&self, transaction: Transaction, then: Then) -> Result<(), Error> {
        self.watch.note("submit")?;
        self.store.submit(transaction, then)
    }

    fn bulk(&self) -> Result<Box<dyn Bulk + '_>, Error> {
        self.watch.note("bulk")?;
        self.store.bulk()
    }

    fn owner_of(&self, account: &Account, key: Option<&Fingerprint>) -> Result<Option<Owner>, Error> {
        self.watch.note("owner_of")?;
        self.store.owner_of(account, key)
    }

    fn owner_of_login(&self, login: &Login) -> Result<Option<Owner>, Error> {
        self.watch.note("owner_of_login")?;
        self.store.owner_of_login(login)
    }

    fn owner_of_credential(&self, id: &CredentialId) -> Result<Option<Owner>, Error> {
        self.watch.note("owner_of_credential")?;
        self.store.owner_of_credential(id)
    }

    fn owners(&self, account: Option<&Account>) -> Result<Vec<Owner>, Error> {
        self.watch.note("owners")?;
        self.store.owners(account)
    }

    fn owners_after(
        &self,
        account: Option<&Account>,
        after: Option<&Owner>,
        limit: usize,
    ) -> Result<Vec<Owner>, Error> {
        self.watch.note("owners_after")?;
        self.store.owners_after(account, after, limit)
    }

    fn knows(&self, account: &Account) -> Result<bool, Error> {
        self.watch.note("knows")?;
        self.store.knows(account)
    }

    fn read(&self, owner: &Owner) -> Result<Option<Record>, Error> {
        self.watch.note("read")?;
        self.store.read(owner)
    }

    fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditRow>, Error> {
        self.watch.note("audit")?;
        self.store.audit(filter)
    }

    fn accepted(&self, owner: &Owner, id: &CredentialId, now: UnixTime) -> Result<Acceptances, Error> {
        self.watch.note("accepted")?;
        self.store.accepted(owner, id, now)
    }

    fn report(&self, limits: Limits, now: UnixTime) -> Result<Report, Error> {
        self.watch.note("report")?;
        self.store.report(limits, now)
    }
}
