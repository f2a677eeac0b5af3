//! A bulk through a running verifier: all of them or none, whoever dies midway,
//! and nobody waits for it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside of #[test] functions

mod common;

use std::time::{Duration, Instant};

use common::*;
use otp_core::{Algorithm, Digits, Secret, otp};
use otp_wire::frame::MAX_LISTING;
use otp_wire::message::bulk::{Bulk, More, NotTaken};
use otp_wire::message::{Import, Imported, ImportedFactor, Outcome};
use otp_wire::{Ask, Converse, Error, Login, Request, SecretText, Verify};

/// An account that every system has, and that another person's keys lead to.
const ACCOUNT: &str = "daemon";
/// People in one line.
const LINE: u32 = 200;

fn key(number: u32) -> String {
    format!("SHA256:{number:042}A")
}

fn secret(number: u32) -> Secret {
    let mut bytes = [7; 20];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Secret::copy(&bytes).unwrap()
}

fn person(number: u32) -> Import {
    let factor = ImportedFactor::Hotp { next: 3 };
    Import {
        account: ACCOUNT.to_owned(),
        owner: Some(format!("person{number}")),
        key: Some(key(number)),
        note: None,
        credentials: vec![Imported {
            label: None,
            display: None,
            secret: SecretText::new(&secret(number).to_base32()).unwrap(),
            algorithm: "SHA1".to_owned(),
            digits: 6,
            factor,
        }],
        scratch: vec![],
        allow_weak: false,
        rate: None,
    }
}

fn people(line: u32) -> More {
    More::People((line * LINE..(line + 1) * LINE).map(person).collect())
}

/// Whether somebody of the bulk comes in.
fn comes_in(running: &Running, number: u32, counter: u64) -> bool {
    let login =
        Login { account: ACCOUNT.to_owned(), keys: vec![key(number)], service: "sshd".to_owned(), ..Login::default() };
    let code = otp::code(&secret(number), Algorithm::Sha1, Digits::SIX, counter);
    let verify = Ask::Verify(Verify { login, code: SecretText::new(&code).unwrap(), credential: None });
    matches!(ask(&running.verifier("root"), verify), Ok(Outcome::Accepted { .. }))
}

fn owners(running: &Running) -> u64 {
    match ask(&running.verifier("root"), Ask::Status {}).unwrap() {
        Outcome::Status(report) => report.store.unwrap().owners,
        other => panic!("{other:?}"),
    }
}

/// Says these lines, and lets `between` happen after each answer.
fn bulk(running: &Running, lines: Vec<More>, mut between: impl FnMut(&[NotTaken])) -> Result<Outcome, Error> {
    let mut lines = lines.into_iter();
    let verifier = running.verifier("root").max_reply(MAX_LISTING);
    verifier.converse(&Request::new(Ask::Bulk(Bulk {})).unwrap(), &mut |outcome| match outcome {
        Outcome::Staged(not_taken) => {
            between(not_taken);
            lines.next()
        }
        _ => None,
    })
}

/// Tries until a bulk that was given up is cleared away.
fn bulk_when_free(running: &Running, lines: impl Fn() -> Vec<More>) -> Outcome {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match bulk(running, lines(), |_| {}).unwrap() {
            Outcome::Invalid(why) if why.contains("cleared away") && Instant::now() < until => std::thread::yield_now(),
            other => return other,
        }
    }
}

#[test]
fn nobody_comes_in_before_all_do_and_others_go_on() {
    let running = Running::start();
    let (own, _) = enrolled(&running.verifier("root"));
    let mut counter = 0;
    let mut longest = Duration::ZERO;
    let lines = || vec![people(0), people(1), people(2)];
    let hung_up = bulk(&running, lines(), |not_taken| {
        let begun = Instant::now();
        let login = ask(&running.verifier("root"), verify(&code(&own, counter))).unwrap();
        longest = longest.max(begun.elapsed());
        assert!(matches!(login, Outcome::Accepted { .. }), "{login:?}");
        assert!(not_taken.is_empty() && !comes_in(&running, 0, 3) && owners(&running) == 1);
        counter += 1;
    });
    assert!(matches!(hung_up, Ok(Outcome::Staged(_))));
    assert!(longest < Duration::from_millis(500), "a login took {longest:?}");
    let all = bulk_when_free(&running, || [lines(), vec![More::Admit {}]].into_iter().flatten().collect());
    assert!(matches!(&all, Outcome::Done(line) if line.contains("600 credentials of 600 people")), "{all:?}");
    assert!(comes_in(&running, 0, 3) && comes_in(&running, 599, 3) && !comes_in(&running, 599, 3));
    assert_eq!(owners(&running), 601);
    let again = bulk(&running, vec![people(1), More::Admit {}], |_| {}).unwrap();
    assert!(matches!(&again, Outcome::Invalid(why) if why.contains("nobody of them")), "{again:?}");
    assert!(!comes_in(&running, 200, 2), "and nothing goes back");
}

#[test]
fn a_verifier_that_is_killed_midway_has_imported_nothing() {
    let mut running = Running::start();
    let (own, _) = enrolled(&running.verifier("root"));
    for round in 0..4 {
        let id = rustix::process::Pid::from_child(&running.child);
        let mut left = round + 1;
        let broken = bulk(&running, (0..4).map(people).chain([More::Admit {}]).collect(), |_| {
            left -= 1;
            if left == 0 {
                rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
            }
        });
        assert!(broken.is_err(), "{broken:?}");
        running.restart(|_| {});
        let login = ask(&running.verifier("root"), verify(&code(&own, round))).unwrap();
        assert!(matches!(login, Outcome::Accepted { .. }), "{login:?}");
        assert!(owners(&running) == 1 && !comes_in(&running, 0, 3));
    }
    let all = bulk_when_free(&running, || vec![people(0), More::Admit {}]);
    assert!(matches!(all, Outcome::Done(_)), "{all:?}");
    assert!(comes_in(&running, 0, 3) && owners(&running) == 201);
}

#[test]
fn who_can_not_come_in_is_named_and_stops_nobody_else() {
    let running = Running::start();
    let mut weak = person(1);
    weak.credentials[0].secret = SecretText::new("JBSWY3DP").unwrap();
    let gone = Import { account: "no-such-account".to_owned(), ..person(2) };
    let key = Import { key: Some("SHA256:x".to_owned()), ..person(3) };
    let twice = Import { owner: Some("person0".to_owned()), ..person(4) };
    let scratch = Import { scratch: vec![SecretText::new("12345678").unwrap()], ..person(5) };
    let none = Import { credentials: vec![], ..person(6) };
    let mut named = Vec::new();
    let line = vec![person(0), weak, gone, key, twice, scratch, none];
    let done = bulk(&running, vec![More::People(line), More::Admit {}], |not_taken| {
        named.extend(not_taken.iter().map(|one| one.reason.clone()));
    });
    assert!(matches!(done, Ok(Outcome::Done(_))), "{done:?}");
    assert!(named.len() == 6 && named.iter().any(|why| why.contains("no account")), "{named:?}");
    assert_eq!(owners(&running), 1);
}

/// Who goes on with the other module and comes over again.
#[test]
fn what_was_used_elsewhere_meanwhile_counts_as_used() {
    let running = Running::start();
    let bring = |next| {
        let mut one = person(7);
        one.credentials[0].factor = ImportedFactor::Hotp { next };
        bulk(&running, vec![More::People(vec![one]), More::Admit {}], |_| {}).unwrap()
    };
    assert!(matches!(bring(3), Outcome::Done(_)) && comes_in(&running, 7, 3));
    assert!(matches!(bring(8), Outcome::Done(_)));
    assert!(!comes_in(&running, 7, 6), "it was used at the other module");
    assert!(matches!(bring(5), Outcome::Invalid(_)), "nothing of it is new");
    assert!(!comes_in(&running, 7, 7) && comes_in(&running, 7, 8));
    assert_eq!(owners(&running), 1);
}

#[test]
fn a_bulk_is_for_root() {
    let running = Running::start();
    let public = running.verifier("socket");
    // A test that runs as root is root there too.
    let answer = public.converse(&Request::new(Ask::Bulk(Bulk {})).unwrap(), &mut |_| None).unwrap();
    assert_eq!(matches!(answer, Outcome::Denied(_)), own_uid() != 0, "{answer:?}");
    let empty = bulk(&running, vec![More::Admit {}], |_| {});
    assert!(matches!(empty, Ok(Outcome::Invalid(_))), "{empty:?}");
}

#[test]
fn a_verifier_that_is_started_for_one_bulk_does_the_same() {
    if own_uid() != 0 {
        eprintln!("skipped: not root");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(oathgated(folder.path(), &["--init"]).status.success());
    let talk = |lines: Vec<More>| {
        let (ours, theirs) = otp_wire::spawn::channel().unwrap();
        let mut lines = lines.into_iter();
        let mut started = command(folder.path(), &["--stdio"])
            .stdin(theirs.try_clone().unwrap())
            .stdout(theirs)
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let request = Request::new(Ask::Bulk(Bulk {})).unwrap();
        let mut next = |outcome: &Outcome| matches!(outcome, Outcome::Staged(_)).then(|| lines.next()).flatten();
        let answer = otp_wire::socket::converse(&ours, &request, &mut next, MAX_LISTING);
        drop(ours);
        started.wait().unwrap();
        answer.unwrap()
    };
    assert!(matches!(talk(vec![people(0)]), Outcome::Staged(_)), "and hung up on");
    let until = Instant::now() + Duration::from_secs(20);
    let all = loop {
        match talk(vec![people(0), people(1), More::Admit {}]) {
            Outcome::Invalid(why) if why.contains("cleared away") && Instant::now() < until => {}
            other => break other,
        }
    };
    assert!(matches!(&all, Outcome::Done(line) if line.contains("400 people")), "{all:?}");
}
