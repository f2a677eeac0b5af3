//! What a PAM stack demands beside, and the grace that it gives.

use otp_service::access::Peer;
use otp_wire::message::{CredentialName, Outcome, Terms};
use otp_wire::{Ask, Login};

use crate::world::*;

const ADDRESS: &str = "192.0.2.7";

fn from(address: &str, terms: Terms) -> Login {
    Login { address: Some(address.to_owned()), service: "login".to_owned(), terms, ..login(ACCOUNT, &[]) }
}

fn grace(seconds: u32) -> Terms {
    Terms { grace: Some(seconds), ..Terms::default() }
}

fn passes(world: &World, peer: Peer, login: Login) -> bool {
    match world.ask(peer, Ask::Begin(login)) {
        Outcome::Pass {} => true,
        Outcome::Ask { .. } => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn grace_is_given_to_an_address_by_a_code_at_the_same_stack() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, None);
    assert!(is_accepted(&world.verify(ROOT, from(ADDRESS, Terms::default()), &code(&enrolled, 0))));
    assert!(!passes(&world, ROOT, from(ADDRESS, grace(60))), "that stack gave none");
    assert!(is_accepted(&world.verify(ROOT, from(ADDRESS, grace(60)), &code(&enrolled, 1))));
    assert!(passes(&world, ROOT, from(ADDRESS, grace(60))));
    assert!(passes(&world, ROOT, from("::ffff:192.0.2.7", grace(60))), "the same address");
    for elsewhere in [
        from(ADDRESS, Terms::default()),
        from("192.0.2.8", grace(60)),
        Login { address: None, ..from(ADDRESS, grace(60)) },
        Login { service: "su".to_owned(), ..from(ADDRESS, grace(60)) },
    ] {
        assert!(!passes(&world, ROOT, elsewhere.clone()), "{elsewhere:?}");
    }
    let name = CredentialName { account: None, credential: enrolled.credential.clone() };
    assert!(matches!(world.ask(ROOT, Ask::Disable(name)), Outcome::Done(_)));
    assert!(!passes(&world, ROOT, from(ADDRESS, grace(60))), "it ends with the credential");
}

#[test]
fn a_name_is_no_address_and_a_scratch_code_gives_no_grace() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, None);
    assert!(is_accepted(&world.verify(ROOT, from("host.example", grace(60)), &code(&enrolled, 0))));
    assert!(!passes(&world, ROOT, from("host.example", grace(60))));
    assert!(is_accepted(&world.verify(ROOT, from(ADDRESS, grace(60)), enrolled.scratch[0].expose())));
    assert!(!passes(&world, ROOT, from(ADDRESS, grace(60))));
}

#[test]
fn who_only_claims_things_is_given_no_grace() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, None);
    assert!(is_accepted(&world.verify(OWN, from(ADDRESS, grace(60)), &code(&enrolled, 0))));
    assert!(!passes(&world, OWN, from(ADDRESS, grace(60))));
    assert!(!passes(&world, ROOT, from(ADDRESS, grace(60))));
    assert!(is_accepted(&world.verify(ROOT, from(ADDRESS, grace(60)), &code(&enrolled, 1))));
    assert!(!passes(&world, OWN, from(ADDRESS, grace(60))), "nor is root's for them");
}

#[test]
fn terms_that_make_no_sense_are_invalid() {
    let world = World::new(false);
    world.enrol(ACCOUNT, ACCOUNT, None);
    let digits = |digits| Terms { digits: Some(digits), ..Terms::default() };
    for terms in [grace(0), grace(86_401), grace(u32::MAX), digits(5), digits(9)] {
        let outcome = world.ask(ROOT, Ask::Begin(from(ADDRESS, terms.clone())));
        assert!(matches!(outcome, Outcome::Invalid(_)), "{terms:?}: {outcome:?}");
    }
    assert!(!passes(&world, ROOT, from(ADDRESS, grace(86_400))));
}

#[test]
fn behind_a_password_it_says_how_much_was_the_code() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, None);
    let behind = || from(ADDRESS, Terms { behind_password: true, ..Terms::default() });
    let used = |outcome: &Outcome| match outcome {
        Outcome::Accepted { digits, .. } => *digits,
        other => panic!("{other:?}"),
    };
    assert_eq!(used(&world.verify(ROOT, behind(), &format!("47{}", code(&enrolled, 0)))), Some(6));
    assert_eq!(used(&world.verify(ROOT, behind(), enrolled.scratch[0].expose())), None);
    assert_eq!(used(&world.verify(ROOT, from(ADDRESS, Terms::default()), &code(&enrolled, 1))), None);
}

#[test]
fn who_has_nothing_enrolled_is_told_the_verifiers_time() {
    let world = World::new(false);
    assert_eq!(world.at(NOW + 7, Ask::Begin(login(ACCOUNT, &[]))), Outcome::Absent { now: NOW + 7 });
}
