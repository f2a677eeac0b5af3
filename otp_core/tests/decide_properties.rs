//! What holds whatever is tried, in any order, at any time.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

#[path = "common/cases.rs"]
mod cases;
mod common;

use std::collections::HashSet;
use std::sync::LazyLock;

use common::*;
use otp_core::decide::Shown;
use otp_core::door::Throttle;
use otp_core::{Accepted, Factor, Fingerprint, Record, Refusal, Verdict};
use proptest::prelude::*;

/// One try: at a door, with a code of a credential, some time later or earlier.
#[derive(Debug, Clone)]
struct Try {
    door: usize,
    typed: Typed,
    /// Seconds by which the verifier's clock moves before.
    clock: i64,
}

#[derive(Debug, Clone)]
enum Typed {
    /// The code of a TOTP credential, so many steps off.
    Totp(u8, i64),
    /// The code of the HOTP credential at a counter.
    Hotp(u64),
    Scratch,
    OldScratch,
    Wrong,
    Nonsense,
}

fn doors() -> [(&'static str, Shown<'static>); 9] {
    static KEYS: LazyLock<[[Fingerprint; 1]; 4]> = LazyLock::new(|| [1, 2, 3, 4].map(|number| [key(number)]));
    let keys = |number: usize| Shown::Fact { service: "sshd", keys: &KEYS[number - 1] };
    [
        ("key 1", keys(1)),
        ("key 2", keys(2)),
        ("key 3", keys(3)),
        ("key 4", keys(4)),
        ("claim 1", Shown::Claim { key: Some(key(1)) }),
        ("claim 3", Shown::Claim { key: Some(key(3)) }),
        ("su", Shown::Fact { service: "su", keys: &[] }),
        ("web", Shown::Delegate { service: "web" }),
        ("uid", Shown::AnyEntry),
    ]
}

fn typed() -> impl Strategy<Value = Typed> {
    prop_oneof![
        6 => (1..=2_u8, -2..=2_i64).prop_map(|(number, offset)| Typed::Totp(number, offset)),
        3 => (0..40_u64).prop_map(Typed::Hotp),
        1 => Just(Typed::Scratch),
        1 => Just(Typed::OldScratch),
        4 => Just(Typed::Wrong),
        1 => Just(Typed::Nonsense),
    ]
}

fn tries(length: usize) -> impl Strategy<Value = Vec<Try>> {
    let clock = prop_oneof![4 => Just(0), 4 => 0..120_i64, 1 => -600..0_i64];
    let one = (0..doors().len(), typed(), clock).prop_map(|(door, typed, clock)| Try { door, typed, clock });
    prop::collection::vec(one, 0..length)
}

fn text(typed: &Typed, now: u64) -> String {
    match typed {
        Typed::Totp(number, steps) => code_at(*number, now.checked_add_signed(steps * 30).unwrap()),
        Typed::Hotp(counter) => code_of(3, *counter),
        Typed::Scratch => SCRATCH.to_owned(),
        Typed::OldScratch => OLD_SCRATCH.to_owned(),
        Typed::Wrong => WRONG.to_owned(),
        Typed::Nonsense => "nonsense".to_owned(),
    }
}

fn full() -> Record {
    let mut record = with_scratch(record());
    record.entries.push(entry(None, &[2]));
    record
}

/// Tries them one after the other and hands each step to `look`.
fn play(tries: &[Try], mut look: impl FnMut(&Try, &Verdict, &Record, u64)) {
    let (doors, mut record, mut now) = (doors(), full(), NOW);
    for one in tries {
        now = now.checked_add_signed(one.clock).unwrap();
        // A failure from a future that is over counts as one of this moment.
        for time in record.doors.iter_mut().flat_map(|door| &mut door.recent) {
            *time = (*time).min(now);
        }
        let before = picture(&record);
        let old = factors(&record);
        let (verdict, kept) = try_code(record, doors[one.door].1, &text(&one.typed, now), now);
        if matches!(verdict, Verdict::Refuse(refusal) if !matches!(refusal, Refusal::Wrong)) {
            assert_eq!(picture(&kept), before, "{one:?} was refused as {verdict:?} and changed something");
        }
        for (old, new) in old.iter().zip(factors(&kept)) {
            assert!(*old <= new, "{one:?}: a counter or step went back");
        }
        look(one, &verdict, &kept, now);
        record = kept;
    }
}

/// The number that must never decrease, of each credential.
fn factors(record: &Record) -> Vec<Option<u64>> {
    let number = |factor: &Factor| match factor {
        Factor::Hotp { next } => Some(*next),
        Factor::Totp { last_step, .. } => *last_step,
    };
    record.credentials.iter().map(|credential| number(&credential.factor)).collect()
}

proptest! {
    #![proptest_config(cases::cases(400))]

    /// Also: what is refused as anything but wrong changes nothing, and no
    /// counter goes back; `play` looks at that in every test.
    #[test]
    fn a_code_works_at_most_once(tries in tries(60)) {
        let mut spent = HashSet::new();
        let mut scratch = HashSet::new();
        play(&tries, |one, verdict, kept, _| match verdict {
            Verdict::Accept(Accepted::Code { credential, .. }) => {
                let place = kept.credentials.iter().position(|c| &c.id == credential).unwrap();
                assert!(spent.insert((place, factors(kept)[place])), "{one:?} was accepted twice");
            }
            Verdict::Accept(Accepted::Scratch { left }) => {
                assert!(scratch.insert(matches!(one.typed, Typed::Scratch)), "{one:?} was accepted twice");
                assert_eq!(kept.scratch_left(), *left);
            }
            Verdict::Refuse(_) => {}
        });
    }

    #[test]
    fn at_most_three_wrong_codes_are_judged_at_one_instant(count in 1..50_usize, door in 0..8_usize) {
        let tries = vec![Try { door, typed: Typed::Wrong, clock: 0 }; count];
        let mut judged = 0;
        play(&tries, |_, verdict, _, _| {
            if matches!(verdict, Verdict::Refuse(Refusal::Wrong)) {
                judged += 1;
            }
        });
        prop_assert_eq!(judged, count.min(usize::from(Throttle::USUAL.failures())));
    }

    /// However the guesses are spread: never more than three in thirty seconds.
    #[test]
    fn the_throttle_holds_in_bursts(clock in prop::collection::vec(0..20_i64, 1..80)) {
        let tries: Vec<Try> = clock.iter().map(|clock| Try { door: 0, typed: Typed::Wrong, clock: *clock }).collect();
        let mut judged: Vec<u64> = vec![];
        play(&tries, |_, verdict, _, now| {
            if matches!(verdict, Verdict::Refuse(Refusal::Wrong)) {
                judged.push(now);
            }
        });
        for four in judged.windows(usize::from(Throttle::USUAL.failures()) + 1) {
            prop_assert!(four[usize::from(Throttle::USUAL.failures())] - four[0] >= 30, "{four:?}");
        }
    }

    /// Failures elsewhere, however many, leave this door's verdict alone.
    #[test]
    fn failures_at_one_door_do_not_change_another(
        at in prop::collection::vec((0..8_usize, 0..40_i64), 0..150),
        door in 0..8_usize,
        typed in typed(),
    ) {
        let (doors, mut record, mut now) = (doors(), full(), NOW);
        for (other, clock) in at {
            now = now.checked_add_signed(clock).unwrap();
            if other != door {
                record = try_code(record, doors[other].1, WRONG, now).1;
            }
        }
        let typed = text(&typed, now);
        let (verdict, _) = try_code(record, doors[door].1, &typed, now);
        prop_assert_eq!(verdict, try_code(full(), doors[door].1, &typed, now).0);
    }

    #[test]
    fn once_accepted_a_setback_of_the_clock_accepts_nothing_older(back in 0..100_000_u64, steps in -1..=1_i64) {
        let (verdict, kept) = try_code(full(), doors()[0].1, &code_at(1, NOW), NOW);
        prop_assert!(matches!(verdict, Verdict::Accept(_)));
        let earlier = NOW - back;
        let shown_then = earlier.checked_add_signed(steps * 30).unwrap();
        prop_assume!(shown_then / 30 <= NOW / 30);
        let (verdict, _) = try_code(kept, doors()[0].1, &code_at(1, shown_then), earlier);
        prop_assert!(!matches!(verdict, Verdict::Accept(_)));
    }
}
