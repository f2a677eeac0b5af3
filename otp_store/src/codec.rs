//! A record as it lies in the store: JSON of a fixed form, version 1, with
//! sealed secrets. Unknown fields are refused; a newer form comes with a newer
//! schema and a migration.

mod scratch;
mod seals;

use base64ct::{Base64, Encoding};
use otp_core::door::Throttle;
use otp_core::grant::{Grant, Place};
use otp_core::record::{Door, Entry, Factor, Policy, State, Steps};
use otp_core::{Account, Credential, Digits, Limits, Owner, Period, Record, Secret, UnixTime, door};
use serde::{Deserialize, Serialize};

use crate::sealing::{Belongs, What};
use crate::{Error, SealingKeys};
use scratch::StoredSet;
pub(crate) use seals::Seals;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRecord<'a> {
    credentials: Vec<StoredCredential>,
    entries: Vec<StoredEntry>,
    #[serde(borrow)]
    scratch: Vec<StoredSet<'a>>,
    doors: Vec<StoredDoor>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    grants: Vec<StoredGrant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slot_key: Option<StoredSecret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    throttle: Option<StoredThrottle>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredThrottle {
    failures: u8,
    seconds: u16,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSecret {
    sealing_key: u32,
    sealed: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredCredential {
    id: String,
    label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    display: Option<String>,
    algorithm: String,
    digits: u8,
    sealing_key: u32,
    sealed: String,
    factor: StoredFactor,
    created: UnixTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmed: Option<UnixTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_used: Option<UnixTime>,
    state: StoredState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    barred: Option<StoredSteps>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSteps {
    from: u64,
    to: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum StoredFactor {
    Hotp { next: u64 },
    Totp { period: u16, last_step: Option<u64>, skew: i32, window: u8 },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum StoredState {
    Active {},
    Disabled {},
    Revoked { at: UnixTime },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredEntry {
    account: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    policy: StoredPolicy,
    credentials: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grant: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredGrant {
    account: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    place: StoredPlace,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claimed_by: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
    boot: String,
    until: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum StoredPlace {
    Connection(String),
    Address(String),
    Grace { service: String, address: String },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum StoredPolicy {
    Code {},
    None { until: Option<UnixTime> },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredDoor {
    account: String,
    proof: String,
    failures: u32,
    recent: Vec<UnixTime>,
}

const UNREADABLE: Error = Error::Damaged("a record can't be read");

/// Writes a record, its secrets sealed with the newest key. `seals` are those of
/// the record that it replaces, if there is one.
pub(crate) fn encode(record: &Record, keys: &SealingKeys, seals: &Seals) -> Result<Vec<u8>, Error> {
    let owner = &record.owner;
    let stored = StoredRecord {
        credentials: all(&record.credentials, |c| store_credential(owner, c, keys, seals))?,
        entries: record.entries.iter().map(store_entry).collect(),
        scratch: all(&record.scratch, |set| scratch::store(owner, set, keys, seals))?,
        doors: record.doors.iter().map(store_door).collect(),
        grants: record.grants.iter().map(store_grant).collect(),
        slot_key: record.slot_key.as_ref().map(|key| store_slot_key(owner, key, keys, seals)).transpose()?,
        throttle: store_throttle(record.throttle),
    };
    serde_json::to_vec(&stored).map_err(|_| Error::Damaged("a record can't be written"))
}

/// Reads a record of `owner`, and what it was sealed as.
pub(crate) fn decode(owner: &Owner, bytes: &[u8], keys: &SealingKeys) -> Result<(Record, Seals), Error> {
    let stored: StoredRecord<'_> = serde_json::from_slice(bytes).map_err(|_| UNREADABLE)?;
    let mut seals = Seals::default();
    let record = Record {
        owner: owner.clone(),
        credentials: all(stored.credentials, |c| load_credential(owner, c, keys, &mut seals))?,
        entries: all(stored.entries, load_entry)?,
        scratch: all(stored.scratch, |set| scratch::load(owner, set, keys, &mut seals))?,
        doors: all(stored.doors, load_door)?,
        grants: all(stored.grants, load_grant)?,
        slot_key: stored.slot_key.map(|key| load_slot_key(owner, key, keys, &mut seals)).transpose()?,
        throttle: load_throttle(stored.throttle)?,
    };
    Ok((record, seals))
}

/// What `status` counts in a record. Nothing is unsealed or checked for it, so
/// that a million of them are looked at in seconds; nobody is let in by it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Glance {
    /// Doors that are locked.
    pub(crate) locked: u64,
    /// Credentials whose last accepted step lies in the future.
    pub(crate) ahead: u64,
}

/// Looks at a record as it is stored; `None` when it can't be read.
pub(crate) fn glance(bytes: &[u8], limits: Limits, now: UnixTime) -> Option<Glance> {
    #[derive(Deserialize)]
    struct Seen {
        credentials: Vec<SeenCredential>,
        doors: Vec<StoredDoor>,
        throttle: Option<StoredThrottle>,
    }
    #[derive(Deserialize)]
    struct SeenCredential {
        factor: StoredFactor,
        state: StoredState,
    }
    let seen: Seen = serde_json::from_slice(bytes).ok()?;
    let active = seen.credentials.into_iter().filter(|credential| matches!(credential.state, StoredState::Active {}));
    let factors: Vec<Factor> = all(active.map(|credential| credential.factor), load_factor).ok()?;
    let doors: Vec<Door> = all(seen.doors, load_door).ok()?;
    let limits = (limits, load_throttle(seen.throttle).ok()?);
    let locked = doors.iter().filter(|door| door::state(&doors, door, limits, now) == "locked").count();
    let ahead = factors.iter().filter(|factor| factor.ahead(now).is_some()).count();
    Some(Glance { locked: locked as u64, ahead: ahead as u64 })
}

fn load_factor(stored: StoredFactor) -> Result<Factor, Error> {
    Ok(match stored {
        StoredFactor::Hotp { next } => Factor::Hotp { next },
        StoredFactor::Totp { period, last_step, skew, window } => {
            Factor::Totp { period: Period::new(period).map_err(|_| UNREADABLE)?, last_step, skew, window }
        }
    })
}

fn all<T, U>(from: impl IntoIterator<Item = T>, each: impl FnMut(T) -> Result<U, Error>) -> Result<Vec<U>, Error> {
    from.into_iter().map(each).collect()
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| UNREADABLE)
}

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    match Base64::decode(text, &mut bytes) {
        Ok(decoded) if decoded.len() == N => Ok(bytes),
        _ => Err(UNREADABLE),
    }
}

fn store_credential(
    owner: &Owner,
    credential: &Credential,
    keys: &SealingKeys,
    seals: &Seals,
) -> Result<StoredCredential, Error> {
    let belongs = Belongs { owner, what: What::Credential(&credential.id, credential.algorithm) };
    let (sealing_key, sealed) = seals.seal(keys, &credential.secret, &belongs)?;
    Ok(StoredCredential {
        id: credential.id.to_string(),
        label: credential.label.to_string(),
        display: credential.display.clone(),
        algorithm: credential.algorithm.to_string(),
        digits: credential.digits.get(),
        sealing_key,
        sealed,
        factor: match credential.factor {
            Factor::Hotp { next } => StoredFactor::Hotp { next },
            Factor::Totp { period, last_step, skew, window } => {
                StoredFactor::Totp { period: period.get(), last_step, skew, window }
            }
        },
        created: credential.created,
        confirmed: credential.confirmed,
        last_used: credential.last_used,
        state: match credential.state {
            State::Active => StoredState::Active {},
            State::Disabled => StoredState::Disabled {},
            State::Revoked { at } => StoredState::Revoked { at },
        },
        barred: credential.barred.map(|Steps { from, to }| StoredSteps { from, to }),
    })
}

fn load_credential(
    owner: &Owner,
    stored: StoredCredential,
    keys: &SealingKeys,
    seals: &mut Seals,
) -> Result<Credential, Error> {
    let (id, algorithm) = (parse(&stored.id)?, parse(&stored.algorithm)?);
    let belongs = Belongs { owner, what: What::Credential(&id, algorithm) };
    let secret = seals.open(keys, stored.sealing_key, stored.sealed, &belongs)?;
    Ok(Credential {
        id,
        label: parse(&stored.label)?,
        display: stored.display,
        algorithm,
        digits: Digits::new(stored.digits).map_err(|_| UNREADABLE)?,
        secret,
        factor: load_factor(stored.factor)?,
        created: stored.created,
        confirmed: stored.confirmed,
        last_used: stored.last_used,
        state: match stored.state {
            StoredState::Active {} => State::Active,
            StoredState::Disabled {} => State::Disabled,
            StoredState::Revoked { at } => State::Revoked { at },
        },
        barred: stored.barred.map(|StoredSteps { from, to }| Steps { from, to }),
    })
}

/// The usual one isn't written.
fn store_throttle(throttle: Throttle) -> Option<StoredThrottle> {
    let stored = StoredThrottle { failures: throttle.failures(), seconds: throttle.seconds() };
    (throttle != Throttle::USUAL).then_some(stored)
}

fn load_throttle(stored: Option<StoredThrottle>) -> Result<Throttle, Error> {
    stored.map_or(Ok(Throttle::USUAL), |StoredThrottle { failures, seconds }| {
        Throttle::new(failures, seconds).ok_or(UNREADABLE)
    })
}

fn store_slot_key(owner: &Owner, key: &Secret, keys: &SealingKeys, seals: &Seals) -> Result<StoredSecret, Error> {
    let (sealing_key, sealed) = seals.seal(keys, key, &Belongs { owner, what: What::SlotKey })?;
    Ok(StoredSecret { sealing_key, sealed })
}

fn load_slot_key(owner: &Owner, stored: StoredSecret, keys: &SealingKeys, seals: &mut Seals) -> Result<Secret, Error> {
    seals.open(keys, stored.sealing_key, stored.sealed, &Belongs { owner, what: What::SlotKey })
}

fn store_entry(entry: &Entry) -> StoredEntry {
    StoredEntry {
        account: entry.account.to_string(),
        key: entry.key.map(|key| key.to_string()),
        note: entry.note.clone(),
        policy: match entry.policy {
            Policy::Code => StoredPolicy::Code {},
            Policy::None { until } => StoredPolicy::None { until },
        },
        credentials: entry.credentials.iter().map(ToString::to_string).collect(),
        grant: entry.grant,
    }
}

fn load_entry(stored: StoredEntry) -> Result<Entry, Error> {
    Ok(Entry {
        account: Account::stored(&stored.account).map_err(|_| UNREADABLE)?,
        key: stored.key.as_deref().map(parse).transpose()?,
        note: stored.note,
        policy: match stored.policy {
            StoredPolicy::Code {} => Policy::Code,
            StoredPolicy::None { until } => Policy::None { until },
        },
        credentials: all(stored.credentials, |id| parse(&id))?,
        grant: stored.grant,
    })
}

fn store_door(door: &Door) -> StoredDoor {
    StoredDoor {
        account: door.account.to_string(),
        proof: door.proof.to_string(),
        failures: door.failures,
        recent: door.recent.clone(),
    }
}

fn load_door(stored: StoredDoor) -> Result<Door, Error> {
    Ok(Door {
        account: Account::stored(&stored.account).map_err(|_| UNREADABLE)?,
        proof: parse(&stored.proof)?,
        failures: stored.failures,
        recent: stored.recent,
    })
}

fn store_grant(grant: &Grant) -> StoredGrant {
    StoredGrant {
        account: grant.account.to_string(),
        key: grant.key.as_ref().map(ToString::to_string),
        place: match &grant.place {
            Place::Connection(name) => StoredPlace::Connection(name.clone()),
            Place::Address(address) => StoredPlace::Address(address.clone()),
            Place::Grace { service, address } => {
                StoredPlace::Grace { service: service.clone(), address: address.clone() }
            }
        },
        claimed_by: grant.claimed_by,
        credential: grant.credential.as_ref().map(ToString::to_string),
        boot: Base64::encode_string(&grant.boot),
        until: grant.until,
    }
}

fn load_grant(stored: StoredGrant) -> Result<Grant, Error> {
    Ok(Grant {
        account: Account::stored(&stored.account).map_err(|_| UNREADABLE)?,
        key: stored.key.as_deref().map(parse).transpose()?,
        place: match stored.place {
            StoredPlace::Connection(name) => Place::Connection(name),
            StoredPlace::Address(address) => Place::Address(address),
            StoredPlace::Grace { service, address } => Place::Grace { service, address },
        },
        claimed_by: stored.claimed_by,
        credential: stored.credential.as_deref().map(parse).transpose()?,
        boot: bytes(&stored.boot)?,
        until: stored.until,
    })
}
