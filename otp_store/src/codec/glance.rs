//! A look at a record as it is stored.

use otp_core::record::{Door, Factor};
use otp_core::{Limits, UnixTime, door};
use serde::Deserialize;

use super::credential::{StoredFactor, StoredState, load_factor};
use super::{StoredDoor, StoredThrottle, all, load_door, load_throttle};

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
    struct Seen<'a> {
        credentials: Vec<SeenCredential>,
        doors: Vec<StoredDoor<'a>>,
        throttle: Option<StoredThrottle>,
    }
    #[derive(Deserialize)]
    struct SeenCredential {
        factor: StoredFactor,
        state: StoredState,
    }
    let seen: Seen<'_> = serde_json::from_slice(bytes).ok()?;
    let active = seen.credentials.into_iter().filter(|credential| matches!(credential.state, StoredState::Active {}));
    let factors: Vec<Factor> = all(active.map(|credential| credential.factor), load_factor).ok()?;
    let doors: Vec<Door> = seen.doors.into_iter().map(load_door).collect();
    let limits = (limits, load_throttle(seen.throttle).ok()?);
    let locked = doors.iter().filter(|door| door::state(&doors, door, limits, now) == "locked").count();
    let ahead = factors.iter().filter(|factor| factor.ahead(now).is_some()).count();
    Some(Glance { locked: locked as u64, ahead: ahead as u64 })
}
