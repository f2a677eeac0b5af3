//! Who may ask what.

use otp_wire::message::{
    AuditFilter, Bulk, CredentialName, Export, GrantTo, KeyAdd, KeyGrant, KeyName, KeyPolicy, Outcome, OwnerName,
    Reason, Rename, ScratchAdd, Selection, SetBack, Unlock,
};
use otp_wire::{Ask, Login, SecretText};

use crate::import;
use crate::world::*;

/// Every verb that adds, shows or weakens a factor.
fn weakening(credential: &str) -> Vec<Ask> {
    let account = ACCOUNT.to_owned();
    vec![
        Ask::Enrol(enrol(ACCOUNT, None, None)),
        Ask::Import(import::import(&[import::totp("new")])),
        Ask::Export(Export { account: Some(account.clone()), credentials: vec![credential.to_owned()] }),
        Ask::Revoke(CredentialName { account: Some(account.clone()), credential: credential.to_owned() }),
        Ask::Unlock(Unlock { account: account.clone(), key: None }),
        Ask::Disable(CredentialName { account: Some(account.clone()), credential: credential.to_owned() }),
        Ask::Enable(CredentialName { account: Some(account.clone()), credential: credential.to_owned() }),
        Ask::Rename(Rename {
            account: Some(account.clone()),
            credential: credential.to_owned(),
            label: "new".to_owned(),
        }),
        Ask::SetBack(SetBack {
            account: Some(account.clone()),
            credential: credential.to_owned(),
            codes: ["123456", "654321"].map(|code| SecretText::typed(code.as_bytes())),
        }),
        Ask::ScratchNew(OwnerName { account: account.clone(), owner: None }),
        Ask::ScratchAdd(ScratchAdd {
            account: account.clone(),
            owner: None,
            codes: vec![SecretText::typed(b"12345678")],
        }),
        Ask::KeyAdd(KeyAdd {
            account: account.clone(),
            key: key(9).to_string(),
            owner: None,
            note: None,
            credentials: vec![credential.to_owned()],
        }),
        Ask::KeyPolicy(KeyPolicy {
            account: account.clone(),
            key: key(1).to_string(),
            policy: "none".to_owned(),
            until: None,
            grant: None,
        }),
        Ask::KeyGrant(KeyGrant {
            account: account.clone(),
            key: key(1).to_string(),
            to: Some(GrantTo { address: "192.0.2.1".to_owned(), seconds: 600 }),
        }),
        Ask::KeyRemove(KeyName { account, key: key(1).to_string() }),
        Ask::Bulk(Bulk {}),
    ]
}

#[test]
fn a_uid_is_not_a_second_factor() {
    for (peer, self_service) in [(OWN, false), (OWN, true), (OWNER, true)] {
        let world = World::new(self_service);
        let enrolled = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
        let before = format!("{:?}", world.ask(ROOT, Ask::List(Selection::default())));
        for ask in weakening(&enrolled.credential) {
            let verb = ask.verb();
            assert!(is_turned_away(&world.ask(peer, ask)), "{peer:?} {verb} without a code");
        }
        assert_eq!(format!("{:?}", world.ask(ROOT, Ask::List(Selection::default()))), before);
        for (number, ask) in weakening(&enrolled.credential).into_iter().enumerate().take(3) {
            let verb = ask.verb();
            let outcome = world.ask_with(peer, ask, "000000");
            assert!(is_turned_away(&outcome), "{peer:?} {verb} with a wrong code ({number})");
        }
    }
}

#[test]
fn every_verb_is_in_the_test_or_harmless() {
    let harmless = ["begin", "verify", "resync", "list", "status", "audit", "key"];
    let mut weakening: Vec<&str> = weakening("x").iter().map(Ask::verb).collect();
    weakening.extend(crate::disks::all().iter().map(Ask::verb));
    // The wire's own list, as serde knows it.
    let error = serde_json::from_str::<Ask>("{\"x\":{}}").unwrap_err().to_string();
    let verbs: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
    assert_eq!(verbs.len(), harmless.len() + weakening.len(), "{error}");
    for verb in verbs {
        assert!(harmless.contains(&verb) != weakening.contains(&verb), "{verb}");
    }
}

/// It is read from all records, and tells of all.
#[test]
fn how_the_store_is_concerns_root_and_owners_of_their_own() {
    let world = World::new(true);
    world.enrol(ACCOUNT, ACCOUNT, None);
    for (peer, role, owners) in [(ROOT, "root", Some(1)), (OWNER, "owner", Some(1)), (OWN, "account", None)] {
        let Outcome::Status(report) = world.ask(peer, Ask::Status {}) else { panic!("status") };
        assert_eq!((report.peer.as_str(), report.store.map(|store| store.owners)), (role, owners));
    }
}

#[test]
fn with_a_code_an_owner_may_what_the_settings_say() {
    let world = World::new(true);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let new = || Ask::ScratchNew(OwnerName { account: ACCOUNT.to_owned(), owner: None });
    assert!(matches!(world.ask_with(OWN, new(), &code(&enrolled, 0)), Outcome::Scratch(_)));
    assert!(matches!(world.ask_with(OWN, new(), &code(&enrolled, 0)), Outcome::CodeNeeded(_)), "the code is spent");
    let policy = Ask::KeyPolicy(KeyPolicy {
        account: ACCOUNT.to_owned(),
        key: key(1).to_string(),
        policy: "none".to_owned(),
        until: None,
        grant: None,
    });
    assert!(matches!(world.ask_with(OWN, policy, &code(&enrolled, 1)), Outcome::Denied(_)), "root's alone");
    let closed = World::new(false);
    let enrolled = closed.enrol(ACCOUNT, ACCOUNT, None);
    assert!(matches!(closed.ask_with(OWN, new(), &code(&enrolled, 0)), Outcome::Denied(_)), "no self-service");
}

#[test]
fn nobody_takes_another_owners_name() {
    let world = World::new(true);
    let own = world.enrol(ACCOUNT, ACCOUNT, None);
    world.enrol("root", "root", None);
    let bin = Ask::Enrol(enrol(ACCOUNT, Some("root"), Some(&key(2))));
    assert!(matches!(world.ask_with(OWN, bin, &code(&own, 0)), Outcome::Denied(_)));
    let unborn = Ask::Enrol(enrol(ACCOUNT, Some("unborn"), Some(&key(2))));
    assert!(matches!(world.ask_with(OWN, unborn, &code(&own, 1)), Outcome::Denied(_)));
}

#[test]
fn the_first_credential_needs_no_code_where_the_settings_say_so() {
    let world = World::new(true);
    assert!(matches!(world.ask(OWN, Ask::Enrol(enrol(ACCOUNT, None, None))), Outcome::Enrolled(_)));
    let mut second = enrol(ACCOUNT, None, None);
    second.label = Some("second".to_owned());
    assert!(matches!(world.ask(OWN, Ask::Enrol(second)), Outcome::CodeNeeded(_)));
    let closed = World::new(false);
    assert!(matches!(closed.ask(OWN, Ask::Enrol(enrol(ACCOUNT, None, None))), Outcome::Denied(_)));
}

#[test]
fn whoever_has_a_code_elsewhere_does_not_enrol_without_one() {
    let world = World::new(true);
    // The person of this name has a code for root, and nothing in the account of that name.
    world.enrol("root", ACCOUNT, Some(&key(1)));
    let outcome = world.ask(OWN, Ask::Enrol(enrol(ACCOUNT, None, None)));
    assert!(is_turned_away(&outcome), "{outcome:?}");
}

#[test]
fn others_ask_only_for_their_own_accounts() {
    let world = World::new(true);
    let enrolled = world.enrol("root", "root", None);
    let ask = || {
        [
            Ask::Begin(login("root", &[])),
            verify(login("root", &[]), &code(&enrolled, 0)),
            Ask::List(Selection { account: Some("root".to_owned()), ..Selection::default() }),
            Ask::Enrol(enrol("root", None, None)),
        ]
    };
    for ask in ask() {
        let verb = ask.verb();
        assert!(matches!(world.ask(OWN, ask), Outcome::Denied(_)), "{verb}");
    }
    assert!(matches!(world.ask(OWN, Ask::List(Selection::default())), Outcome::Invalid(_)));
    assert!(matches!(world.ask(OWN, Ask::Audit(AuditFilter::default())), Outcome::Denied(_)));
    assert!(is_accepted(&world.verify(ROOT, login("root", &[]), &code(&enrolled, 0))), "nothing was spent");
}

#[test]
fn a_listing_tells_only_what_concerns_the_account() {
    let world = World::new(true);
    world.enrol(ACCOUNT, "shared", Some(&key(1)));
    world.enrol("root", "shared", Some(&key(2)));
    world.enrol("root", "elsewhere", None);
    let listed = |peer, account: &str, owner: &str| {
        let selection = Selection { account: Some(account.to_owned()), owner: Some(owner.to_owned()), after: None };
        let Outcome::Listing(rows) = world.ask(peer, Ask::List(selection)) else { panic!("no listing") };
        rows.iter().map(|row| row.entries.len()).collect::<Vec<_>>()
    };
    assert_eq!((listed(OWN, ACCOUNT, "shared"), listed(OWN, ACCOUNT, "elsewhere")), (vec![1], vec![]));
    assert_eq!((listed(ROOT, "root", "shared"), listed(ROOT, ACCOUNT, "elsewhere")), (vec![2], vec![]));
}

#[test]
fn a_claim_never_makes_pam_skip_a_code() {
    let world = World::new(true);
    let free = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let mut unbound = enrol(ACCOUNT, Some(ACCOUNT), None);
    unbound.label = Some("unbound".to_owned());
    assert!(matches!(world.ask(ROOT, Ask::Enrol(unbound)), Outcome::Enrolled(_)));
    let policy = KeyPolicy {
        account: ACCOUNT.to_owned(),
        key: key(1).to_string(),
        policy: "none".to_owned(),
        until: None,
        grant: None,
    };
    assert!(matches!(world.ask(ROOT, Ask::KeyPolicy(policy)), Outcome::Done(_)));
    // The claim helps the claiming uid's own request...
    assert_eq!(world.ask(OWN, Ask::Begin(login(ACCOUNT, &[key(1)]))), Outcome::Pass {});
    // ...and nothing else, before or after it.
    for keys in [vec![], vec![key(2)]] {
        assert!(matches!(world.ask(ROOT, Ask::Begin(login(ACCOUNT, &keys))), Outcome::Ask { .. }), "{keys:?}");
    }
    let claimed = Login { address: Some("192.0.2.1".to_owned()), ..login(ACCOUNT, &[key(1)]) };
    assert!(matches!(world.verify(OWN, claimed.clone(), &code(&free, 0)), Outcome::Accepted { .. }));
    let facts = Login { keys: vec![], ..claimed };
    assert!(matches!(world.ask(ROOT, Ask::Begin(facts)), Outcome::Ask { .. }));
}

#[test]
fn guessing_at_the_claimed_door_shuts_no_other() {
    let world = World::new(true);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    for _ in 0..5 {
        assert!(!is_accepted(&world.verify(OWN, login(ACCOUNT, &[key(1)]), "000000")));
    }
    let throttled = world.verify(OWN, login(ACCOUNT, &[key(1)]), &code(&enrolled, 0));
    assert!(matches!(throttled, Outcome::Refused { reason: Reason::Throttled, .. }));
    assert!(is_accepted(&world.verify(ROOT, login(ACCOUNT, &[key(1)]), &code(&enrolled, 0))));
}
