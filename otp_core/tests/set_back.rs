//! A last step in the future, and the way back from it; what has ended stays so.

mod common;

use common::{NOW, WRONG, account, code_at, entry, key, record, try_code, with_keys};
use otp_core::decide::Shown;
use otp_core::grant::Origin;
use otp_core::set_back::{NotSetBack, SetBack, set_back};
use otp_core::{
    Accepted, Admission, Factor, Input, Limits, Period, Policy, Record, Refusal, State, UnixTime, Verdict, admit,
};

const DAY: UnixTime = 24 * 60 * 60;

fn login(record: Record, at: UnixTime) -> (Verdict, Record) {
    try_code(record, with_keys(&[key(1)]), &code_at(1, at), at)
}

fn accepted(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Accept(Accepted::Code { .. }))
}

/// alice's record after she logged in at each of these times.
fn after(times: &[UnixTime]) -> Record {
    times.iter().fold(record(), |record, at| {
        let (verdict, record) = login(record, *at);
        assert!(accepted(&verdict), "{at}");
        record
    })
}

fn try_set_back(
    record: &mut Record,
    codes: [String; 2],
    used: Option<UnixTime>,
    ahead: Option<UnixTime>,
) -> Result<(), NotSetBack> {
    let [first, second] = codes.map(|code| Input::parse(code.as_bytes()));
    set_back(&mut record.credentials[0], &SetBack { codes: [&first, &second], used, ahead }, NOW)
}

fn codes_at(time: UnixTime) -> [String; 2] {
    [code_at(1, time - 30), code_at(1, time)]
}

#[test]
fn a_step_in_the_future_is_told_by_how_far_it_is() {
    let factor = |last| Factor::Totp { period: Period::DEFAULT, last_step: Some(last), skew: 0, window: 1 };
    let present = Period::DEFAULT.step(NOW);
    for (last, ahead) in [(0, None), (present, None), (present + 1, None), (present + 2, Some(30))] {
        assert_eq!(factor(last).ahead(NOW), ahead, "{last}");
    }
    assert_eq!(factor(u64::MAX).ahead(NOW).map(|seconds| seconds > DAY), Some(true), "without an overflow");
    assert_eq!(Factor::Hotp { next: u64::MAX }.ahead(NOW), None);
}

#[test]
fn two_present_codes_let_the_person_in_again() {
    let mut record = after(&[NOW - DAY, NOW + DAY]);
    let (refused, _) = login(after(&[NOW - DAY, NOW + DAY]), NOW);
    assert!(matches!(refused, Verdict::Refuse(Refusal::Replayed { .. })), "{refused:?}");
    try_set_back(&mut record, codes_at(NOW), Some(NOW - DAY), Some(NOW + DAY)).unwrap();
    assert_eq!(record.credentials[0].factor.ahead(NOW), None);
    let (again, record) = login(record, NOW);
    assert!(!accepted(&again), "both codes are spent");
    let (next, _) = login(record, NOW + 30);
    assert!(accepted(&next));
}

#[test]
fn what_was_used_while_the_clock_was_wrong_stays_used() {
    let times = [NOW + DAY, NOW + DAY + 300, NOW + DAY + 3000];
    let mut record = after(&times);
    try_set_back(&mut record, codes_at(NOW), None, Some(times[0])).unwrap();
    for time in times {
        let (verdict, kept) = login(record, time);
        assert!(matches!(verdict, Verdict::Refuse(Refusal::Replayed { .. })), "{verdict:?}");
        record = kept;
    }
    let (verdict, _) = login(record, times[2] + 60);
    assert!(accepted(&verdict), "afterwards all is as it was");
}

#[test]
fn only_unused_consecutive_codes_near_the_present_set_it_back() {
    let set_back = |codes, used| try_set_back(&mut after(&[NOW + DAY]), codes, used, Some(NOW + DAY));
    let [first, second] = codes_at(NOW);
    let wrong = Err(NotSetBack::Wrong);
    assert_eq!(set_back([second.clone(), first.clone()], None), wrong, "the wrong way round");
    assert_eq!(set_back([first.clone(), first.clone()], None), wrong);
    assert_eq!(set_back([WRONG.to_owned(), second.clone()], None), wrong);
    assert_eq!(set_back(["ABCD-EFGH-IJKL-2345".to_owned(), second.clone()], None), wrong);
    assert_eq!(set_back(codes_at(NOW + 3600), None), wrong, "too far away");
    assert_eq!(set_back([first.clone(), second.clone()], Some(NOW - 30)), wrong, "they may have been used");
    assert_eq!(set_back([first, second], Some(NOW - 120)), Ok(()));
}

#[test]
fn nothing_else_is_set_back() {
    let ask = |record: &mut Record| try_set_back(record, codes_at(NOW), None, None);
    let not_ahead = Err(NotSetBack::NotAhead);
    assert_eq!(ask(&mut record()), not_ahead, "never used");
    assert_eq!(ask(&mut after(&[NOW - 600])), not_ahead, "in the past");
    for state in [State::Disabled, State::Revoked { at: 1 }] {
        let mut record = after(&[NOW + DAY]);
        record.credentials[0].state = state;
        assert_eq!(ask(&mut record), not_ahead);
    }
}

#[test]
fn a_policy_that_has_ended_stays_so_when_the_clock_is_set_back() {
    let mut record = record();
    record.entries = vec![entry(Some(key(1)), &[1])];
    record.entries[0].policy = Policy::None { until: Some(NOW) };
    let (account, keys) = (account("alice"), [key(1)]);
    let shown = Shown::Fact { service: "sshd", keys: &keys };
    let admitted = |record: &Record, at| admit(record, &account, shown, &Origin::default(), Limits::Usual, at);
    assert_eq!(admitted(&record, NOW - 1), Admission::Pass);
    assert!(!record.end_policies(NOW - 1), "it goes on");
    let (_, mut kept) = try_code(record, with_keys(&keys), WRONG, NOW);
    assert_ne!(admitted(&kept, NOW - 1), Admission::Pass, "even a wrong code has ended it");
    assert!(!kept.end_policies(NOW), "once is enough");
    kept.entries[0].policy = Policy::None { until: None };
    assert!(!kept.end_policies(u64::MAX), "without an end it goes on");
}
