//! Credentials as they come, change and go.

use otp_wire::message::{
    CredentialName, Enrol, KeyName, KeyPolicy, Outcome, Rename, Resync, ScratchAdd, Selection, Unlock,
};
use otp_wire::{Ask, Request, SecretText};

use crate::world::*;

#[test]
fn an_enrolment_shows_its_secret_once() {
    let world = World::new(false);
    let request = Request::new(Ask::Enrol(enrol(ACCOUNT, None, None))).unwrap();
    assert!(matches!(world.send(ROOT, &request, NOW), Outcome::Enrolled(_)));
    assert!(matches!(world.send(ROOT, &request, NOW), Outcome::Invalid(_)));
}

#[test]
fn bad_input_gets_a_line_and_changes_nothing() {
    let world = World::new(false);
    world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let before = format!("{:?}", world.ask(ROOT, Ask::List(Selection::default())));
    let long = "a".repeat(10_240);
    let wrong = |change: &dyn Fn(&mut Enrol)| {
        let mut ask = enrol(ACCOUNT, None, None);
        change(&mut ask);
        Ask::Enrol(ask)
    };
    let bad = [
        wrong(&|ask| ask.account = "no-such-account".to_owned()),
        wrong(&|ask| ask.account = long.clone()),
        wrong(&|ask| ask.account = "daemon\n".to_owned()),
        wrong(&|ask| ask.account = "DAEMON".to_owned()),
        wrong(&|ask| ask.account = "../daemon".to_owned()),
        wrong(&|ask| ask.owner = Some("a/b".to_owned())),
        wrong(&|ask| ask.label = Some("two words".to_owned())),
        wrong(&|ask| ask.label = Some(String::new())),
        wrong(&|ask| ask.label = Some(ACCOUNT.to_owned())),
        wrong(&|ask| ask.digits = 5),
        wrong(&|ask| ask.digits = 9),
        wrong(&|ask| ask.kind = "steam".to_owned()),
        wrong(&|ask| ask.period = Some(30)),
        wrong(&|ask| (ask.kind, ask.period) = ("totp".to_owned(), Some(121))),
        wrong(&|ask| (ask.kind, ask.period) = ("totp".to_owned(), Some(0))),
        wrong(&|ask| ask.algorithm = "MD5".to_owned()),
        wrong(&|ask| ask.secret = SecretText::new("JBSWY3DPEHPK3PXP")),
        wrong(&|ask| ask.secret = SecretText::new("not base32!")),
        wrong(&|ask| ask.key = Some("SHA256:short".to_owned())),
        Ask::KeyPolicy(KeyPolicy {
            account: ACCOUNT.into(),
            key: key(1).to_string(),
            policy: "maybe".into(),
            until: None,
            grant: None,
        }),
        Ask::KeyPolicy(KeyPolicy {
            account: ACCOUNT.into(),
            key: key(2).to_string(),
            policy: "none".into(),
            until: None,
            grant: None,
        }),
        Ask::Revoke(CredentialName { account: None, credential: "nosuchid".into() }),
        Ask::Unlock(Unlock { account: "root".into(), key: None }),
    ];
    for (number, ask) in bad.into_iter().enumerate() {
        let outcome = world.ask(ROOT, ask);
        assert!(matches!(&outcome, Outcome::Invalid(line) if !line.is_empty()), "{number}: {outcome:?}");
    }
    assert_eq!(format!("{:?}", world.ask(ROOT, Ask::List(Selection::default()))), before);
}

#[test]
fn two_codes_in_a_row_resync_and_are_spent() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let typed = |counter| SecretText::typed(code(&enrolled, counter).as_bytes());
    let ask = |first, second| {
        Ask::Resync(Resync {
            login: login(ACCOUNT, &[key(1)]),
            codes: [typed(first), typed(second)],
            credential: Some(enrolled.credential.clone()),
        })
    };
    assert!(!is_accepted(&world.verify(ROOT, login(ACCOUNT, &[key(1)]), &code(&enrolled, 50))), "too far ahead");
    assert!(!is_accepted(&world.ask(OWN, ask(50, 52))));
    assert!(is_accepted(&world.ask(OWN, ask(50, 51))), "the own uid may");
    assert!(!is_accepted(&world.verify(ROOT, login(ACCOUNT, &[key(1)]), &code(&enrolled, 51))));
    assert!(is_accepted(&world.verify(ROOT, login(ACCOUNT, &[key(1)]), &code(&enrolled, 52))));
    let stranger = Ask::Resync(Resync { login: login("root", &[]), codes: [typed(60), typed(61)], credential: None });
    assert!(matches!(world.ask(OWN, stranger), Outcome::Denied(_)));
}

#[test]
fn a_disabled_credential_is_refused_until_it_is_enabled() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let name = || CredentialName { account: None, credential: enrolled.credential.clone() };
    assert!(matches!(world.ask(ROOT, Ask::Disable(name())), Outcome::Done(_)));
    assert!(matches!(world.ask(ROOT, Ask::Disable(name())), Outcome::Invalid(_)), "twice");
    assert!(!is_accepted(&world.verify(ROOT, login(ACCOUNT, &[key(1)]), &code(&enrolled, 0))));
    assert!(matches!(world.ask(ROOT, Ask::Enable(name())), Outcome::Done(_)));
    assert!(is_accepted(&world.verify(ROOT, login(ACCOUNT, &[key(1)]), &code(&enrolled, 0))));
    assert!(matches!(world.ask(ROOT, Ask::Revoke(name())), Outcome::Done(_)));
    assert!(matches!(world.ask(ROOT, Ask::Enable(name())), Outcome::Invalid(_)), "revoked is for ever");
}

/// Otherwise six codes would open one door, or one label would name two credentials.
#[test]
fn what_took_the_place_of_a_disabled_credential_keeps_it() {
    let world = World::new(false);
    let labelled = |label: &str| {
        let ask = Enrol { label: Some(label.to_owned()), ..enrol(ACCOUNT, None, Some(&key(1))) };
        world.ask(ROOT, Ask::Enrol(ask))
    };
    let name = |credential: &str| CredentialName { account: Some(ACCOUNT.into()), credential: credential.to_owned() };
    let Outcome::Enrolled(first) = labelled("one") else { panic!("not enrolled") };
    for label in ["two", "three", "four", "five"] {
        assert!(matches!(labelled(label), Outcome::Enrolled(_)), "{label}");
    }
    assert!(matches!(labelled("six"), Outcome::Invalid(_)), "five at a door");
    assert!(matches!(world.ask(ROOT, Ask::Disable(name(&first.credential))), Outcome::Done(_)));
    let Outcome::Enrolled(sixth) = labelled("one") else { panic!("not enrolled") };
    let enable = || world.ask(ROOT, Ask::Enable(name(&first.credential)));
    let refused = |why: &str| match enable() {
        Outcome::Invalid(line) => assert!(line.contains(why), "{line}"),
        other => panic!("{other:?}"),
    };
    refused("labelled one");
    let rename = Rename { account: None, credential: sixth.credential.clone(), label: "six".to_owned() };
    assert!(matches!(world.ask(ROOT, Ask::Rename(rename)), Outcome::Done(_)));
    refused("5 credentials");
    assert!(!is_accepted(&world.verify(ROOT, login(ACCOUNT, &[key(1)]), &code(&first, 0))));
    assert!(matches!(world.ask(ROOT, Ask::Revoke(name(&sixth.credential))), Outcome::Done(_)));
    assert!(matches!(enable(), Outcome::Done(_)));
    assert!(is_accepted(&world.verify(ROOT, login(ACCOUNT, &[key(1)]), &code(&first, 0))));
}

#[test]
fn a_label_can_be_changed_but_not_doubled() {
    let world = World::new(false);
    let first = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let mut second = enrol(ACCOUNT, None, Some(&key(2)));
    second.label = Some("second".to_owned());
    assert!(matches!(world.ask(ROOT, Ask::Enrol(second)), Outcome::Enrolled(_)));
    let rename = |label: &str| {
        Ask::Rename(Rename { account: None, credential: first.credential.clone(), label: label.to_owned() })
    };
    assert!(matches!(world.ask(ROOT, rename("phone")), Outcome::Done(_)));
    assert!(matches!(world.ask(ROOT, rename("phone")), Outcome::Done(_)), "its own label is no double");
    for bad in ["second", "two words", ""] {
        assert!(matches!(world.ask(ROOT, rename(bad)), Outcome::Invalid(_)), "{bad}");
    }
}

#[test]
fn a_revoked_credential_is_refused_at_once() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let revoke = || Ask::Revoke(CredentialName { account: None, credential: enrolled.credential.clone() });
    assert!(matches!(world.ask(ROOT, revoke()), Outcome::Done(_)));
    assert!(!is_accepted(&world.verify(ROOT, login(ACCOUNT, &[key(1)]), &code(&enrolled, 0))));
    assert!(matches!(world.ask(ROOT, revoke()), Outcome::Invalid(_)), "twice");
}

#[test]
fn scratch_codes_that_exist_are_taken_once() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, None);
    let add = |codes: &[&str]| {
        let codes = codes.iter().map(|code| SecretText::new(code).unwrap()).collect();
        world.ask(ROOT, Ask::ScratchAdd(ScratchAdd { account: ACCOUNT.to_owned(), owner: None, codes }))
    };
    let (own, base32, digits) = (enrolled.scratch[0].expose(), "MZXW-6YTB-OI2D-EMRU", "02468024");
    for bad in [&[][..], &["1234567"], &[digits, "no code"], &[own], &[digits; 21]] {
        assert!(matches!(add(bad), Outcome::Invalid(_)), "{} codes", bad.len());
    }
    let Outcome::Done(line) = add(&[base32, digits, digits, own]) else { panic!("not added") };
    assert!(line.contains("Added 2 ") && line.contains("has 12 now"), "{line}");
    for code in [digits, base32, own] {
        assert!(is_accepted(&world.verify(ROOT, login(ACCOUNT, &[]), code)));
        assert!(!is_accepted(&world.verify(ROOT, login(ACCOUNT, &[]), code)), "twice");
    }
    assert!(matches!(add(&[base32, digits]), Outcome::Invalid(_)), "a used one stays used");
    let many: Vec<String> = (0..40).map(|number| format!("222222{number:02}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(matches!(add(&many[..20]), Outcome::Done(_)));
    assert!(matches!(add(&many[20..]), Outcome::Invalid(_)), "more than are kept");
}

/// A code would count twice, and a revoked secret would come back.
#[test]
fn a_secret_that_the_owner_has_is_not_enrolled_again() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let again = || {
        let secret = SecretText::new(enrolled.secret.expose());
        world.ask(
            ROOT,
            Ask::Enrol(Enrol { label: Some("second".into()), secret, ..enrol(ACCOUNT, None, Some(&key(2))) }),
        )
    };
    assert!(matches!(again(), Outcome::Invalid(line) if line.contains("has this secret already as")));
    let revoke = CredentialName { account: None, credential: enrolled.credential.clone() };
    assert!(matches!(world.ask(ROOT, Ask::Revoke(revoke)), Outcome::Done(_)));
    assert!(matches!(again(), Outcome::Invalid(line) if line.contains("already, revoked, as")));
}

/// `nullok` is for those who never had a code.
#[test]
fn the_last_key_of_an_account_is_refused_when_it_is_removed() {
    let world = World::new(false);
    world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let remove = KeyName { account: ACCOUNT.to_owned(), key: key(1).to_string() };
    assert!(matches!(world.ask(ROOT, Ask::KeyRemove(remove)), Outcome::Done(_)));
    for keys in [&[key(1)][..], &[key(2)], &[]] {
        let told = world.ask(ROOT, Ask::Begin(login(ACCOUNT, keys)));
        assert!(matches!(told, Outcome::Refused { .. }), "{told:?}");
    }
}

#[test]
fn every_owner_of_a_shared_account_is_unlocked() {
    let world = World::new(false);
    let keys: Vec<_> = (0..=255).map(key).collect();
    for (number, key) in keys.iter().enumerate() {
        let ask = Enrol { scratch: false, ..enrol(ACCOUNT, Some(&format!("person{number}")), Some(key)) };
        assert!(matches!(world.ask(ROOT, Ask::Enrol(ask)), Outcome::Enrolled(_)));
    }
    for key in [&keys[0], &keys[250], &keys[255]] {
        assert!(!is_accepted(&world.verify(ROOT, login(ACCOUNT, &[*key]), "000000")));
    }
    let doors = || match world.ask(ROOT, Ask::List(Selection::default())) {
        Outcome::Listing(owners) => owners.iter().map(|owner| owner.doors.len()).sum::<usize>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(doors(), 3);
    world.ask(ROOT, Ask::Unlock(Unlock { account: ACCOUNT.to_owned(), key: None }));
    assert_eq!(doors(), 0);
}
