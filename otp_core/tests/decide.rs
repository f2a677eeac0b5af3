//! The decision, branch by branch.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod common;

use common::*;
use otp_core::decide::Shown;
use otp_core::door::LOCK_FAILURES;
use otp_core::record::MAX_DOORS;
use otp_core::{Accepted, Admission, Door, Entry, Factor, Period, Policy, Proof, Record, Refusal, State, Verdict};

fn refusal(verdict: &Verdict) -> Refusal {
    match verdict {
        Verdict::Refuse(refusal) => *refusal,
        Verdict::Accept(_) => panic!("accepted"),
    }
}

fn accepts(verdict: &Verdict, number: u8) -> bool {
    matches!(verdict, Verdict::Accept(Accepted::Code { credential, .. }) if *credential == id(number))
}

fn failures(record: &Record, proof: &Proof) -> u32 {
    record.doors.iter().find(|door| &door.proof == proof).map_or(0, |door| door.failures)
}

fn shut(proof: Proof, failures: u32) -> Door {
    let recent = vec![NOW - 3, NOW - 2, NOW - 1];
    Door { account: account("alice"), proof, failures, recent }
}

#[test]
fn each_key_has_codes_of_its_own() {
    for (number, other) in [(1, 2), (2, 1)] {
        let (verdict, kept) = try_code(record(), with_keys(&[key(number)]), &code_at(number, NOW), NOW);
        assert!(accepts(&verdict, number));
        let credential = kept.credential(&id(number)).unwrap();
        assert_eq!((credential.confirmed, credential.last_used), (Some(NOW), Some(NOW)));
        let (verdict, kept) = try_code(kept, with_keys(&[key(number)]), &code_at(other, NOW), NOW);
        assert_eq!(refusal(&verdict), Refusal::Wrong);
        assert_eq!(failures(&kept, &Proof::Key(key(number))), 1);
    }
}

#[test]
fn a_code_that_is_spent_in_one_place_is_spent_in_all() {
    let code = code_at(1, NOW);
    let (verdict, kept) = try_code(record(), with_keys(&[key(1)]), &code, NOW);
    assert!(accepts(&verdict, 1));
    for shown in [with_keys(&[key(1)]), with_keys(&[key(4)]), Shown::AnyEntry, Shown::Claim { key: Some(key(1)) }] {
        let before = picture(&kept);
        let (verdict, kept) = try_code(with_same(&kept), shown, &code, NOW);
        assert_eq!(refusal(&verdict), Refusal::Replayed { next_in: Some(30 - NOW % 30) });
        assert_eq!(picture(&kept), before);
    }
}

/// A record that stands as `kept` does; records can't be copied.
fn with_same(kept: &Record) -> Record {
    let mut copy = record();
    for (credential, kept) in copy.credentials.iter_mut().zip(&kept.credentials) {
        (credential.factor, credential.confirmed) = (kept.factor, kept.confirmed);
        (credential.last_used, credential.state) = (kept.last_used, kept.state);
    }
    copy.doors.clone_from(&kept.doors);
    copy
}

#[test]
fn the_window_is_one_step_each_way() {
    for (offset, good) in [(-2_i64, false), (-1, true), (0, true), (1, true), (2, false)] {
        let code = code_at(1, NOW.checked_add_signed(offset * 30).unwrap());
        let (verdict, _) = try_code(record(), with_keys(&[key(1)]), &code, NOW);
        assert_eq!(accepts(&verdict, 1), good, "{offset}");
    }
}

#[test]
fn after_a_code_only_later_ones_count() {
    let (_, kept) = try_code(record(), with_keys(&[key(1)]), &code_at(1, NOW + 30), NOW);
    for offset in [0, 30] {
        let (verdict, _) = try_code(with_same(&kept), with_keys(&[key(1)]), &code_at(1, NOW + offset), NOW);
        let next = 60 - NOW % 30;
        assert_eq!(refusal(&verdict), Refusal::Replayed { next_in: Some(next) }, "older than the one that was used");
    }
    assert!(accepts(&try_code(kept, with_keys(&[key(1)]), &code_at(1, NOW + 60), NOW + 30).0, 1));
}

#[test]
fn skew_moves_the_window() {
    let skewed = || {
        let mut record = record();
        if let otp_core::Factor::Totp { skew, .. } = &mut record.credentials[0].factor {
            *skew = -10;
        }
        record
    };
    assert!(accepts(&try_code(skewed(), with_keys(&[key(1)]), &code_at(1, NOW - 300), NOW).0, 1));
    assert_eq!(refusal(&try_code(skewed(), with_keys(&[key(1)]), &code_at(1, NOW), NOW).0), Refusal::Wrong);
    let (_, kept) = try_code(skewed(), with_keys(&[key(1)]), &code_at(1, NOW - 300), NOW);
    let (verdict, _) = try_code(kept, with_keys(&[key(1)]), &code_at(1, NOW - 300), NOW);
    assert_eq!(refusal(&verdict), Refusal::Replayed { next_in: Some(30 - NOW % 30) });
}

#[test]
fn hotp_looks_ahead_and_never_back() {
    for (counter, good) in [(4, false), (5, true), (15, true), (16, false)] {
        let (verdict, kept) = try_code(record(), with_keys(&[key(3)]), &code_of(3, counter), NOW);
        assert_eq!(accepts(&verdict, 3), good, "{counter}");
        let next = if good { counter + 1 } else { 5 };
        assert_eq!(kept.credential(&id(3)).unwrap().factor, otp_core::Factor::Hotp { next });
    }
    let (verdict, kept) = try_code(record(), with_keys(&[key(3)]), &code_of(3, 4), NOW);
    assert_eq!(refusal(&verdict), Refusal::Replayed { next_in: None });
    assert!(kept.doors.is_empty());
}

#[test]
fn the_last_counter_of_all_is_never_accepted() {
    let mut record = record();
    record.credentials[2] = hotp(3, u64::MAX - 1);
    let (verdict, kept) = try_code(record, with_keys(&[key(3)]), &code_of(3, u64::MAX - 1), NOW);
    assert!(accepts(&verdict, 3));
    let (verdict, _) = try_code(kept, with_keys(&[key(3)]), &code_of(3, u64::MAX), NOW);
    assert_eq!(refusal(&verdict), Refusal::Wrong);
}

#[test]
fn a_last_step_at_the_end_of_time_is_only_a_replay() {
    let mut record = record();
    record.credentials[0].factor =
        Factor::Totp { period: Period::DEFAULT, last_step: Some(u64::MAX), skew: 0, window: 1 };
    let (verdict, _) = try_code(record, with_keys(&[key(1)]), &code_at(1, NOW), NOW);
    assert!(matches!(refusal(&verdict), Refusal::Replayed { .. }));
}

#[test]
fn digits_come_from_the_record() {
    let mut record = record();
    record.credentials[0].digits = otp_core::Digits::new(8).unwrap();
    let suffix = code_at(1, NOW);
    assert_eq!(refusal(&try_code(record, with_keys(&[key(1)]), &suffix, NOW).0), Refusal::Wrong);
}

#[test]
fn who_is_unknown_is_not_enrolled() {
    let nothing = Refusal::NotEnrolled;
    for shown in [
        with_keys(&[key(9)]),
        without_key("su"),
        Shown::Delegate { service: "web" },
        Shown::Claim { key: Some(key(9)) },
        Shown::Claim { key: None },
    ] {
        let (verdict, kept) = try_code(record(), shown, &code_at(1, NOW), NOW);
        assert_eq!((refusal(&verdict), kept.doors.len()), (nothing, 0));
        assert_eq!(admitted(&record(), shown, NOW), Admission::Refuse(nothing));
    }
    for shown in [with_keys(&[key(1)]), Shown::AnyEntry] {
        let (verdict, _) = try_full(record(), "bob", shown, &code_at(1, NOW), None, NOW);
        assert_eq!(refusal(&verdict), nothing, "another account");
    }
}

#[test]
fn an_unbound_entry_is_asked_where_the_key_is_unknown() {
    let open = || {
        let mut record = record();
        record.credentials.push(totp(5));
        record.entries.push(entry(None, &[5]));
        record
    };
    let delegate = Shown::Delegate { service: "web" };
    for shown in [with_keys(&[key(9)]), without_key("su"), delegate, Shown::Claim { key: Some(key(9)) }] {
        assert!(
            matches!(admitted(&open(), shown, NOW), Admission::Ask { label: Some(l), closed: None } if l.as_str() == "device-5")
        );
        assert!(accepts(&try_code(open(), shown, &code_at(5, NOW), NOW).0, 5));
        assert_eq!(refusal(&try_code(open(), shown, &code_at(1, NOW), NOW).0), Refusal::Wrong);
    }
    let (verdict, _) = try_code(open(), with_keys(&[key(1)]), &code_at(5, NOW), NOW);
    assert_eq!(refusal(&verdict), Refusal::Wrong, "a known key asks its own codes only");
}

#[test]
fn an_unknown_key_never_passes_by_the_unbound_entrys_policy() {
    let mut record = record();
    record.entries.push(Entry { policy: Policy::None { until: None }, ..entry(None, &[1]) });
    assert!(matches!(admitted(&record, with_keys(&[key(9)]), NOW), Admission::Ask { .. }));
    assert!(matches!(admitted(&record, Shown::Claim { key: Some(key(9)) }, NOW), Admission::Ask { .. }));
}

#[test]
fn a_delegate_never_passes_without_a_code_and_has_its_services_door() {
    let mut record = record();
    record.entries.push(Entry { policy: Policy::None { until: None }, ..entry(None, &[1]) });
    let delegate = Shown::Delegate { service: "web" };
    assert!(matches!(admitted(&record, delegate, NOW), Admission::Ask { .. }));
    assert_eq!(admitted(&record, without_key("web"), NOW), Admission::Pass, "root's own word");
    let (_, kept) = try_code(record, delegate, WRONG, NOW);
    assert_eq!((failures(&kept, &Proof::Service("web".to_owned())), failures(&kept, &Proof::Uid)), (1, 0));
    assert!(accepts(&try_code(kept, delegate, &code_at(1, NOW), NOW).0, 1));
}

#[test]
fn several_keys_need_all() {
    let keys = |numbers: &[u8]| numbers.iter().map(|n| key(*n)).collect::<Vec<_>>();
    let both = keys(&[1, 4]);
    assert!(accepts(&try_code(record(), with_keys(&both), &code_at(1, NOW), NOW).0, 1));
    assert_eq!(refusal(&try_code(record(), with_keys(&both), &code_at(2, NOW), NOW).0), Refusal::Wrong);
    let none = keys(&[1, 2]);
    for number in [1, 2] {
        assert_eq!(refusal(&try_code(record(), with_keys(&none), &code_at(number, NOW), NOW).0), Refusal::Wrong);
    }
    assert_eq!(admitted(&record(), with_keys(&none), NOW), Admission::Refuse(Refusal::NotEnrolled));
    let unknown = keys(&[1, 9]);
    assert_eq!(refusal(&try_code(record(), with_keys(&unknown), &code_at(1, NOW), NOW).0), Refusal::NotEnrolled);
    assert_eq!(admitted(&record(), with_keys(&keys(&[9, 1])), NOW), Admission::Refuse(Refusal::NotEnrolled));
}

#[test]
fn a_policy_may_let_a_key_pass_alone() {
    let with = |policy| {
        let mut record = record();
        record.entries[0].policy = policy;
        record
    };
    let forever = with(Policy::None { until: None });
    assert_eq!(admitted(&forever, with_keys(&[key(1)]), NOW), Admission::Pass);
    assert_eq!(admitted(&forever, with_keys(&[key(1), key(1)]), NOW), Admission::Pass);
    assert_eq!(admitted(&forever, Shown::Claim { key: Some(key(1)) }, NOW), Admission::Pass);
    for keys in [[key(1), key(2)], [key(2), key(1)]] {
        let Admission::Ask { label: Some(label), .. } = admitted(&forever, with_keys(&keys), NOW) else { panic!() };
        assert_eq!(label.as_str(), "device-2", "the other key's policy still counts");
    }
    let limited = with(Policy::None { until: Some(NOW) });
    assert_eq!(admitted(&limited, with_keys(&[key(1)]), NOW - 1), Admission::Pass);
    assert!(matches!(admitted(&limited, with_keys(&[key(1)]), NOW), Admission::Ask { .. }));
}

#[test]
fn what_is_not_active_does_not_count() {
    for state in [State::Disabled, State::Revoked { at: 1 }] {
        let mut record = record();
        record.credentials[0].state = state;
        assert_eq!(admitted(&record, with_keys(&[key(1)]), NOW), Admission::Refuse(Refusal::NotEnrolled));
        let Admission::Ask { label: Some(label), .. } = admitted(&record, with_keys(&[key(4)]), NOW) else { panic!() };
        assert_eq!(label.as_str(), "device-2");
        assert_eq!(refusal(&try_code(record, with_keys(&[key(1)]), &code_at(1, NOW), NOW).0), Refusal::Wrong);
    }
}

#[test]
fn only_one_credential_counts_when_it_is_confirmed() {
    let (verdict, _) = try_full(record(), "alice", with_keys(&[key(4)]), &code_at(1, NOW), Some(&id(2)), NOW);
    assert_eq!(refusal(&verdict), Refusal::Wrong);
    let (verdict, _) = try_full(record(), "alice", with_keys(&[key(4)]), &code_at(2, NOW), Some(&id(2)), NOW);
    assert!(accepts(&verdict, 2));
    for scratch in [SCRATCH, OLD_SCRATCH] {
        let (verdict, kept) = try_full(with_scratch(record()), "alice", Shown::AnyEntry, scratch, Some(&id(2)), NOW);
        assert_eq!((refusal(&verdict), kept.scratch_left()), (Refusal::Wrong, 2), "a scratch code confirms nothing");
    }
}

#[test]
fn what_is_no_code_is_not_counted() {
    for typed in ["", "12345", "123456789", "12345a", "ABCD-EFGH", "१२३४५६"] {
        let (verdict, kept) = try_code(record(), with_keys(&[key(1)]), typed, NOW);
        assert_eq!((refusal(&verdict), kept.doors.len()), (Refusal::Malformed, 0), "{typed}");
    }
}

#[test]
fn three_failures_throttle_for_thirty_seconds() {
    let shown = [key(1)];
    let mut record = record();
    for second in 0..3 {
        let (verdict, kept) = try_code(record, with_keys(&shown), WRONG, NOW + second);
        assert_eq!(refusal(&verdict), Refusal::Wrong);
        record = kept;
    }
    for (second, wait) in [(2, 28), (29, 1)] {
        let before = picture(&record);
        for typed in [WRONG, &code_at(1, NOW + second), ""] {
            let (verdict, kept) = try_code(record, with_keys(&shown), typed, NOW + second);
            assert_eq!(refusal(&verdict), Refusal::Throttled { wait });
            assert_eq!(picture(&kept), before);
            record = kept;
        }
        let closed = Refusal::Throttled { wait };
        assert_eq!(admitted(&record, with_keys(&shown), NOW + second), Admission::Refuse(closed));
    }
    let (verdict, kept) = try_code(record, with_keys(&shown), &code_at(1, NOW + 30), NOW + 30);
    assert!(accepts(&verdict, 1));
    assert!(kept.doors.is_empty(), "success at the door resets it");
}

#[test]
fn a_hundred_failures_lock_only_that_door() {
    let mut record = record();
    let mut time = NOW;
    for _ in 0..LOCK_FAILURES {
        let (verdict, kept) = try_code(record, with_keys(&[key(1)]), WRONG, time);
        assert_eq!(refusal(&verdict), Refusal::Wrong);
        (record, time) = (kept, time + 30);
    }
    time += 1_000_000;
    assert_eq!(
        refusal(&try_code(with_same(&record), with_keys(&[key(1)]), &code_at(1, time), time).0),
        Refusal::Locked
    );
    assert_eq!(admitted(&record, with_keys(&[key(1)]), time), Admission::Refuse(Refusal::Locked));
    for (shown, number) in [
        (with_keys(&[key(2)]), 2),
        (with_keys(&[key(4)]), 1),
        (Shown::Claim { key: Some(key(1)) }, 1),
        (Shown::AnyEntry, 1),
    ] {
        assert!(accepts(&try_code(with_same(&record), shown, &code_at(number, time), time).0, number));
    }
}

#[test]
fn a_claim_has_doors_of_its_own() {
    let claim = Shown::Claim { key: Some(key(1)) };
    let (_, kept) = try_code(record(), claim, WRONG, NOW);
    assert_eq!((failures(&kept, &Proof::ClaimedKey(key(1))), failures(&kept, &Proof::Key(key(1)))), (1, 0));
    let (_, kept) = try_code(kept, Shown::AnyEntry, WRONG, NOW);
    assert_eq!(failures(&kept, &Proof::Uid), 1);
}

#[test]
fn nobody_guesses_at_a_door_that_can_not_be_counted() {
    let mut record = record();
    record.doors = (0..MAX_DOORS).map(|n| shut(Proof::Service(format!("s{n}")), 1)).collect();
    let (verdict, kept) = try_code(record, with_keys(&[key(1)]), WRONG, NOW);
    assert_eq!((refusal(&verdict), kept.doors.len()), (Refusal::Locked, MAX_DOORS));
}

#[test]
fn a_scratch_code_works_once() {
    for (typed, left) in [(SCRATCH, 1), ("abcdefghijkl2345", 1), (OLD_SCRATCH, 1), ("1234 5678", 1)] {
        let shown = [key(1)];
        let typed = typed.to_uppercase().replace(' ', "");
        let (verdict, kept) = try_code(with_scratch(record()), with_keys(&shown), &typed, NOW);
        assert_eq!(verdict, Verdict::Accept(Accepted::Scratch { left }), "{typed}");
        let before = picture(&kept);
        let (verdict, kept) = try_code(kept, with_keys(&[key(2)]), &typed, NOW + 60);
        assert_eq!(refusal(&verdict), Refusal::Replayed { next_in: None });
        assert_eq!(picture(&kept), before);
    }
}

#[test]
fn a_long_scratch_code_opens_a_shut_door_and_clears_it() {
    for failures in [3, LOCK_FAILURES] {
        let closed = || {
            let mut record = with_scratch(record());
            record.doors = vec![shut(Proof::Key(key(1)), failures), shut(Proof::Key(key(2)), failures)];
            record
        };
        let why = if failures == 3 { Refusal::Throttled { wait: 27 } } else { Refusal::Locked };
        let ask = Admission::Ask { label: Some("device-1".parse().unwrap()), closed: Some(why) };
        assert_eq!(admitted(&closed(), with_keys(&[key(1)]), NOW), ask);
        assert_eq!(refusal(&try_code(closed(), with_keys(&[key(1)]), OLD_SCRATCH, NOW).0), why);
        let before = picture(&closed());
        let (verdict, kept) = try_code(closed(), with_keys(&[key(1)]), "ABCDEFGHIJKL2346", NOW);
        assert_eq!((refusal(&verdict), picture(&kept)), (Refusal::Wrong, before));
        let (verdict, kept) = try_code(kept, with_keys(&[key(1)]), SCRATCH, NOW);
        assert_eq!(verdict, Verdict::Accept(Accepted::Scratch { left: 1 }));
        assert_eq!(kept.doors, [shut(Proof::Key(key(2)), failures)]);
    }
}

#[test]
fn a_wrong_scratch_code_is_a_failure() {
    let (verdict, kept) = try_code(with_scratch(record()), with_keys(&[key(1)]), "ABCDEFGHIJKL2346", NOW);
    assert_eq!((refusal(&verdict), failures(&kept, &Proof::Key(key(1)))), (Refusal::Wrong, 1));
    let (verdict, kept) = try_code(record(), with_keys(&[key(1)]), SCRATCH, NOW);
    assert_eq!((refusal(&verdict), failures(&kept, &Proof::Key(key(1)))), (Refusal::Wrong, 1), "there are none");
}

#[test]
fn scratch_codes_are_asked_where_no_credential_is_left() {
    let mut record = with_scratch(record());
    record.credentials[0].state = State::Revoked { at: 1 };
    assert_eq!(admitted(&record, with_keys(&[key(1)]), NOW), Admission::Ask { label: None, closed: None });
    let (verdict, _) = try_code(record, with_keys(&[key(1)]), SCRATCH, NOW);
    assert!(matches!(verdict, Verdict::Accept(Accepted::Scratch { .. })));
}

#[test]
fn two_credentials_are_asked_without_a_name() {
    assert_eq!(admitted(&record(), with_keys(&[key(4)]), NOW), Admission::Ask { label: None, closed: None });
    assert!(accepts(&try_code(record(), with_keys(&[key(4)]), &code_at(2, NOW), NOW).0, 2));
}

#[test]
fn a_clock_set_back_reopens_nothing() {
    let (_, kept) = try_code(record(), with_keys(&[key(1)]), &code_at(1, NOW), NOW);
    for earlier in [NOW - 30, NOW - 60, NOW - 3600] {
        let code = code_at(1, earlier);
        let (verdict, _) = try_code(with_same(&kept), with_keys(&[key(1)]), &code, earlier);
        assert!(matches!(verdict, Verdict::Refuse(Refusal::Replayed { .. })), "{earlier}");
    }
    let mut throttled = record();
    throttled.doors = vec![shut(Proof::Key(key(1)), 3)];
    let earlier = NOW - 3600;
    let (verdict, _) = try_code(throttled, with_keys(&[key(1)]), &code_at(1, earlier), earlier);
    assert_eq!(refusal(&verdict), Refusal::Throttled { wait: 30 });
}
