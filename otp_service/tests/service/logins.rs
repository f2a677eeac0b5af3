//! Logins: doors, answers, the audit.

use otp_service::access::{Peer, Role};
use otp_wire::message::{AuditFilter, KeyAdd, KeyPolicy, Outcome, Reason, Unlock};
use otp_wire::{Ask, Login, Request};

use crate::world::*;

#[test]
fn five_keys_of_five_owners_on_one_account() {
    let world = World::new(false);
    let owners = ["ann", "ben", "cat", "dan", "eve"];
    let enrolled: Vec<_> =
        owners.iter().zip(1..).map(|(owner, number)| world.enrol(ACCOUNT, owner, Some(&key(number)))).collect();
    let mut now = NOW;
    for (own, number) in (1..=5).enumerate() {
        for (other, enrolled) in enrolled.iter().enumerate() {
            let typed = [code(enrolled, 0), enrolled.scratch[own].expose().to_owned()];
            for typed in typed {
                now += 60;
                let request = Request::new(verify(login(ACCOUNT, &[key(number)]), &typed)).unwrap();
                let accepted = is_accepted(&world.send(ROOT, &request, now));
                assert_eq!(accepted, own == other, "key {own} with a code of {other}");
            }
        }
    }
}

#[test]
fn one_locked_door_leaves_the_others_open() {
    let world = World::new(false);
    let owners = ["ann", "ben", "cat", "dan", "eve"];
    let enrolled: Vec<_> =
        owners.iter().zip(1..).map(|(owner, number)| world.enrol(ACCOUNT, owner, Some(&key(number)))).collect();
    for minute in 0..200 {
        let guess = Request::new(verify(login(ACCOUNT, &[key(1)]), "000000")).unwrap();
        assert!(!is_accepted(&world.send(ROOT, &guess, NOW + minute * 60)));
    }
    let later = NOW + 200 * 60;
    let send = |number: u8, typed: &str| {
        world.send(ROOT, &Request::new(verify(login(ACCOUNT, &[key(number)]), typed)).unwrap(), later)
    };
    let outcome = send(1, &code(&enrolled[0], 0));
    assert!(matches!(&outcome, Outcome::Refused { reason: Reason::Locked, line } if line.contains("administrator")));
    for number in 2..=5 {
        assert!(is_accepted(&send(number, &code(&enrolled[usize::from(number) - 1], 0))), "key {number}");
    }
    let unlock = Ask::Unlock(Unlock { account: ACCOUNT.to_owned(), key: Some(key(1).to_string()) });
    assert!(matches!(world.ask(ROOT, unlock), Outcome::Done(_)));
    assert!(is_accepted(&send(1, &code(&enrolled[0], 0))));
}

#[test]
fn who_has_proven_nothing_is_told_nothing() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, None);
    assert!(is_accepted(&world.verify(ROOT, login(ACCOUNT, &[]), &code(&enrolled, 0))));
    let mut lines = Vec::new();
    for (account, typed) in
        [(ACCOUNT, code(&enrolled, 0)), (ACCOUNT, "000000".into()), ("root", "1".into()), ("?", "".into())]
    {
        match world.verify(ROOT, login(account, &[]), &typed) {
            Outcome::Refused { line, .. } => lines.push(line),
            other => panic!("{other:?}"),
        }
    }
    lines.dedup();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(matches!(world.ask(ROOT, Ask::Begin(login(ACCOUNT, &[]))), Outcome::Ask { label: None, line: None }));
}

#[test]
fn asking_again_with_the_same_id_gets_the_same_verdict() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, None);
    let request = Request::new(verify(login(ACCOUNT, &[]), &code(&enrolled, 0))).unwrap();
    assert!(is_accepted(&world.send(ROOT, &request, NOW)));
    assert!(is_accepted(&world.send(ROOT, &request, NOW + 5)), "the answer got lost on the way");
    let other = Peer { uid: 2, role: Role::Root };
    assert!(matches!(world.send(other, &request, NOW + 5), Outcome::Undecided(_)), "somebody else's answer");
    assert!(!is_accepted(&world.send(ROOT, &request, NOW + 20)), "by then it is a replay");
}

#[test]
fn a_login_with_a_bad_name_is_refused_like_an_unknown_one() {
    let world = World::new(false);
    let long = "a".repeat(10_240);
    for account in ["no-such-account", "a/b", "a\nb", "DAEMON", "", &long] {
        assert!(matches!(world.ask(ROOT, Ask::Begin(login(account, &[]))), Outcome::Refused { .. }), "{account:?}");
        let outcome = world.verify(ROOT, login(account, &[]), "123456");
        assert!(matches!(outcome, Outcome::Refused { reason: Reason::NotEnrolled, .. }), "{account:?}");
    }
    let nine = (1..10).map(key).collect::<Vec<_>>();
    assert!(matches!(world.ask(ROOT, Ask::Begin(login(ACCOUNT, &nine))), Outcome::Invalid(_)));
    let service = Login { service: "two words".to_owned(), ..login(ACCOUNT, &[]) };
    assert!(matches!(world.ask(ROOT, Ask::Begin(service)), Outcome::Invalid(_)));
}

#[test]
fn the_audit_knows_and_holds_no_secret() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let address = Login { address: Some("192.0.2.1\n\u{1b}[2J".to_owned()), ..login(ACCOUNT, &[key(1)]) };
    let (right, scratch) = (code(&enrolled, 0), enrolled.scratch[0].expose().to_owned());
    for typed in [right.as_str(), &right, "000000", &scratch] {
        let _ = world.verify(ROOT, address.clone(), typed);
    }
    let Outcome::Audit(rows) = world.ask(ROOT, Ask::Audit(AuditFilter { limit: 100, ..AuditFilter::default() })) else {
        panic!("no audit")
    };
    let reasons: Vec<&str> = rows.iter().rev().map(|row| row.reason.as_str()).collect();
    let accepted = format!("code of {}", enrolled.credential);
    let first = format!("enrolled {}", enrolled.credential);
    assert_eq!(reasons, [&first, &accepted, "code already used", "wrong code", "scratch code, 9 left"]);
    let text = format!("{rows:?}{enrolled:?}");
    for secret in [right.as_str(), &scratch, enrolled.secret.expose(), "\u{1b}", "\\u{1b}[2J"] {
        assert!(!text.contains(secret) || secret == "\\u{1b}[2J", "{secret:?}");
    }
}

#[test]
fn a_key_that_needs_no_code_begins_a_record() {
    let world = World::new(false);
    let add = KeyAdd {
        account: ACCOUNT.to_owned(),
        key: key(1).to_string(),
        owner: None,
        note: Some("rescue".to_owned()),
        credentials: vec![],
    };
    assert!(matches!(world.ask(ROOT, Ask::KeyAdd(add)), Outcome::Done(_)));
    assert!(matches!(world.ask(ROOT, Ask::Begin(login(ACCOUNT, &[key(1)]))), Outcome::Refused { .. }));
    let policy = KeyPolicy {
        account: ACCOUNT.to_owned(),
        key: key(1).to_string(),
        policy: "none".to_owned(),
        until: None,
        grant: None,
    };
    assert!(matches!(world.ask(ROOT, Ask::KeyPolicy(policy)), Outcome::Done(_)));
    assert_eq!(world.ask(ROOT, Ask::Begin(login(ACCOUNT, &[key(1)]))), Outcome::Pass {});
}

#[test]
fn whoever_is_turned_away_before_a_code_is_asked_for_is_written_down() {
    let world = World::new(false);
    world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let rows = || match world.ask(ROOT, Ask::Audit(AuditFilter { limit: 100, ..AuditFilter::default() })) {
        Outcome::Audit(rows) => rows.into_iter().filter(|row| row.verdict == "refuse").collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    // By a key that nobody knows: two logins, one row.
    for _ in 0..2 {
        assert!(matches!(world.ask(OWN, Ask::Begin(login(ACCOUNT, &[key(2)]))), Outcome::Refused { .. }));
    }
    let seen: Vec<_> = rows().iter().map(|row| (row.reason.clone(), row.key.clone(), row.count)).collect();
    assert_eq!(seen, [("not enrolled".to_owned(), key(2).to_string(), 2)]);
    // Who has proven nothing is asked all the same, and judged then.
    assert!(matches!(world.ask(ROOT, Ask::Begin(login(ACCOUNT, &[]))), Outcome::Refused { .. }));
    assert_eq!(rows().len(), 1);
}
