//! Grants: logins that need no code, because one was given a moment ago.
//!
//! A grant is for one key in one account, and for one connection or one
//! address. It ends by a clock that nobody sets (CLOCK_BOOTTIME), with a
//! reboot, or when the credential is gone whose code it was made by. Made from
//! what a uid claims, it counts for claims of that uid alone.

use crate::record::{Record, State};
use crate::{Account, CredentialId, Fingerprint};

/// How long a connection needs no further code, in seconds: 12 hours.
pub const CONNECTION_SECONDS: u64 = 12 * 60 * 60;
/// The longest time for which an address needs none, in seconds: one day.
pub const MAX_ADDRESS_SECONDS: u64 = 24 * 60 * 60;
/// At most so many grants for one owner; those that end first go first.
pub const MAX_GRANTS: usize = 64;

/// The present, by the clock that grants end by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boot {
    /// Which start of the machine (random/boot_id, proc(5)).
    pub id: [u8; 16],
    /// Seconds since then, suspended ones too (CLOCK_BOOTTIME, clock_gettime(2)).
    pub now: u64,
}

/// Where somebody comes from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'a> {
    /// Whose claim the rest is; `None` where root says so.
    pub claimed_by: Option<u32>,
    /// The client's address, in its canonical form.
    pub address: Option<&'a str>,
    /// The connection, by a name that never comes again before the next boot.
    pub connection: Option<&'a str>,
    /// Without this clock there are no grants.
    pub boot: Option<Boot>,
}

/// What a grant is for, beside the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// This connection.
    Connection(String),
    /// Logins from this address.
    Address(String),
}

/// A login that needs no code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The account.
    pub account: Account,
    /// The SSH key.
    pub key: Fingerprint,
    /// From where.
    pub place: Place,
    /// Whose claim it was made from; `None` where root said so.
    pub claimed_by: Option<u32>,
    /// The credential whose code it was made by; none after a scratch code, and
    /// where a person gave the grant.
    pub credential: Option<CredentialId>,
    /// The start of the machine in which it counts.
    pub boot: [u8; 16],
    /// Until then, in seconds of [`Boot::now`].
    pub until: u64,
}

impl Grant {
    fn holds(&self, record: &Record, boot: Boot) -> bool {
        let active = |id| record.credential(id).is_some_and(|credential| credential.state == State::Active);
        self.boot == boot.id && boot.now < self.until && self.credential.as_ref().is_none_or(active)
    }

    fn is_for(&self, account: &Account, key: &Fingerprint, origin: &Origin<'_>) -> bool {
        let here = match &self.place {
            Place::Connection(connection) => origin.connection == Some(connection),
            Place::Address(address) => origin.address == Some(address),
        };
        let counts = self.claimed_by.is_none() || self.claimed_by == origin.claimed_by;
        here && counts && &self.account == account && &self.key == key
    }
}

/// Whether each of the keys has a grant; false where there is no key.
pub(crate) fn covers(record: &Record, account: &Account, keys: &[Fingerprint], origin: &Origin<'_>) -> bool {
    let Some(boot) = origin.boot else { return false };
    let granted =
        |key| record.grants.iter().any(|grant| grant.is_for(account, key, origin) && grant.holds(record, boot));
    !keys.is_empty() && keys.iter().all(granted)
}

/// Grants what an accepted code opens further: the connection, where
/// `connections` says so, and the address, where the key's entry does.
pub fn after_code(
    record: &mut Record,
    account: &Account,
    keys: &[Fingerprint],
    origin: &Origin<'_>,
    credential: Option<&CredentialId>,
    connections: bool,
) {
    let Some(boot) = origin.boot else { return };
    for key in keys {
        let for_address = record.entry(account, Some(key)).and_then(|entry| entry.grant);
        let connection = origin.connection.filter(|_| connections);
        let places = [
            connection.map(|name| (Place::Connection(name.to_owned()), CONNECTION_SECONDS)),
            origin.address.zip(for_address).map(|(address, seconds)| (Place::Address(address.to_owned()), seconds)),
        ];
        for (place, seconds) in places.into_iter().flatten() {
            let (account, key, credential) = (account.clone(), *key, credential.cloned());
            let (claimed_by, until) = (origin.claimed_by, boot.now.saturating_add(seconds));
            add(record, Grant { account, key, place, claimed_by, credential, boot: boot.id, until }, boot);
        }
    }
}

/// Adds a grant in the place of one for the same, and drops what has ended.
pub fn add(record: &mut Record, grant: Grant, boot: Boot) {
    let same = |other: &Grant| {
        (&other.account, &other.key, &other.place, other.claimed_by)
            == (&grant.account, &grant.key, &grant.place, grant.claimed_by)
    };
    let mut grants = std::mem::take(&mut record.grants);
    grants.retain(|each| !same(each) && each.holds(record, boot));
    grants.push(grant);
    grants.sort_by_key(|grant| grant.until);
    grants.drain(..grants.len().saturating_sub(MAX_GRANTS));
    record.grants = grants;
}

/// Takes every grant of a key back; says how many there were.
pub fn revoke(record: &mut Record, account: &Account, key: &Fingerprint) -> usize {
    let before = record.grants.len();
    record.grants.retain(|grant| &grant.account != account || &grant.key != key);
    before - record.grants.len()
}

/// The grants that hold now, for people.
pub fn holding(record: &Record, boot: Option<Boot>) -> impl Iterator<Item = &Grant> {
    record.grants.iter().filter(move |grant| boot.is_some_and(|boot| grant.holds(record, boot)))
}
