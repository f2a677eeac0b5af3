//! Whoever is refused, the disk has the same to do: neither the time nor the
//! noise of it tells who is enrolled, revoked, or guessed at by somebody else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside of #[test] functions

mod common;

use common::traced::{Traced, Work};
use common::*;
use otp_wire::Ask;
use otp_wire::message::{CredentialName, Outcome, Reason};

/// What the disk had to do for one refusal, and its reason.
fn refused(traced: &Traced, account: &str) -> (Work, Reason) {
    let (outcome, work) = traced.measured(verify_as(account, WRONG));
    let Outcome::Refused { reason, .. } = outcome else { panic!("{account}: {outcome:?}") };
    (work, reason)
}

#[test]
fn a_refusal_costs_the_disk_the_same_for_everybody() {
    let Some(traced) = Traced::start() else { return };
    let root = traced.running.verifier("root");
    for account in ["daemon", "bin", "sys", "mail"] {
        enrolled_for(&root, account);
    }
    let revoke = Ask::Revoke(CredentialName { account: Some("bin".to_owned()), credential: "one".to_owned() });
    assert!(matches!(ask(&root, revoke).unwrap(), Outcome::Done(_)));
    for _ in 0..3 {
        refused(&traced, "sys");
    }
    refused(&traced, "nobody"); // the first login that leads to nobody
    let kinds = [
        ("daemon", Reason::Wrong),
        ("bin", Reason::Wrong),
        ("sys", Reason::Throttled),
        ("games", Reason::NotEnrolled),
        ("no-such-account", Reason::NotEnrolled),
    ];
    let work = kinds.map(|(account, expected)| {
        // The first one makes a row of the audit, the second is counted there.
        let tries = [refused(&traced, account), refused(&traced, account)];
        assert!(tries.iter().all(|(_, reason)| *reason == expected), "{account}: {tries:?}");
        tries.map(|(work, _)| work)
    });
    assert!(work.iter().all(|tries| *tries == work[0]), "{work:#?}");
    assert!(work[0].iter().all(|work| work.syncs >= 1 && work.writes >= 2), "durable before the answer: {work:?}");
}
