//! `import`: all of them or none, and nothing that was used comes back.

use otp_core::{Algorithm, Digits, Secret, otp};
use otp_wire::message::{CredentialName, Import, Imported, ImportedFactor, Outcome, Reason, Selection};
use otp_wire::{Ask, Login, SecretText};

use crate::world::*;

/// 160 bits, another one for each label.
fn secret(label: &str) -> String {
    let mut bytes = [7; 20];
    bytes.iter_mut().zip(label.bytes()).for_each(|(byte, letter)| *byte = letter);
    Secret::copy(&bytes).unwrap().to_base32().to_string()
}

fn imported(label: &str, factor: ImportedFactor) -> Imported {
    Imported {
        label: Some(label.to_owned()),
        display: None,
        secret: SecretText::new(&secret(label)).unwrap(),
        algorithm: "SHA1".to_owned(),
        digits: 6,
        factor,
    }
}

pub fn totp(label: &str) -> Imported {
    imported(label, ImportedFactor::Totp { period: 30, last_step: None, skew: 0, window: 1 })
}

pub fn import(credentials: &[Imported]) -> Import {
    // No Clone where secrets are.
    let copy = |one: &Imported| Imported {
        label: one.label.clone(),
        display: one.display.clone(),
        secret: SecretText::new(one.secret.expose()).unwrap(),
        algorithm: one.algorithm.clone(),
        digits: one.digits,
        factor: one.factor,
    };
    Import {
        account: ACCOUNT.to_owned(),
        owner: None,
        key: None,
        note: None,
        credentials: credentials.iter().map(copy).collect(),
        scratch: vec![],
        allow_weak: false,
        rate: None,
    }
}

fn code(label: &str, factor: u64) -> String {
    let secret = Secret::from_base32(&secret(label)).unwrap();
    otp::code(&secret, Algorithm::Sha1, Digits::SIX, factor).to_string()
}

fn login() -> Login {
    Login { account: ACCOUNT.to_owned(), service: "su".to_owned(), ..Login::default() }
}

fn rows(world: &World) -> usize {
    match world.ask(ROOT, Ask::List(Selection::default())) {
        Outcome::Listing(owners) => owners.iter().map(|owner| owner.credentials.len()).sum(),
        other => panic!("{other:?}"),
    }
}

fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done(_))
}

#[test]
fn what_is_imported_counts_and_what_was_used_does_not() {
    let world = World::new(false);
    let step = NOW / 30;
    let used = ImportedFactor::Totp { period: 30, last_step: Some(step + 5), skew: 5, window: 2 };
    let list = [imported("clock", used), imported("button", ImportedFactor::Hotp { next: 7 })];
    assert!(is_done(&world.ask(ROOT, Ask::Import(import(&list)))));
    for (code, accepted) in [
        (code("button", 6), false),
        (code("clock", step + 5), false),
        (code("clock", step + 4), false),
        (code("clock", step + 7), true),
        (code("button", 7), true),
    ] {
        assert_eq!(is_accepted(&world.ask(ROOT, verify(login(), &code))), accepted, "{code}");
    }
}

#[test]
fn an_imported_rate_limit_throttles_the_owners_doors() {
    let list = || [imported("button", ImportedFactor::Hotp { next: 7 })];
    let with = |rate| Ask::Import(Import { rate, ..import(&list()) });
    let world = World::new(true);
    for bad in [(0, 30), (101, 30), (3, 0), (3, 3601)] {
        assert!(matches!(world.ask(ROOT, with(Some(bad))), Outcome::Invalid(_)), "{bad:?}");
    }
    assert!(is_done(&world.ask(ROOT, with(Some((5, 60))))));
    let wrong = || world.at(NOW, verify(login(), "000000"));
    let judged = (0..9).take_while(|_| matches!(wrong(), Outcome::Refused { reason: Reason::Wrong, .. })).count();
    assert_eq!(judged, 5);
    assert!(!is_accepted(&world.at(NOW + 59, verify(login(), &code("button", 7)))));
    assert!(is_accepted(&world.at(NOW + 60, verify(login(), &code("button", 7)))));
    // A file of one's own makes guessing no easier.
    let world = World::new(true);
    assert!(is_done(&world.ask(OWN, with(Some((100, 1))))));
    let wrong = || world.at(NOW, verify(login(), "000000"));
    let judged = (0..9).take_while(|_| matches!(wrong(), Outcome::Refused { reason: Reason::Wrong, .. })).count();
    assert_eq!(judged, 3);
}

#[test]
fn one_that_does_not_fit_keeps_all_of_them_out() {
    let world = World::new(false);
    let mut weak = totp("weak");
    weak.secret = SecretText::new("JBSWY3DP").unwrap();
    let window = imported("wide", ImportedFactor::Totp { period: 30, last_step: None, skew: 0, window: 9 });
    let end = imported("end", ImportedFactor::Hotp { next: u64::MAX });
    let nine = Imported { digits: 9, ..totp("nine") };
    for bad in [weak, window, end, nine, totp("good")] {
        let outcome = world.ask(ROOT, Ask::Import(import(&[totp("good"), bad])));
        assert!(matches!(outcome, Outcome::Invalid(_)), "{outcome:?}");
        assert_eq!(rows(&world), 0);
    }
    let six: Vec<Imported> = ["a", "b", "c", "d", "e", "f"].map(totp).into();
    assert!(matches!(world.ask(ROOT, Ask::Import(import(&six))), Outcome::Invalid(_)));
    assert!(is_done(&world.ask(ROOT, Ask::Import(import(&six[..5])))));
    assert_eq!(rows(&world), 5);
}

#[test]
fn a_secret_comes_once_and_a_revoked_one_never_again() {
    let world = World::new(false);
    assert!(is_done(&world.ask(ROOT, Ask::Import(import(&[totp("phone")])))));
    let again = || Ask::Import(import(&[Imported { label: Some("other".to_owned()), ..totp("phone") }]));
    assert!(matches!(world.ask(ROOT, again()), Outcome::Invalid(_)));
    let name = CredentialName { account: Some(ACCOUNT.to_owned()), credential: "phone".to_owned() };
    assert!(is_done(&world.ask(ROOT, Ask::Revoke(name))));
    let Outcome::Invalid(line) = world.ask(ROOT, again()) else { panic!("a revoked secret came back") };
    assert!(line.contains("revoked"), "{line}");
}

#[test]
fn what_was_used_elsewhere_since_the_first_import_counts_as_used() {
    let (world, step) = (World::new(false), NOW / 30);
    let button = |next| imported("button", ImportedFactor::Hotp { next });
    let clock = |last_step| imported("clock", ImportedFactor::Totp { period: 30, last_step, skew: 0, window: 1 });
    let both = |next, last_step| world.ask(ROOT, Ask::Import(import(&[button(next), clock(last_step)])));
    assert!(is_done(&both(7, None)));
    let Outcome::Done(line) = both(9, Some(step)) else { panic!("it was refused") };
    assert!(line.contains("has this secret already"), "{line}");
    assert_eq!(rows(&world), 2);
    assert!(matches!(both(9, Some(step)), Outcome::Invalid(_)), "nothing has changed since");
    assert!(matches!(both(3, None), Outcome::Invalid(_)), "never back");
    let new = Ask::Import(import(&[button(20), totp("new")]));
    assert!(matches!(world.ask(ROOT, new), Outcome::Invalid(_)), "all of them or none");
    for (code, accepted) in [
        (code("button", 8), false),
        (code("clock", step), false),
        (code("button", 9), true),
        (code("clock", step + 1), true),
    ] {
        assert_eq!(is_accepted(&world.ask(ROOT, verify(login(), &code))), accepted, "{code}");
    }
}

#[test]
fn a_label_that_nobody_chose_is_a_free_one() {
    let world = World::new(false);
    let unnamed = |name: &str| Imported { label: None, ..totp(name) };
    assert!(is_done(&world.ask(ROOT, Ask::Import(import(&[totp(ACCOUNT)])))));
    let Outcome::Done(line) = world.ask(ROOT, Ask::Import(import(&[unnamed("b"), unnamed("c")]))) else {
        panic!("it was refused")
    };
    let expected = [format!("{ACCOUNT}-2 ("), format!("{ACCOUNT}-3 (")];
    assert!(expected.iter().all(|label| line.contains(label)), "{line}");
    let chosen = Imported { label: Some(ACCOUNT.to_owned()), ..totp("d") };
    assert!(matches!(world.ask(ROOT, Ask::Import(import(&[chosen]))), Outcome::Invalid(_)));
}

#[test]
fn weak_secrets_are_for_those_who_insist() {
    let world = World::new(true);
    let weak = || {
        let secret = SecretText::new("JBSWY3DP").unwrap();
        Import { allow_weak: true, ..import(&[Imported { secret, ..totp("weak") }]) }
    };
    assert!(matches!(world.ask(OWN, Ask::Import(weak())), Outcome::Denied(_)));
    assert!(is_done(&world.ask(OWNER, Ask::Import(weak()))), "the first one in an own store");
    assert!(matches!(world.ask(OWNER, Ask::Import(weak())), Outcome::CodeNeeded(_)), "not the second");
}

#[test]
fn scratch_codes_come_along_and_work_once() {
    let world = World::new(false);
    let scratch = |text: &str| SecretText::new(text).unwrap();
    let bad = Import { scratch: vec![scratch("1234567")], ..import(&[totp("phone")]) };
    assert!(matches!(world.ask(ROOT, Ask::Import(bad)), Outcome::Invalid(_)));
    let good = Import { scratch: vec![scratch("12345678"), scratch("87654321")], ..import(&[totp("phone")]) };
    assert!(is_done(&world.ask(ROOT, Ask::Import(good))));
    let try_one = || world.ask(ROOT, verify(login(), "12345678"));
    assert!(matches!(try_one(), Outcome::Accepted { scratch_left: Some(1), .. }));
    assert!(matches!(try_one(), Outcome::Refused { reason: Reason::Replayed | Reason::Wrong, .. }));
}
