//! `kill -9` of a busy verifier, at any moment: no code works twice, the next
//! start works at once, and no accepted code is missing in the audit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside of #[test] functions

mod common;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use common::*;
use otp_wire::frame::MAX_LISTING;
use otp_wire::message::{AuditFilter, Outcome, Reason};
use otp_wire::{Ask, SocketVerifier};

/// The verifier's (RFC 4226 §7.4).
const LOOK_AHEAD: u64 = 10;

/// Accounts that every system has.
const ACCOUNTS: [&str; 4] = ["daemon", "bin", "sys", "mail"];

/// Somebody who logs in again and again with a counting token.
struct Person {
    account: &'static str,
    secret: String,
    /// The next counter: every code before it is spent.
    next: u64,
    /// The last code that was accepted, and that the person was told so.
    accepted: Option<u64>,
}

impl Person {
    /// Whether the code of this counter isn't, by chance, also one of those that
    /// are still accepted: then it would be let in as that one.
    fn comes_once(&self, counter: u64) -> bool {
        let typed = code(&self.secret, counter);
        (counter + 1..=self.next + LOOK_AHEAD + 1).all(|later| code(&self.secret, later) != typed)
    }

    /// Types the next code. A code whose answer got lost is typed once more:
    /// either it counts now, or it was spent.
    fn log_in(&mut self, verifier: &SocketVerifier) -> bool {
        match ask(verifier, verify_as(self.account, &code(&self.secret, self.next))) {
            Ok(Outcome::Accepted { .. }) => self.accepted = Some(self.next),
            Ok(Outcome::Refused { reason: Reason::Replayed, .. }) => {}
            Ok(Outcome::Undecided(_)) | Err(_) => return false,
            Ok(other) => panic!("{other:?}"),
        }
        self.next += 1;
        true
    }
}

fn rounds() -> u64 {
    std::env::var("OATHGATE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(30)
}

/// Logins of everybody until the verifier is gone.
fn load(people: &mut [Person], verifier: impl Fn() -> SocketVerifier + Sync, told: &Sender<()>, ended: &AtomicBool) {
    std::thread::scope(|scope| {
        for person in people {
            let (verifier, told) = (&verifier, told.clone());
            scope.spawn(move || {
                let verifier = verifier();
                while person.log_in(&verifier) && !ended.load(Ordering::SeqCst) {
                    let _ = told.send(());
                }
            });
        }
    });
}

/// Numbers of the audit rows of accepted codes, newest first.
fn accepted_rows(running: &Running, account: &str) -> Vec<i64> {
    let filter = AuditFilter {
        account: Some(account.to_owned()),
        verdict: Some("accept".to_owned()),
        limit: 1000,
        ..AuditFilter::default()
    };
    match ask(&running.verifier("root").max_reply(MAX_LISTING), Ask::Audit(filter)).unwrap() {
        Outcome::Audit(rows) => rows.into_iter().map(|row| row.id).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn killed_at_any_moment_under_load() {
    let mut running = Running::start();
    let enrol = |account| Person {
        account,
        secret: enrolled_for(&running.verifier("root"), account).0,
        next: 0,
        accepted: None,
    };
    let mut people = ACCOUNTS.map(enrol);
    // Of each person: codes that were spent, and the newest audit row.
    let mut before = [(0, 0); ACCOUNTS.len()];
    for round in 0..rounds() {
        let (told, tell) = channel();
        let ended = AtomicBool::new(false);
        // After a number of logins; what the others are doing at that moment is chance.
        let moment = RandomState::new().hash_one(round) % 40;
        std::thread::scope(|scope| {
            scope.spawn(|| load(&mut people, || running.verifier("root"), &told, &ended));
            for _ in 0..moment {
                tell.recv_timeout(Duration::from_secs(20)).unwrap();
            }
            let id = rustix::process::Pid::from_child(&running.child);
            rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
            ended.store(true, Ordering::SeqCst);
        });
        let begun = Instant::now();
        running.restart(|_| {});
        for (person, before) in people.iter_mut().zip(&mut before) {
            if let Some(last) = person.accepted.filter(|last| person.comes_once(*last)) {
                let again = ask(&running.verifier("root"), verify_as(person.account, &code(&person.secret, last)));
                assert!(
                    matches!(again, Ok(Outcome::Refused { .. })),
                    "round {round}, counter {last} of {}: {again:?}",
                    person.account
                );
            }
            assert!(person.log_in(&running.verifier("root")), "round {round}: the next login works at once");
            let rows = accepted_rows(&running, person.account);
            let new = rows.iter().filter(|id| **id > before.1).count() as u64;
            assert_eq!(new, person.next - before.0, "round {round}: one row a code");
            *before = (person.next, rows[0]);
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "round {round}: {:?}", begun.elapsed());
    }
}
