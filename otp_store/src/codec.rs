//! A record as it lies in the store: JSON of a fixed form, version 1, with
//! sealed secrets. Unknown fields are refused; a newer form comes with a newer
//! schema and a migration.

mod credential;
mod glance;
mod grant;
mod scratch;
mod text;

use std::borrow::Cow;

use otp_core::door::Throttle;
use otp_core::record::{Door, Entry, Policy, Proof};
use otp_core::{Account, CredentialId, Fingerprint, Owner, Record, Secret, UnixTime};
use serde::{Deserialize, Serialize};

use crate::sealing::{Belongs, Sealed, What};
use crate::{Error, SealingKeys};
use credential::StoredCredential;
pub(crate) use glance::glance;
use grant::StoredGrant;
use scratch::StoredSet;
use text::{Base64, Text};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRecord<'a> {
    credentials: Vec<StoredCredential<'a>>,
    entries: Vec<StoredEntry<'a>>,
    scratch: Vec<StoredSet>,
    doors: Vec<StoredDoor<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    grants: Vec<StoredGrant<'a>>,
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
    sealed: Base64<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredEntry<'a> {
    account: Text<'a, Account>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Text<'a, Fingerprint>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<Cow<'a, str>>,
    policy: StoredPolicy,
    credentials: Vec<Text<'a, CredentialId>>,
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
struct StoredDoor<'a> {
    account: Text<'a, Account>,
    proof: Text<'a, Proof>,
    failures: u32,
    recent: Cow<'a, [UnixTime]>,
}

const UNREADABLE: Error = Error::Damaged("a record can't be read");

/// Writes a record into `bytes`, its secrets sealed anew with the newest key: so even
/// a record that stays as it is gives the disk the same to do, whoever is refused.
/// What was in `bytes` is lost.
pub(crate) fn encode(record: &Record, keys: &SealingKeys, bytes: &mut Vec<u8>) -> Result<(), Error> {
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
    bytes.clear();
    serde_json::to_writer(bytes, &stored).map_err(|_| Error::Damaged("a record can't be written"))
}

/// Reads a record of `owner`.
pub(crate) fn decode(owner: &Owner, bytes: &[u8], keys: &SealingKeys) -> Result<Record, Error> {
    // As a whole: text by text the check for UTF-8 takes ten times as long.
    let text = std::str::from_utf8(bytes).map_err(|_| UNREADABLE)?;
    let stored: StoredRecord<'_> = serde_json::from_str(text).map_err(|_| UNREADABLE)?;
    Ok(Record {
        owner: owner.clone(),
        credentials: all(stored.credentials, |c| credential::load(owner, c, keys))?,
        entries: stored.entries.into_iter().map(load_entry).collect(),
        scratch: all(stored.scratch, |set| scratch::load(owner, set, keys))?,
        doors: stored.doors.into_iter().map(load_door).collect(),
        grants: stored.grants.into_iter().map(grant::load).collect(),
        slot_key: stored.slot_key.map(|key| load_slot_key(owner, key, keys)).transpose()?,
        throttle: load_throttle(stored.throttle)?,
    })
}

/// Asks for memory once: of an iterator that may fail nobody knows how long it is.
fn all<T, U>(from: impl IntoIterator<Item = T>, mut each: impl FnMut(T) -> Result<U, Error>) -> Result<Vec<U>, Error> {
    let from = from.into_iter();
    let mut all = Vec::with_capacity(from.size_hint().0);
    for one in from {
        all.push(each(one)?);
    }
    Ok(all)
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

/// A sealed secret, and the number of the newest key.
fn seal(keys: &SealingKeys, secret: &Secret, belongs: &Belongs<'_>) -> Result<(u32, Base64<Vec<u8>>), Error> {
    let Sealed { key, bytes } = keys.seal(secret, belongs)?;
    Ok((key, Base64(bytes)))
}

fn open(keys: &SealingKeys, key: u32, sealed: Base64<Vec<u8>>, belongs: &Belongs<'_>) -> Result<Secret, Error> {
    keys.open(&Sealed { key, bytes: sealed.0 }, belongs)
}

fn store_slot_key(owner: &Owner, key: &Secret, keys: &SealingKeys) -> Result<StoredSecret, Error> {
    let (sealing_key, sealed) = seal(keys, key, &Belongs { owner, what: What::SlotKey })?;
    Ok(StoredSecret { sealing_key, sealed })
}

fn load_slot_key(owner: &Owner, stored: StoredSecret, keys: &SealingKeys) -> Result<Secret, Error> {
    open(keys, stored.sealing_key, stored.sealed, &Belongs { owner, what: What::SlotKey })
}

fn store_entry(entry: &Entry) -> StoredEntry<'_> {
    StoredEntry {
        account: Text::of(&entry.account),
        key: entry.key.as_ref().map(Text::of),
        note: entry.note.as_deref().map(Cow::Borrowed),
        policy: match entry.policy {
            Policy::Code => StoredPolicy::Code {},
            Policy::None { until } => StoredPolicy::None { until },
        },
        credentials: entry.credentials.iter().map(Text::of).collect(),
        grant: entry.grant,
    }
}

fn load_entry(stored: StoredEntry<'_>) -> Entry {
    Entry {
        account: stored.account.value(),
        key: stored.key.map(Text::value),
        note: stored.note.map(Cow::into_owned),
        policy: match stored.policy {
            StoredPolicy::Code {} => Policy::Code,
            StoredPolicy::None { until } => Policy::None { until },
        },
        credentials: stored.credentials.into_iter().map(Text::value).collect(),
        grant: stored.grant,
    }
}

fn store_door(door: &Door) -> StoredDoor<'_> {
    StoredDoor {
        account: Text::of(&door.account),
        proof: Text::of(&door.proof),
        failures: door.failures,
        recent: Cow::Borrowed(&door.recent),
    }
}

fn load_door(stored: StoredDoor<'_>) -> Door {
    Door {
        account: stored.account.value(),
        proof: stored.proof.value(),
        failures: stored.failures,
        recent: stored.recent.into_owned(),
    }
}
