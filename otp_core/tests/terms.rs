//! What a front end's configuration demands beside: less counts by it, never more.

#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions

mod common;

use common::{
    NOW, OLD_SALT, OLD_SCRATCH, account, code_at, code_of, entry, hash, hotp, record, totp, with_scratch, without_key,
};
use otp_core::Terms;
use otp_core::{Accepted, Attempt, Digits, Input, Limits, Record, Refusal, Verdict, decide};

const WRONG: Verdict = Verdict::Refuse(Refusal::Wrong);

fn judged(record: Record, typed: &str, terms: Terms) -> (Verdict, Record) {
    let (input, hashes) = (Input::parse(typed.as_bytes()), [(OLD_SALT, hash(typed.as_bytes(), &OLD_SALT))]);
    let (account, shown, limits) = (&account("alice"), without_key("su"), Limits::Usual);
    decide(record, &Attempt { account, shown, input: &input, hashes: &hashes, only: None, limits, terms }, NOW)
}

/// alice, where no key is used: TOTP 1 with six digits, HOTP 3 with eight.
fn alice() -> Record {
    let mut record = with_scratch(record());
    record.credentials = vec![totp(1), hotp(3, 5)];
    record.credentials[1].digits = Digits::new(8).unwrap();
    record.entries = vec![entry(None, &[1, 3])];
    record
}

fn accepts(typed: &str, terms: Terms) -> bool {
    matches!(judged(alice(), typed, terms).0, Verdict::Accept(_))
}

/// The code of HOTP 3 with eight digits.
fn eight(counter: u64) -> String {
    let record = alice();
    let credential = &record.credentials[1];
    otp_core::otp::code(&credential.secret, credential.algorithm, credential.digits, counter).to_string()
}

#[test]
fn only_credentials_with_so_many_digits_count() {
    for (digits, six_counts, eight_counts) in [(6, true, false), (7, false, false), (8, false, true)] {
        let terms = Terms { digits: Some(Digits::new(digits).unwrap()), ..Terms::default() };
        assert_eq!(accepts(&code_at(1, NOW), terms), six_counts, "{digits}");
        assert_eq!(accepts(&eight(5), terms), eight_counts, "{digits}");
        assert!(accepts(OLD_SCRATCH, terms), "a scratch code is no credential's");
    }
}

#[test]
fn a_window_narrows_and_never_widens() {
    for (window, now_counts, before_counts, far_counts) in
        [(0, true, false, false), (1, true, true, false), (255, true, true, false)]
    {
        let terms = Terms { window: Some(window), ..Terms::default() };
        assert_eq!(accepts(&code_at(1, NOW), terms), now_counts);
        assert_eq!(accepts(&code_at(1, NOW - 30), terms), before_counts, "{window}");
        assert_eq!(accepts(&code_at(1, NOW + 30), terms), before_counts, "{window}");
        assert_eq!(accepts(&code_at(1, NOW + 60), terms), far_counts, "{window}");
    }
    // Miri takes its time for each: the edges are enough for it.
    let tried = |number: &u8| !cfg!(miri) || [0, 1, 10, 11].contains(number);
    for window in (0..12).filter(tried) {
        let terms = Terms { window: Some(window), ..Terms::default() };
        for ahead in (0..12).filter(tried) {
            let counter = 5 + u64::from(ahead);
            assert_eq!(accepts(&eight(counter), terms), ahead <= window.min(10), "{ahead} of {window}");
        }
    }
}

#[test]
fn a_used_code_is_known_as_one_in_a_narrow_window_too() {
    let code = code_at(1, NOW + 30);
    let (verdict, record) = judged(alice(), &code, Terms::default());
    assert!(matches!(verdict, Verdict::Accept(_)));
    let (verdict, record) = judged(record, &code, Terms { window: Some(0), ..Terms::default() });
    assert!(matches!(verdict, Verdict::Refuse(Refusal::Replayed { .. })), "{verdict:?}");
    assert!(record.doors.is_empty(), "it is not counted");
}

#[test]
fn behind_a_password_each_credential_takes_its_own_digits() {
    let terms = Terms { behind_password: true, ..Terms::default() };
    let six = code_at(1, NOW);
    for typed in [six.clone(), format!("9{six}"), format!("99{six}"), eight(5), OLD_SCRATCH.to_owned()] {
        assert!(accepts(&typed, terms), "{typed}");
    }
    assert!(!accepts(&format!("99{six}"), Terms::default()), "only where the front end says so");
    for typed in [format!("{six}9"), format!("{six}99"), eight(5)[2..].to_owned(), code_of(3, 5)] {
        assert_eq!(judged(alice(), &typed, terms).0, WRONG, "{typed}");
    }
    let (verdict, record) = judged(alice(), &format!("99{six}"), terms);
    assert!(matches!(verdict, Verdict::Accept(Accepted::Code { .. })));
    assert!(matches!(judged(record, &format!("17{six}"), terms).0, Verdict::Refuse(Refusal::Replayed { .. })));
}

#[test]
fn a_failure_behind_a_password_counts_once() {
    let terms = Terms { behind_password: true, ..Terms::default() };
    let (verdict, record) = judged(alice(), "73194700", terms);
    assert_eq!((verdict, record.doors.len(), record.doors[0].failures), (WRONG, 1, 1));
}
