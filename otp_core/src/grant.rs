//! Grants: logins that need no code, because one was given a moment ago.
//!
//! A grant is for one key in one account, and for one connection or one
//! address. It ends by a clock that nobody sets (CLOCK_BOOTTIME), with a
//! reboot, or when the credential is gone whose code it was made by. Made from
//! what a uid claims, it counts for claims of that uid alone.
//!
//! PAM's `grace_period=` makes grants of its own kind, which open nothing but
//! the PAM service that they come from, for a key or for logins without one.

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
    /// The grace that root's PAM stack gives; none where a uid claims things.
    pub grace: Option<Grace<'a>>,
}

/// What `grace_period=` in a PAM stack says.
#[derive(Debug, Clone, Copy)]
pub struct Grace<'a> {
    /// The PAM service.
    pub service: &'a str,
    /// For so many seconds after a code its address needs none there.
    pub seconds: u64,
}

/// What a grant is for, beside the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// This connection.
    Connection(String),
    /// Logins from this address.
    Address(String),
    /// Logins from this address by this PAM service, while its stack says so.
    Grace {
        /// The PAM service.
        service: String,
        /// The address.
        address: String,
    },
}

impl Place {
    /// The address, where it is for one.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::Connection(_) => None,
            Self::Address(address) | Self::Grace { address, .. } => Some(address),
        }
    }
}

/// A login that needs no code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The account.
    pub account: Account,
    /// The SSH key; none for logins without one, which have only grace.
    pub key: Option<Fingerprint>,
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

    fn is_for(&self, account: &Account, key: Option<Fingerprint>, origin: &Origin<'_>) -> bool {
        let here = match &self.place {
            Place::Connection(connection) => origin.connection == Some(connection),
            Place::Address(address) => origin.address == Some(address),
            Place::Grace { service, address } => {
                origin.address == Some(address) && origin.grace.is_some_and(|grace| self.within(service, grace, origin))
            }
        };
        let counts = self.claimed_by.is_none() || self.claimed_by == origin.claimed_by;
        here && counts && &self.account == account && self.key == key
    }

    /// Whether grace is still given as the stack says now: a period that was
    /// shortened since counts at once.
    fn within(&self, service: &str, grace: Grace<'_>, origin: &Origin<'_>) -> bool {
        let left = origin.boot.map(|boot| self.until.saturating_sub(boot.now));
        service == grace.service && left.is_some_and(|left| left <= grace.seconds)
    }
}

/// Whether each of the keys has a grant, or the login without a key has.
pub(crate) fn covers(record: &Record, account: &Account, keys: &[Fingerprint], origin: &Origin<'_>) -> bool {
    let Some(boot) = origin.boot else { return false };
    let granted =
        |key| record.grants.iter().any(|grant| grant.is_for(account, key, origin) && grant.holds(record, boot));
    each(keys).into_iter().all(granted)
}

/// What a grant is needed for: every key, or the login without one.
fn each(keys: &[Fingerprint]) -> Vec<Option<Fingerprint>> {
    if keys.is_empty() { vec![None] } else { keys.iter().copied().map(Some).collect() }
}

/// Grants what an accepted code opens further: the connection, where
/// `connections` says so, and the address, where the key's entry does, or the
/// PAM stack. There is no grace after a scratch code: it would outlive the
/// credentials that were disabled when it was used.
pub fn after_code(
    record: &mut Record,
    account: &Account,
    keys: &[Fingerprint],
    origin: &Origin<'_>,
    credential: Option<&CredentialId>,
    connections: bool,
) {
    let Some(boot) = origin.boot else { return };
    for key in each(keys) {
        let for_address = key.and_then(|key| record.entry(account, Some(&key))?.grant);
        let connection = origin.connection.filter(|_| connections && key.is_some());
        let places = [
            connection.map(|name| (Place::Connection(name.to_owned()), CONNECTION_SECONDS)),
            origin.address.zip(for_address).map(|(address, seconds)| (Place::Address(address.to_owned()), seconds)),
            origin.address.zip(origin.grace.filter(|_| credential.is_some())).map(|(address, grace)| {
                let (service, address) = (grace.service.to_owned(), address.to_owned());
                (Place::Grace { service, address }, grace.seconds)
            }),
        ];
        for (place, seconds) in places.into_iter().flatten() {
            let (account, credential) = (account.clone(), credential.cloned());
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
    record.grants.retain(|grant| &grant.account != account || grant.key.as_ref() != Some(key));
    before - record.grants.len()
}

/// The grants that hold now, for people.
pub fn holding(record: &Record, boot: Option<Boot>) -> impl Iterator<Item = &Grant> {
    record.grants.iter().filter(move |grant| boot.is_some_and(|boot| grant.holds(record, boot)))
}
