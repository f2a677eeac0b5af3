//! Grants: for one key at one place, for a while, and for nobody else.

mod common;

use common::{NOW, account, entry, id, key, record, with_keys, without_key};
use otp_core::decide::Shown;
use otp_core::grant::{self, Boot, CONNECTION_SECONDS, Grace, Grant, MAX_GRANTS, Origin, Place};
use otp_core::{Admission, Limits, Record, State, admit};

const BOOT: Boot = Boot { id: [1; 16], now: 1000 };
const HERE: Origin<'_> = Origin {
    claimed_by: Some(1000),
    address: Some("192.0.2.1"),
    connection: Some("7.1 one"),
    boot: Some(BOOT),
    grace: None,
};

fn claim(number: u8) -> Shown<'static> {
    Shown::Claim { key: Some(key(number)) }
}

fn admitted(record: &Record, shown: Shown<'_>, origin: &Origin<'_>) -> Admission {
    admit(record, &account("alice"), shown, origin, Limits::Usual, NOW)
}

fn is_granted(record: &Record, shown: Shown<'_>, origin: &Origin<'_>) -> bool {
    admitted(record, shown, origin) == Admission::Granted
}

/// alice's record after a code of credential 1 with key 1.
fn after(origin: &Origin<'_>, connections: bool, for_address: Option<u64>) -> Record {
    let mut record = record();
    record.entries[0].grant = for_address;
    grant::after_code(&mut record, &account("alice"), &[key(1)], origin, Some(&id(1)), connections);
    record
}

fn later(seconds: u64) -> Boot {
    Boot { now: BOOT.now + seconds, ..BOOT }
}

#[test]
fn a_code_opens_its_connection_and_nothing_else() {
    let record = after(&HERE, true, None);
    assert!(is_granted(&record, claim(1), &HERE));
    for other in [
        Origin { connection: Some("7.2 one"), ..HERE },
        Origin { connection: None, ..HERE },
        Origin { claimed_by: Some(1001), ..HERE },
        Origin { claimed_by: None, ..HERE }, // a claim opens nothing for root's facts
        Origin { boot: Some(Boot { id: [2; 16], ..BOOT }), ..HERE },
        Origin { boot: Some(later(CONNECTION_SECONDS)), ..HERE },
        Origin { boot: None, ..HERE },
    ] {
        assert!(!is_granted(&record, claim(1), &other), "{other:?}");
    }
    assert!(is_granted(&record, claim(1), &Origin { boot: Some(later(CONNECTION_SECONDS - 1)), ..HERE }));
    assert!(!is_granted(&record, claim(2), &HERE), "another key");
    assert!(!is_granted(&record, Shown::Claim { key: None }, &HERE), "no key");
    assert!(!is_granted(&after(&HERE, false, None), claim(1), &HERE), "where the settings say no");
}

#[test]
fn an_address_is_granted_only_where_the_key_says_so() {
    let elsewhere = Origin { connection: Some("8.1 two"), ..HERE };
    assert!(!is_granted(&after(&HERE, true, None), claim(1), &elsewhere));
    let record = after(&HERE, true, Some(600));
    assert!(is_granted(&record, claim(1), &elsewhere));
    assert!(!is_granted(&record, claim(1), &Origin { address: Some("192.0.2.2"), ..elsewhere }));
    assert!(!is_granted(&record, claim(1), &Origin { boot: Some(later(600)), ..elsewhere }));
}

#[test]
fn what_root_says_is_granted_to_root_and_to_the_uid() {
    let fact = Origin { claimed_by: None, connection: None, ..HERE };
    let record = after(&fact, true, Some(600));
    assert!(is_granted(&record, with_keys(&[key(1)]), &fact));
    assert!(is_granted(&record, claim(1), &HERE));
    assert!(!is_granted(&record, with_keys(&[key(1), key(4)]), &fact), "every key that asks needs one");
}

#[test]
fn a_grant_ends_with_its_credential_and_its_key() {
    for state in [State::Disabled, State::Revoked { at: 1 }] {
        let mut record = after(&HERE, true, Some(600));
        record.credentials[0].state = state;
        assert!(!is_granted(&record, claim(1), &HERE), "{state:?}");
    }
    let mut record = after(&HERE, true, Some(600));
    record.entries.retain(|entry| entry.key != Some(key(1)));
    assert!(!is_granted(&record, claim(1), &HERE));
    let mut record = after(&HERE, true, Some(600));
    assert_eq!(grant::revoke(&mut record, &account("alice"), &key(1)), 2);
    assert!(!is_granted(&record, claim(1), &HERE));
}

#[test]
fn grants_are_few_and_those_that_end_first_go_first() {
    let mut record = record();
    for number in 0..1000 {
        let place = Place::Address(format!("192.0.2.{number}"));
        let (account, until) = (account("alice"), BOOT.now + 1 + number);
        let grant =
            Grant { account, key: Some(key(1)), place, claimed_by: None, credential: None, boot: BOOT.id, until };
        grant::add(&mut record, grant.clone(), BOOT);
        grant::add(&mut record, grant, BOOT);
    }
    assert_eq!(record.grants.len(), MAX_GRANTS);
    assert!(record.grants.iter().all(|grant| grant.until > BOOT.now + 1000 - MAX_GRANTS as u64));
    let (account, place) = (account("alice"), Place::Address("192.0.2.1".to_owned()));
    let later = later(2000);
    let until = later.now + 1;
    let grant = Grant { account, key: Some(key(1)), place, claimed_by: None, credential: None, boot: BOOT.id, until };
    grant::add(&mut record, grant, later);
    assert_eq!(record.grants.len(), 1, "what has ended is dropped");
}

const GRACE: Option<Grace<'_>> = Some(Grace { service: "login", seconds: 60 });
const STACK: Origin<'_> = Origin { claimed_by: None, connection: None, grace: GRACE, ..HERE };

/// alice's record after a code at the PAM stack, without a key.
fn after_grace(credential: Option<u8>) -> Record {
    let mut record = record();
    record.entries.push(entry(None, &[1]));
    grant::after_code(&mut record, &account("alice"), &[], &STACK, credential.map(id).as_ref(), true);
    record
}

fn graced(record: &Record, origin: &Origin<'_>) -> bool {
    is_granted(record, without_key("login"), origin)
}

#[test]
fn grace_is_for_one_address_at_one_service_while_its_stack_says_so() {
    let record = after_grace(Some(1));
    assert!(graced(&record, &STACK));
    let grace = |service, seconds| Some(Grace { service, seconds });
    for other in [
        Origin { address: Some("192.0.2.2"), ..STACK },
        Origin { address: None, ..STACK },
        Origin { grace: None, ..STACK },
        Origin { grace: grace("su", 60), ..STACK },
        Origin { grace: grace("login", 59), ..STACK }, // shortened since
        Origin { boot: Some(later(60)), ..STACK },
        Origin { boot: Some(Boot { id: [2; 16], ..BOOT }), ..STACK },
        Origin { boot: None, ..STACK },
    ] {
        assert!(!graced(&record, &other), "{other:?}");
    }
    assert!(graced(&record, &Origin { boot: Some(later(59)), ..STACK }));
    assert!(graced(&record, &Origin { boot: Some(later(30)), grace: grace("login", 30), ..STACK }));
    assert!(!is_granted(&record, with_keys(&[key(1)]), &STACK), "a key has grace of its own");
    assert!(!is_granted(&record, claim(1), &HERE), "and no uid's claim has any");
}

#[test]
fn a_code_by_a_key_gives_grace_to_the_key_alone() {
    let mut record = record();
    record.entries.push(entry(None, &[1]));
    grant::after_code(&mut record, &account("alice"), &[key(1)], &STACK, Some(&id(1)), true);
    assert!(is_granted(&record, with_keys(&[key(1)]), &STACK));
    for other in [vec![key(4)], vec![key(1), key(4)], vec![]] {
        assert!(!is_granted(&record, with_keys(&other), &STACK), "{other:?}");
    }
    assert!(!is_granted(&record, with_keys(&[key(1)]), &Origin { grace: None, ..STACK }), "ssh-otp asks for none");
    assert_eq!(grant::revoke(&mut record, &account("alice"), &key(1)), 1);
    assert!(!is_granted(&record, with_keys(&[key(1)]), &STACK));
}

#[test]
fn other_grants_are_no_grace() {
    let fact = Origin { grace: None, ..STACK };
    let mut record = after(&fact, true, Some(600));
    record.entries.push(entry(None, &[1]));
    assert!(!graced(&record, &STACK), "a key's address is not the login without one");
    assert!(record.grants.iter().all(|grant| !matches!(grant.place, Place::Grace { .. })), "nobody gave any");
}

#[test]
fn grace_ends_with_its_credential_and_none_is_given_for_a_scratch_code() {
    for state in [State::Disabled, State::Revoked { at: 1 }] {
        let mut record = after_grace(Some(1));
        record.credentials[0].state = state;
        assert!(!graced(&record, &STACK), "{state:?}");
    }
    assert!(!graced(&after_grace(None), &STACK));
}
