//! Resynchronisation, and the limits that a profile sets.

mod common;

use common::{
    NOW, SALT, SCRATCH, WRONG, account, code_at, code_of, hash, id, key, picture, record, try_code, try_full,
    with_keys, with_scratch,
};
use otp_core::Terms;
use otp_core::door::{PCI_FAILURES, PCI_SECONDS};
use otp_core::resync::{HOTP_AHEAD, Resync, TOTP_STEPS, resync};
use otp_core::{Attempt, Factor, Input, Limits, Period, Record, Refusal, UnixTime, Verdict, decide, door};

fn try_resync(record: Record, number: u8, codes: [&str; 2], now: UnixTime) -> (Verdict, Record) {
    let inputs = codes.map(|code| Input::parse(code.as_bytes()));
    let (account, keys) = (account("alice"), [key(number)]);
    let codes = [&inputs[0], &inputs[1]];
    let ask = Resync { account: &account, shown: with_keys(&keys), codes, only: None, limits: Limits::Usual };
    resync(record, &ask, now)
}

fn accepted(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Accept(_))
}

#[test]
fn a_clock_that_runs_wrong_is_followed() {
    for off in [-20, -7, 3, 19] {
        let device = NOW.saturating_add_signed(off * 30);
        let codes = [code_at(1, device - 30), code_at(1, device)];
        if off.unsigned_abs() > 1 {
            let (verdict, _) = try_code(record(), with_keys(&[key(1)]), &codes[1], NOW);
            assert!(!accepted(&verdict), "{off} steps are too many for a login");
        }
        let (verdict, kept) = try_resync(record(), 1, [&codes[0], &codes[1]], NOW);
        // The first code would lie outside of the steps that are looked at.
        assert_eq!(accepted(&verdict), off > -20, "{off}");
        if accepted(&verdict) {
            let Factor::Totp { skew, .. } = kept.credentials[0].factor else { panic!("no TOTP") };
            assert_eq!(i64::from(skew), off);
            let (again, kept) = try_code(kept, with_keys(&[key(1)]), &codes[1], NOW);
            assert!(matches!(again, Verdict::Refuse(Refusal::Replayed { .. })), "both are spent");
            let (next, _) = try_code(kept, with_keys(&[key(1)]), &code_at(1, device + 30), NOW + 30);
            assert!(accepted(&next), "the next code fits at once");
        }
    }
}

#[test]
fn a_counter_that_ran_ahead_is_followed() {
    let ahead = 5 + HOTP_AHEAD;
    let (verdict, kept) = try_resync(record(), 3, [&code_of(3, ahead), &code_of(3, ahead + 1)], NOW);
    assert!(accepted(&verdict));
    assert_eq!(kept.credentials[2].factor, Factor::Hotp { next: ahead + 2 });
    let (verdict, _) = try_resync(kept, 3, [&code_of(3, 5), &code_of(3, 6)], NOW + 60);
    assert!(!accepted(&verdict), "a counter never goes back");
    let (verdict, _) = try_resync(record(), 3, [&code_of(3, ahead + 1), &code_of(3, ahead + 2)], NOW);
    assert!(!accepted(&verdict), "too far");
}

#[test]
fn the_codes_must_follow_each_other_and_be_unused() {
    let step = |ahead: u64| code_of(1, Period::DEFAULT.step(NOW) + ahead);
    for codes in [[step(1), step(0)], [step(0), step(2)], [step(0), step(0)], [step(0), WRONG.to_owned()]] {
        let (verdict, kept) = try_resync(record(), 1, [&codes[0], &codes[1]], NOW);
        assert_eq!(verdict, Verdict::Refuse(Refusal::Wrong));
        assert_eq!(kept.doors.len(), 1, "counted");
    }
    let far = code_of(1, Period::DEFAULT.step(NOW) + TOTP_STEPS + 1);
    assert!(!accepted(&try_resync(record(), 1, [&far, &step(TOTP_STEPS + 2)], NOW).0));
    let (_, kept) = try_code(record(), with_keys(&[key(1)]), &step(0), NOW);
    assert!(!accepted(&try_resync(kept, 1, [&step(0), &step(1)], NOW).0), "the first one is used");
}

#[test]
fn guessing_at_it_is_counted_as_at_a_login() {
    let mut kept = record();
    for _ in 0..3 {
        kept = try_resync(kept, 1, ["111111", "222222"], NOW).1;
    }
    let before = picture(&kept);
    let (verdict, kept) = try_resync(kept, 1, [&code_at(1, NOW), &code_at(1, NOW + 30)], NOW);
    assert!(matches!(verdict, Verdict::Refuse(Refusal::Throttled { .. })));
    assert_eq!(picture(&kept), before);
}

fn try_pci(record: Record, number: u8, typed: &str, now: UnixTime) -> (Verdict, Record) {
    let (account, keys, input) = (account("alice"), [key(number)], Input::parse(typed.as_bytes()));
    let shown = with_keys(&keys);
    let text = typed.replace('-', "");
    let hashes = [(SALT, hash(text.as_bytes(), &SALT))];
    let attempt = Attempt {
        account: &account,
        shown,
        input: &input,
        hashes: &hashes,
        only: None,
        limits: Limits::Pci,
        terms: Terms::default(),
    };
    decide(record, &attempt, now)
}

#[test]
fn under_pci_ten_failures_lock_an_owner_for_half_an_hour() {
    let (mut kept, mut now) = (record(), NOW);
    for number in 0..PCI_FAILURES {
        // Slowly, and at two doors in turn: the throttle has nothing to say.
        now += 60;
        let (verdict, after) = try_pci(kept, 1 + u8::try_from(number % 2).unwrap(), WRONG, now);
        assert_eq!(verdict, Verdict::Refuse(Refusal::Wrong), "{number}");
        kept = after;
    }
    for number in [1, 2, 3] {
        let (verdict, after) = try_pci(kept, number, &code_at(1, now), now);
        assert_eq!(verdict, Verdict::Refuse(Refusal::Locked), "key {number}");
        kept = after;
    }
    let last_second = now + PCI_SECONDS - 1;
    let (verdict, kept) = try_pci(kept, 1, &code_at(1, last_second), last_second);
    assert_eq!(verdict, Verdict::Refuse(Refusal::Locked));
    let over = now + PCI_SECONDS;
    let (verdict, kept) = try_pci(kept, 1, &code_at(1, over), over);
    assert!(accepted(&verdict), "{verdict:?}");
    assert!(kept.doors.is_empty(), "what was counted is forgotten");
}

/// The lock is the owner's, and so is its end: at whatever door it comes from.
#[test]
fn under_pci_a_scratch_code_or_an_administrator_ends_the_lock() {
    let locked = || {
        let tries = (0..u64::from(PCI_FAILURES)).map(|number| NOW + 60 * number);
        tries.fold(with_scratch(record()), |kept, now| {
            try_pci(kept, 1 + u8::try_from(now / 60 % 2).unwrap(), WRONG, now).1
        })
    };
    let now = NOW + 60 * u64::from(PCI_FAILURES);
    assert_eq!(try_pci(locked(), 3, &code_at(1, now), now).0, Verdict::Refuse(Refusal::Locked));
    let (verdict, kept) = try_pci(locked(), 3, SCRATCH, now);
    assert!(accepted(&verdict) && kept.doors.is_empty(), "{verdict:?} {:?}", kept.doors);
    let mut kept = locked();
    assert_eq!(door::open(&mut kept, Limits::Pci, |_| false), 2);
    assert!(accepted(&try_pci(kept, 1, &code_at(1, now), now).0));
    // One that is not locked keeps what was counted elsewhere.
    let kept = try_pci(with_scratch(record()), 1, WRONG, NOW).1;
    let (verdict, kept) = try_pci(kept, 3, SCRATCH, NOW);
    assert!(accepted(&verdict) && kept.doors.len() == 1, "{verdict:?} {:?}", kept.doors);
}

#[test]
fn a_throttled_door_opens_again_after_the_clock_was_set_back() {
    let mut kept = record();
    for _ in 0..3 {
        kept = try_code(kept, with_keys(&[key(1)]), WRONG, NOW).1;
    }
    let earlier = NOW - 86_400;
    let (verdict, kept) = try_code(kept, with_keys(&[key(1)]), WRONG, earlier);
    assert!(matches!(verdict, Verdict::Refuse(Refusal::Throttled { wait: 30 })), "the wait begins again, once");
    let (verdict, _) =
        try_full(kept, "alice", with_keys(&[key(1)]), &code_at(1, earlier + 30), Some(&id(1)), earlier + 30);
    assert!(accepted(&verdict), "{verdict:?}");
}
