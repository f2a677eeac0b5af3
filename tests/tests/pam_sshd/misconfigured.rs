//! A server that isn't set up as it should be lets nobody in, and the log says why.

use std::time::{Duration, Instant};

use otp_wire::message::Selection;
use otp_wire::{Ask, Outcome};

use crate::world::{README, World, possible, try_code, without_prompt};

/// AuthenticationMethods was forgotten: the code alone would log in.
#[test]
fn a_code_alone_is_not_enough() {
    if !possible() {
        return;
    }
    let world = World::with("", &["UsePAM yes", "KbdInteractiveAuthentication yes", "PubkeyAuthentication no"]);
    let alice = world.enrol("alice");
    assert!(!without_prompt(&alice.client));
    world.expect_logged("no publickey in SSH_AUTH_INFO_0");
    world.expect_logged("AuthenticationMethods publickey,keyboard-interactive");
}

/// The order is the wrong one: no key was used yet.
#[test]
fn a_code_before_the_key_is_not_enough() {
    if !possible() {
        return;
    }
    let methods = "AuthenticationMethods keyboard-interactive,publickey";
    let world = World::with("", &["UsePAM yes", "KbdInteractiveAuthentication yes", methods]);
    let alice = world.enrol("alice");
    assert!(!without_prompt(&alice.client));
    world.expect_logged("no publickey in SSH_AUTH_INFO_0");
}

/// sshd hides what root types from PAM, unless root may log in by password.
#[test]
fn a_hidden_answer_is_no_code() {
    if !possible() {
        return;
    }
    let mut first = vec!["PermitRootLogin prohibit-password"];
    first.extend(README);
    let world = World::with("", &first);
    let alice = world.enrol("alice");
    for code in [alice.device.code(0), alice.device.scratch(0)] {
        assert!(!try_code(&alice.client, &code));
        world.expect_logged("hid what was typed");
    }
    let account = world.account.clone();
    let selection = Selection { account: Some(account), ..Selection::default() };
    match world.service.administrator().ask(Ask::List(selection)) {
        Outcome::Listing(owners) => assert!(owners.iter().all(|owner| owner.doors.is_empty()), "it is not counted"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unknown_option_lets_nobody_in() {
    if !possible() {
        return;
    }
    for (option, replacement) in [
        ("windw=20", "see pam_oathgate(8)"),
        ("secret=/home/${USER}/.otp", "oathgate import"),
        ("noskewadj", "leave it out"),
    ] {
        let world = World::with(option, &README);
        let alice = world.enrol("alice");
        assert!(!without_prompt(&alice.client));
        world.expect_logged(option);
        world.expect_logged(replacement);
    }
}

#[test]
fn without_a_verifier_nobody_comes_in() {
    if !possible() {
        return;
    }
    let mut world = World::with("nullok", &README);
    let alice = world.enrol("alice");
    world.service.stop();
    let start = Instant::now();
    assert!(!without_prompt(&alice.client));
    assert!(start.elapsed() < Duration::from_secs(6));
    world.expect_logged("no verifier at");
    world.service.resume();
    assert!(try_code(&alice.client, &alice.device.code(0)), "and back again");
}

/// The verifier goes away while somebody looks for the code.
#[test]
fn a_verifier_that_goes_away_at_the_prompt() {
    if !possible() {
        return;
    }
    let mut world = World::new();
    let alice = world.enrol("alice");
    let mut login = crate::world::Login::start(&alice.client.clone().option("NumberOfPasswordPrompts=1"));
    login.prompt().expect("a prompt");
    world.service.stop();
    login.answer(&alice.device.code(0));
    assert!(!login.came_in());
    world.service.resume();
    assert!(try_code(&alice.client, &alice.device.code(0)), "it was not spent");
}
