//! Restoring a record from a back-up without going back in time.
//!
//! A back-up remembers less than has happened since. Whatever the present
//! record knows of it is carried over; where there is no present record, all
//! that may have been spent since counts as spent.

use crate::record::{Credential, Entry, Factor, Policy, Record, State, Steps};
use crate::scratch::ScratchSet;
use crate::{Period, UnixTime};

/// The record to keep when `back`, from a back-up, replaces `old`, the present
/// one. What was spent, revoked or locked in either stays so.
///
/// `None` means that the present record is lost or can't be read. Then HOTP
/// credentials come back disabled, scratch codes used, and TOTP begins after
/// the last code that can be accepted at `now`.
#[must_use]
pub fn merge(old: Option<Record>, back: Record, now: UnixTime) -> Record {
    let merged = match old {
        Some(old) => forward(old, back, now),
        None => lost(back, now),
    };
    // A moment's leave is not worth keeping.
    Record { grants: vec![], ..merged }
}

/// `old`, and what only `back` knows.
fn forward(mut old: Record, back: Record, now: UnixTime) -> Record {
    for credential in back.credentials {
        match old.credentials.iter_mut().find(|each| each.id == credential.id) {
            Some(same) => carry(same, &credential),
            // Credentials are never forgotten: this one is of another history.
            None => old.credentials.push(spent(credential, now)),
        }
    }
    for entry in back.entries {
        match old.entries.iter_mut().find(|each| each.account == entry.account && each.key == entry.key) {
            Some(same) => same.policy = stricter(same.policy, entry.policy),
            // It was removed since, so nobody comes in by it without a code.
            None => old.entries.push(Entry { policy: Policy::Code, ..entry }),
        }
    }
    for set in back.scratch {
        match old.scratch.iter_mut().find(|each| each.salt == set.salt) {
            Some(same) => carry_used(same, &set),
            None => old.scratch.push(used(set, now)),
        }
    }
    for door in back.doors {
        match old.doors.iter_mut().find(|each| each.account == door.account && each.proof == door.proof) {
            Some(same) => same.failures = same.failures.max(door.failures),
            None => old.doors.push(door),
        }
    }
    old
}

/// `back` where nobody knows what happened since.
fn lost(back: Record, now: UnixTime) -> Record {
    Record {
        credentials: back.credentials.into_iter().map(|credential| spent(credential, now)).collect(),
        scratch: back.scratch.into_iter().map(|set| used(set, now)).collect(),
        ..back
    }
}

/// Carries what is known of a credential from a back-up into the present one.
fn carry(present: &mut Credential, back: &Credential) {
    match present.factor.later(back.factor) {
        Some(factor) => present.factor = factor,
        // One id and two kinds: whatever that is, no code of it counts.
        None => present.state = weaker(present.state, State::Disabled),
    }
    present.barred = Steps::span(present.barred, back.barred);
    present.state = weaker(present.state, back.state);
    present.last_used = present.last_used.max(back.last_used);
    present.confirmed = present.confirmed.or(back.confirmed);
}

/// The state in which less is accepted.
fn weaker(one: State, other: State) -> State {
    match (one, other) {
        (State::Revoked { at }, State::Revoked { at: other }) => State::Revoked { at: at.min(other) },
        (revoked @ State::Revoked { .. }, _) | (_, revoked @ State::Revoked { .. }) => revoked,
        (State::Disabled, _) | (_, State::Disabled) => State::Disabled,
        (State::Active, State::Active) => State::Active,
    }
}

/// The policy that asks for a code more often.
fn stricter(one: Policy, other: Policy) -> Policy {
    match (one, other) {
        (Policy::None { until: one }, Policy::None { until: other }) => {
            Policy::None { until: one.into_iter().chain(other).min() }
        }
        _ => Policy::Code,
    }
}

/// A credential of which every code that may have been used counts as used.
fn spent(mut credential: Credential, now: UnixTime) -> Credential {
    match &mut credential.factor {
        // Nobody knows how far its counter has gone.
        Factor::Hotp { .. } => credential.state = weaker(credential.state, State::Disabled),
        Factor::Totp { period, last_step, skew, window } => {
            let centre = centre(*period, *skew, now);
            *last_step = (*last_step).max(Some(centre.saturating_add(u64::from(*window))));
        }
    }
    credential
}

/// The step that a device shows at `now`.
fn centre(period: Period, skew: i32, now: UnixTime) -> u64 {
    period.step(now).saturating_add_signed(i64::from(skew))
}

fn used(mut set: ScratchSet, now: UnixTime) -> ScratchSet {
    for code in &mut set.codes {
        code.used.get_or_insert(now);
    }
    set
}

/// Marks codes as used in `present` that are so in `back`; both are of one set.
fn carry_used(present: &mut ScratchSet, back: &ScratchSet) {
    for code in back.codes.iter().filter(|code| code.used.is_some()) {
        if let Some(place) = present.find(&code.hash) {
            let same = &mut present.codes[place];
            same.used = same.used.or(code.used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_of_two() {
        let until = |time| Policy::None { until: Some(time) };
        let forever = Policy::None { until: None };
        for (one, other, expected) in [
            (Policy::Code, forever, Policy::Code),
            (Policy::Code, Policy::Code, Policy::Code),
            (forever, forever, forever),
            (forever, until(5), until(5)),
            (until(7), until(5), until(5)),
        ] {
            assert_eq!((stricter(one, other), stricter(other, one)), (expected, expected));
        }
        let (early, late) = (State::Revoked { at: 1 }, State::Revoked { at: 2 });
        for (one, other, expected) in [
            (State::Active, State::Disabled, State::Disabled),
            (State::Disabled, late, late),
            (early, late, early),
            (State::Active, State::Active, State::Active),
        ] {
            assert_eq!((weaker(one, other), weaker(other, one)), (expected, expected));
        }
    }
}
