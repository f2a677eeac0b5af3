//! `export`: who may have secrets out of the store again, and what comes out.

use otp_service::access::{Export as Rule, Peer};
use otp_wire::message::{
    AuditFilter, CredentialName, Enrol, Enrolled, Export, Exported, ImportedFactor, KeyAdd, KeyName, Outcome,
};
use otp_wire::{Ask, Request};

use crate::world::*;

fn ask(credentials: &[&str]) -> Ask {
    let credentials = credentials.iter().map(|name| (*name).to_owned()).collect();
    Ask::Export(Export { account: Some(ACCOUNT.to_owned()), credentials })
}

fn only(outcome: Outcome) -> Exported {
    match outcome {
        Outcome::Exported(mut exported) if exported.len() == 1 => exported.remove(0),
        other => panic!("{other:?}"),
    }
}

fn audited(world: &World) -> Vec<String> {
    let filter = AuditFilter { verdict: Some("change".to_owned()), limit: 100, ..AuditFilter::default() };
    match world.ask(ROOT, Ask::Audit(filter)) {
        Outcome::Audit(rows) => rows.into_iter().map(|row| row.reason).filter(|row| row.contains("exported")).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_setting_says_who_may() {
    let table: [(Rule, Peer, bool, bool); 9] = [
        // who may at all, who may with a code
        (Rule::Root, ROOT, true, true),
        (Rule::Root, OWN, false, false),
        (Rule::Root, OWNER, false, false),
        (Rule::OwnerWithCode, ROOT, true, true),
        (Rule::OwnerWithCode, OWN, false, true),
        (Rule::OwnerWithCode, OWNER, false, true),
        (Rule::Never, ROOT, false, false),
        (Rule::Never, OWN, false, false),
        (Rule::Never, OWNER, false, false),
    ];
    for (rule, peer, plain, with_code) in table {
        let world = World::with_export(false, rule);
        let enrolled = world.enrol(ACCOUNT, ACCOUNT, None);
        let without = world.ask(peer, ask(&[ACCOUNT]));
        assert_eq!(matches!(without, Outcome::Exported(_)), plain, "{rule:?} {peer:?} {without:?}");
        let with = world.ask_with(peer, ask(&[ACCOUNT]), &code(&enrolled, 0));
        assert_eq!(matches!(with, Outcome::Exported(_)), with_code, "{rule:?} {peer:?} {with:?}");
        assert_eq!(audited(&world).len(), usize::from(plain) + usize::from(with_code), "{rule:?} {peer:?}");
    }
}

#[test]
fn nobody_exports_from_another_account() {
    let world = World::with_export(true, Rule::OwnerWithCode);
    let own = world.enrol(ACCOUNT, ACCOUNT, None);
    let roots = world.enrol("root", "root", None);
    let id = roots.credential.as_str();
    for ask in [ask(&[id]), Ask::Export(Export { account: Some("root".to_owned()), credentials: vec![id.to_owned()] })]
    {
        let outcome = world.ask_with(OWN, ask, &code(&own, 0));
        assert!(matches!(outcome, Outcome::Denied(_) | Outcome::Invalid(_)), "{outcome:?}");
    }
    assert!(is_accepted(&world.verify(ROOT, login(ACCOUNT, &[]), &code(&own, 0))), "no code was spent");
}

/// Of an owner who has codes in several accounts, each account reaches its own only.
#[test]
fn an_account_reaches_only_what_counts_in_it() {
    let world = World::with_export(true, Rule::OwnerWithCode);
    let own = world.enrol(ACCOUNT, ACCOUNT, None);
    let roots = world.enrol("root", ACCOUNT, None);
    for (name, counter) in [(&roots.credential, 0), (&roots.label, 1)] {
        let revoke = CredentialName { account: Some(ACCOUNT.to_owned()), credential: name.clone() };
        // With it at a key of the account's own it would count there, and be reached from then on.
        let (account, key, credentials) = (ACCOUNT.to_owned(), key(9).to_string(), vec![name.clone()]);
        let add = Ask::KeyAdd(KeyAdd { account, key, owner: None, note: None, credentials });
        for ask in [ask(&[name]), Ask::Revoke(revoke), add] {
            let told = world.ask_with(OWN, ask, &code(&own, counter));
            assert!(matches!(&told, Outcome::Invalid(line) if line.contains("no credential")), "{name} {told:?}");
        }
    }
    assert_eq!(audited(&world).len(), 0);
    let exported = only(world.ask_with(OWN, ask(&[&own.credential]), &code(&own, 2)));
    assert_eq!(exported.entries.len(), 1);
    assert_eq!(only(world.ask(ROOT, ask(&[&roots.credential]))).credential, roots.credential);
}

#[test]
fn after_its_last_key_was_removed_a_credential_is_given_to_another_one() {
    let world = World::new(true);
    let own = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let unbound = Enrol { label: Some("unbound".to_owned()), ..enrol(ACCOUNT, Some(ACCOUNT), None) };
    let Outcome::Enrolled(unbound) = world.ask(ROOT, Ask::Enrol(unbound)) else { panic!("not enrolled") };
    let remove = Ask::KeyRemove(KeyName { account: ACCOUNT.to_owned(), key: key(1).to_string() });
    let removed = world.ask(ROOT, remove);
    assert!(matches!(removed, Outcome::Done(_)), "{removed:?}");
    let (account, key, credentials) = (ACCOUNT.to_owned(), key(2).to_string(), vec![own.label.clone()]);
    let add = Ask::KeyAdd(KeyAdd { account, key, owner: None, note: None, credentials });
    let added = world.ask_with(OWN, add, &code(&unbound, 0));
    assert!(matches!(added, Outcome::Done(_)), "{added:?}");
}

#[test]
fn an_owner_in_a_shared_account_needs_the_own_code() {
    let world = World::with_export(true, Rule::OwnerWithCode);
    let ann = world.enrol(ACCOUNT, "ann", Some(&key(1)));
    let bob = world.enrol(ACCOUNT, "bob", Some(&key(2)));
    assert!(is_turned_away(&world.ask_with(OWN, ask(&[&ann.credential]), &code(&bob, 0))));
    assert_eq!(only(world.ask_with(OWN, ask(&[&ann.credential]), &code(&ann, 0))).owner, "ann");
    let both = world.ask_with(OWN, ask(&[&ann.credential, &bob.credential]), &code(&ann, 1));
    assert!(matches!(both, Outcome::Invalid(_)), "{both:?}");
}

#[test]
fn the_next_counter_comes_out_and_the_secret_only_once() {
    let world = World::new(false);
    let enrolled: Box<Enrolled> = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    assert!(is_accepted(&world.verify(ROOT, login(ACCOUNT, &[key(1)]), &code(&enrolled, 4))));
    let request = Request::new(ask(&[ACCOUNT, &enrolled.credential])).unwrap();
    let exported = only(world.send(ROOT, &request, NOW));
    assert_eq!(exported.factor, ImportedFactor::Hotp { next: 5 });
    assert_eq!(exported.secret.expose(), enrolled.secret.expose());
    assert_eq!(exported.entries[0].key.as_deref(), Some(key(1).to_string().as_str()));
    let again = world.send(ROOT, &request, NOW);
    assert!(matches!(again, Outcome::Invalid(_)), "{again:?}");
    assert_eq!(audited(&world), [format!("exported {}", enrolled.credential)]);
}

#[test]
fn what_does_not_count_here_stays() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, None);
    let name = || CredentialName { account: None, credential: enrolled.credential.clone() };
    for change in [Ask::Disable(name()), Ask::Revoke(name())] {
        assert!(matches!(world.ask(ROOT, change), Outcome::Done(_)));
        assert!(matches!(world.ask(ROOT, ask(&[&enrolled.credential])), Outcome::Invalid(_)));
    }
    let many: Vec<&str> = vec![&enrolled.credential; 21];
    for names in [&[][..], &["nobody"], &many] {
        assert!(matches!(world.ask(ROOT, ask(names)), Outcome::Invalid(_)), "{names:?}");
    }
    assert!(audited(&world).is_empty());
}
