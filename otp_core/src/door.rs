//! Doors: where failures are counted, and when nobody may try any more.

use crate::decide::Refusal;
use crate::record::{Door, MAX_DOORS, Proof, Record};
use crate::{Account, UnixTime};

/// How many failures throttle a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    failures: u8,
    seconds: u16,
}

impl Throttle {
    /// Three failures in 30 seconds.
    pub const USUAL: Self = Self { failures: 3, seconds: 30 };

    /// One that was imported with an owner: so many failures, 1 to 100, in so
    /// many seconds, 1 to 3600. [`LOCK_FAILURES`] lock all the same.
    #[must_use]
    pub fn new(failures: u8, seconds: u16) -> Option<Self> {
        ((1..=100).contains(&failures) && (1..=3600).contains(&seconds)).then_some(Self { failures, seconds })
    }

    /// Failures that throttle a door.
    #[must_use]
    pub fn failures(self) -> u8 {
        self.failures
    }

    /// How long the failures of a door are looked back at, in seconds.
    #[must_use]
    pub fn seconds(self) -> u16 {
        self.seconds
    }
}

/// When a door is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Limits {
    /// After 100 failures in a row at one door, until somebody unlocks it
    /// (NIST SP 800-63B §3.2.2).
    #[default]
    Usual,
    /// After 10 failures of an owner's, at whatever doors, for 30 minutes
    /// (PCI DSS 8.3.4).
    Pci,
}

/// Failures in a row that lock a door under [`Limits::Usual`].
pub const LOCK_FAILURES: u32 = 100;
/// Failures that lock an owner's doors under [`Limits::Pci`].
pub const PCI_FAILURES: u32 = 10;
/// For how long, in seconds, from the last failure on.
pub const PCI_SECONDS: u64 = 30 * 60;

/// Why the door is shut for everything but a scratch code, if it is.
pub(crate) fn closed(
    doors: &[Door],
    account: &Account,
    proof: &Proof,
    (limits, throttle): (Limits, Throttle),
    now: UnixTime,
) -> Option<Refusal> {
    if limits == Limits::Pci && pci_locked(doors, now) {
        return Some(Refusal::Locked);
    }
    let door = doors.iter().find(|door| &door.account == account && &door.proof == proof);
    match door {
        Some(door) if door.failures >= LOCK_FAILURES => Some(Refusal::Locked),
        Some(door) if door.recent.len() >= usize::from(throttle.failures) => {
            let oldest = door.recent.iter().min().copied().unwrap_or(now).min(now);
            let wait = (oldest + u64::from(throttle.seconds)).saturating_sub(now);
            (wait > 0).then_some(Refusal::Throttled { wait })
        }
        // More doors than can be kept: nobody may guess at one that isn't counted.
        None if doors.len() >= MAX_DOORS => Some(Refusal::Locked),
        _ => None,
    }
}

/// Forgets the failures at a door.
pub(crate) fn reset(record: &mut Record, account: &Account, proof: &Proof, limits: Limits) {
    open(record, limits, |door| &door.account == account && &door.proof == proof);
}

/// Forgets the failures at these doors; how many there were. A lock of
/// [`Limits::Pci`] comes from all of an owner's doors, and ends with all of them.
pub fn open(record: &mut Record, limits: Limits, these: impl Fn(&Door) -> bool) -> usize {
    let before = record.doors.len();
    if limits == Limits::Pci && pci_failures(&record.doors) >= PCI_FAILURES {
        record.doors.clear();
    } else {
        record.doors.retain(|door| !these(door));
    }
    before - record.doors.len()
}

/// Counts a failure at a door.
pub(crate) fn count(record: &mut Record, account: &Account, proof: &Proof, now: UnixTime) {
    let place = record.doors.iter().position(|door| &door.account == account && &door.proof == proof);
    let index = place.unwrap_or_else(|| {
        let (account, proof) = (account.clone(), proof.clone());
        record.doors.push(Door { account, proof, failures: 0, recent: vec![] });
        record.doors.len() - 1
    });
    let most = usize::from(record.throttle.failures);
    let door = &mut record.doors[index];
    door.failures = door.failures.saturating_add(1);
    door.recent.push(now);
    let excess = door.recent.len().saturating_sub(most);
    door.recent.drain(..excess);
}

/// Brings the doors up to `now`. A failure from the future was made before the
/// clock was set back, and is taken for one of this moment: the wait begins
/// again, once, and ends. What a lock of [`Limits::Pci`] was for is forgotten
/// when it is over. Says whether there were failures from the future.
pub fn settle(record: &mut Record, limits: Limits, now: UnixTime) -> bool {
    let mut any = false;
    for time in record.doors.iter_mut().flat_map(|door| &mut door.recent).filter(|time| **time > now) {
        (*time, any) = (now, true);
    }
    if limits == Limits::Pci && pci_failures(&record.doors) >= PCI_FAILURES && !pci_locked(&record.doors, now) {
        record.doors.clear();
    }
    any
}

fn pci_failures(doors: &[Door]) -> u32 {
    doors.iter().map(|door| door.failures).fold(0, u32::saturating_add)
}

fn pci_locked(doors: &[Door], now: UnixTime) -> bool {
    let last = doors.iter().flat_map(|door| &door.recent).max().copied().unwrap_or(0).min(now);
    pci_failures(doors) >= PCI_FAILURES && now < last + PCI_SECONDS
}

/// The state of one of an owner's doors, for people: `open`, `throttled` or `locked`.
#[must_use]
pub fn state(doors: &[Door], door: &Door, limits: (Limits, Throttle), now: UnixTime) -> &'static str {
    match closed(doors, &door.account, &door.proof, limits, now) {
        Some(Refusal::Locked) => "locked",
        Some(_) => "throttled",
        None => "open",
    }
}
