//! A restored back-up brings nothing back that was spent.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

#[path = "common/cases.rs"]
mod cases;
mod common;

use common::*;
use otp_core::decide::Shown;
use otp_core::record::{Door, Policy, Proof};
use otp_core::{Factor, Record, State, UnixTime, Verdict, merge};
use proptest::prelude::*;

/// What happens to a record between two looks at it.
#[derive(Debug, Clone)]
enum Event {
    /// The code of a TOTP credential, so many steps off.
    Totp(u8, i64),
    /// The code of the HOTP credential at a counter.
    Hotp(u64),
    Scratch(bool),
    Revoke(usize),
    Disable(usize),
    /// Time passes.
    Wait(u64),
}

/// A code that was accepted: what was typed, and when.
type Spent = (String, UnixTime);

/// So many events at most; what each of them spent is tried after all of them.
const EVENTS: usize = if cfg!(miri) { 4 } else { 40 };

fn events() -> impl Strategy<Value = Vec<Event>> {
    let one = prop_oneof![
        6 => (1..=2_u8, -1..=1_i64).prop_map(|(number, steps)| Event::Totp(number, steps)),
        4 => (0..40_u64).prop_map(Event::Hotp),
        1 => any::<bool>().prop_map(Event::Scratch),
        1 => (0..3_usize).prop_map(Event::Revoke),
        1 => (0..3_usize).prop_map(Event::Disable),
        4 => (0..90_u64).prop_map(Event::Wait),
    ];
    prop::collection::vec(one, 0..EVENTS)
}

fn full() -> Record {
    let mut record = with_scratch(record());
    record.entries.push(entry(None, &[1, 2, 3]));
    record
}

fn typed(event: &Event, now: UnixTime) -> Option<String> {
    match event {
        Event::Totp(number, steps) => Some(code_at(*number, now.checked_add_signed(steps * 30).unwrap())),
        Event::Hotp(counter) => Some(code_of(3, *counter)),
        Event::Scratch(true) => Some(SCRATCH.to_owned()),
        Event::Scratch(false) => Some(OLD_SCRATCH.to_owned()),
        _ => None,
    }
}

/// Lives through `events`, and says what was accepted and what time it is then.
fn live(mut record: Record, events: &[Event], mut now: UnixTime) -> (Record, Vec<Spent>, UnixTime) {
    let mut spent = vec![];
    for event in events {
        match event {
            Event::Wait(seconds) => now += seconds,
            Event::Revoke(place) => record.credentials[*place].state = State::Revoked { at: now },
            Event::Disable(place) if record.credentials[*place].state == State::Active => {
                record.credentials[*place].state = State::Disabled;
            }
            _ => {}
        }
        if let Some(typed) = typed(event, now) {
            record.doors.clear();
            let (verdict, kept) = try_code(record, Shown::AnyEntry, &typed, now);
            record = kept;
            if matches!(verdict, Verdict::Accept(_)) {
                spent.push((typed, now));
            }
        }
    }
    (record, spent, now)
}

/// The same record once more; records are not copied.
fn lived(events: &[Event]) -> Record {
    live(full(), events, NOW).0
}

fn assert_all_spent(make: impl Fn() -> Record, spent: &[Spent], at: impl Fn(UnixTime) -> Vec<UnixTime>) {
    for (typed, accepted) in spent {
        for now in at(*accepted) {
            let mut record = make();
            record.doors.clear();
            let (verdict, _) = try_code(record, Shown::AnyEntry, typed, now);
            assert!(!matches!(verdict, Verdict::Accept(_)), "{typed} works again at {now}");
        }
    }
}

proptest! {
    #![proptest_config(cases::cases(60))]

    /// Whichever of the two is the later one, and at whatever time somebody tries.
    #[test]
    fn nothing_spent_in_either_becomes_unspent(before in events(), one in events(), other in events()) {
        let (one, other) = ([before.clone(), one].concat(), [before, other].concat());
        let spent = [live(full(), &one, NOW).1, live(full(), &other, NOW).1].concat();
        let merged = || merge(Some(lived(&one)), lived(&other), NOW);
        assert_all_spent(merged, &spent, |accepted| vec![accepted, accepted.saturating_sub(30), accepted + 30]);
    }

    #[test]
    fn with_the_present_record_lost_all_that_may_be_spent_is(before in events(), since in events()) {
        let (_, _, then) = live(full(), &before, NOW);
        let all = [before.clone(), since].concat();
        let (_, spent, now) = live(full(), &all, NOW);
        let merged = || merge(None, lived(&before), now);
        assert_all_spent(merged, &spent, |accepted| vec![accepted, now, now.max(then) + 30]);
        let merged = merged();
        prop_assert_eq!(merged.scratch_left(), 0);
        let counts = merged.credentials.iter().any(|c| matches!((c.factor, c.state), (Factor::Hotp { .. }, State::Active)));
        prop_assert!(!counts, "an HOTP credential is active");
    }

    #[test]
    fn what_was_revoked_stays_revoked(before in events(), since in events(), lost in any::<bool>()) {
        let all = [before.clone(), since].concat();
        let (old, back) = (lived(&all), lived(&before));
        let revoked = |record: &Record| -> Vec<bool> {
            record.credentials.iter().map(|c| matches!(c.state, State::Revoked { .. })).collect()
        };
        let expected = if lost { revoked(&back) } else { revoked(&old) };
        prop_assert_eq!(revoked(&merge((!lost).then_some(old), back, NOW)), expected);
    }

    /// A back-up that is not behind changes nothing.
    #[test]
    fn a_record_merged_with_itself_stays_as_it_is(events in events()) {
        let merged = merge(Some(lived(&events)), lived(&events), NOW);
        prop_assert_eq!(picture(&merged), picture(&lived(&events)));
    }
}

#[test]
fn after_a_loss_the_next_new_code_works() {
    let merged = merge(None, full(), NOW);
    let (verdict, merged) = try_code(merged, Shown::AnyEntry, &code_at(1, NOW + 30), NOW + 30);
    assert!(matches!(verdict, Verdict::Refuse(_)), "the step after the present one may have been used");
    let (verdict, _) = try_code(merged, Shown::AnyEntry, &code_at(1, NOW + 60), NOW + 60);
    assert!(matches!(verdict, Verdict::Accept(_)));
}

#[test]
fn what_a_back_up_does_not_know_stays() {
    let mut back = full();
    back.credentials.truncate(1);
    back.entries.truncate(1);
    back.scratch.clear();
    assert_eq!(picture(&merge(Some(full()), back, NOW)), picture(&full()));
}

#[test]
fn what_only_the_back_up_knows_comes_back_without_what_may_be_spent() {
    let mut old = full();
    old.credentials.truncate(1);
    old.entries.truncate(1);
    old.scratch.clear();
    let mut back = full();
    back.entries[1].policy = Policy::None { until: None };
    let merged = merge(Some(old), back, NOW);
    assert_eq!((merged.credentials.len(), merged.entries.len(), merged.scratch_left()), (3, 5, 0));
    assert_eq!(merged.entries[1].policy, Policy::Code, "a key that was removed since comes in with a code only");
    let Factor::Totp { last_step: Some(last), .. } = merged.credentials[1].factor else { panic!("{merged:?}") };
    assert_eq!((last, merged.credentials[2].state), (NOW / 30 + 1, State::Disabled));
}

#[test]
fn a_locked_door_stays_locked() {
    let door = |failures| Door { account: account("alice"), proof: Proof::Uid, failures, recent: vec![] };
    for (old, back) in [(Some(100), Some(3)), (Some(3), Some(100)), (None, Some(100)), (Some(100), None)] {
        let with = |failures: Option<u32>| Record { doors: failures.map(door).into_iter().collect(), ..full() };
        assert_eq!(merge(Some(with(old)), with(back), NOW).doors[0].failures, 100);
    }
}
