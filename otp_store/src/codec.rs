//! A record as it lies in the store: JSON of a fixed form, version 1, with
//! sealed secrets. Unknown fields are refused; a newer form comes with a newer
//! schema and a migration.

mod credential;
mod glance;
mod grant;
mod scratch;

use base64ct::{Base64, Encoding};
use otp_core::door::Throttle;
use otp_core::record::{Door, Entry, Policy};
use otp_core::{Account, Owner, Record, Secret, UnixTime};
use serde::{Deserialize, Serialize};

use crate::sealing::{Belongs, Sealed, What};
use crate::{Error, SealingKeys};
use credential::StoredCredential;
pub(crate) use glance::glance;
use grant::StoredGrant;
use scratch::StoredSet;

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

/// Writes a record, its secrets sealed anew with the newest key: so even a record
/// that stays as it is gives the disk the same to do, whoever is refused.
pub(crate) fn encode(record: &Record, keys: &SealingKeys) -> Result<Vec<u8>, Error> {
    let owner = &record.owner;
    let stored = StoredRecord {
        credentials: all(&record.credentials, |c| credential::store(owner, c, keys))?,
        entries: record.entries.iter().map(store_entry).collect(),
        scratch: all(&record.scratch, |set| scratch::store(owner, set, keys))?,
        doors: record.doors.iter().map(store_door).collect(),
        grants: record.grants.iter().map(grant::store).collect(),
        slot_key: record.slot_key.as_ref().map(|key| store_slot_key(owner, key, keys)).transpose()?,
        throttle: store_throttle(record.throttle),
    };
    serde_json::to_vec(&stored).map_err(|_| Error::Damaged("a record can't be written"))
}

/// Reads a record of `owner`.
pub(crate) fn decode(owner: &Owner, bytes: &[u8], keys: &SealingKeys) -> Result<Record, Error> {
    let stored: StoredRecord<'_> = serde_json::from_slice(bytes).map_err(|_| UNREADABLE)?;
    Ok(Record {
        owner: owner.clone(),
        credentials: all(stored.credentials, |c| credential::load(owner, c, keys))?,
        entries: all(stored.entries, load_entry)?,
        scratch: all(stored.scratch, |set| scratch::load(owner, set, keys))?,
        doors: all(stored.doors, load_door)?,
        grants: all(stored.grants, grant::load)?,
        slot_key: stored.slot_key.map(|key| load_slot_key(owner, &key, keys)).transpose()?,
        throttle: load_throttle(stored.throttle)?,
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

/// Sealed text, and the number of the newest key.
fn seal(keys: &SealingKeys, secret: &Secret, belongs: &Belongs<'_>) -> Result<(u32, String), Error> {
    let sealed = keys.seal(secret, belongs)?;
    Ok((sealed.key, Base64::encode_string(&sealed.bytes)))
}

fn open(keys: &SealingKeys, key: u32, sealed: &str, belongs: &Belongs<'_>) -> Result<Secret, Error> {
    keys.open(&Sealed { key, bytes: Base64::decode_vec(sealed).map_err(|_| UNREADABLE)? }, belongs)
}

fn store_slot_key(owner: &Owner, key: &Secret, keys: &SealingKeys) -> Result<StoredSecret, Error> {
    let (sealing_key, sealed) = seal(keys, key, &Belongs { owner, what: What::SlotKey })?;
    Ok(StoredSecret { sealing_key, sealed })
}

fn load_slot_key(owner: &Owner, stored: &StoredSecret, keys: &SealingKeys) -> Result<Secret, Error> {
    open(keys, stored.sealing_key, &stored.sealed, &Belongs { owner, what: What::SlotKey })
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
