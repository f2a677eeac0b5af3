//! Whoever is refused, as many codes are computed: the time does not tell who
//! is enrolled, revoked, or guessed at by somebody else.

use crate::decide::{Attempt, Shown, Verdict, decide, decoy};
use crate::otp::HASHED;
use crate::record::{Entry, Factor, Policy, State};
use crate::{Account, Algorithm, Credential, CredentialId, Digits, Input, Limits, Period, Record, Secret, Terms};

const NOW: u64 = 1_800_000_000;

fn alice() -> Account {
    "alice".parse().unwrap()
}

fn record(state: State) -> Record {
    let id = CredentialId::from_random([1; 5]);
    let credential = Credential {
        id: id.clone(),
        label: "phone".parse().unwrap(),
        display: None,
        algorithm: Algorithm::Sha1,
        digits: Digits::SIX,
        secret: Secret::copy(&[1; 20]).unwrap(),
        factor: Factor::Totp { period: Period::DEFAULT, last_step: None, skew: 0, window: 1 },
        created: 0,
        confirmed: None,
        last_used: None,
        state,
        barred: None,
    };
    let entry =
        Entry { account: alice(), key: None, note: None, policy: Policy::Code, credentials: vec![id], grant: None };
    Record { credentials: vec![credential], entries: vec![entry], ..Record::new("alice".parse().unwrap()) }
}

fn counted(work: impl FnOnce() -> Verdict) -> u32 {
    HASHED.with(|count| count.set(0));
    assert!(matches!(work(), Verdict::Refuse(_)));
    HASHED.with(std::cell::Cell::get)
}

/// One wrong code; the record as it is afterwards.
fn wrong(record: Record, account: &Account) -> (Verdict, Record) {
    let input = Input::parse(b"1234567"); // no credential here has seven digits
    let shown = Shown::Fact { service: "sshd", keys: &[] };
    let attempt = Attempt {
        account,
        shown,
        input: &input,
        hashes: &[],
        only: None,
        limits: Limits::Usual,
        terms: Terms::default(),
    };
    decide(record, &attempt, NOW)
}

#[test]
fn a_refusal_is_the_same_work_for_everybody() {
    let known = counted(|| wrong(record(State::Active), &alice()).0);
    assert_eq!(known, 3, "a window of one step");
    let throttled = (0..3).fold(record(State::Active), |record, _| wrong(record, &alice()).1);
    assert_eq!(counted(|| wrong(throttled, &alice()).0), known, "throttled");
    for state in [State::Disabled, State::Revoked { at: 1 }] {
        assert_eq!(counted(|| wrong(record(state), &alice()).0), known, "{state:?}");
    }
    assert_eq!(counted(|| wrong(record(State::Active), &Account::nobody()).0), known, "no entry");
    assert_eq!(counted(|| decoy(&Input::parse(b"1234567"), NOW)), known, "no record");
}
