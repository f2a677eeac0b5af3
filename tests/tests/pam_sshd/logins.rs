//! One at a time.

use std::process::Command;

use oathgate_tests::fido::Fido;
use oathgate_tests::process::run;
use otp_wire::Ask;
use otp_wire::message::KeyAdd;

use crate::world::{README, World, possible, try_code, without_prompt};

#[test]
fn a_key_opens_with_its_own_code_once() {
    if !possible() {
        return;
    }
    let world = World::new();
    let (alice, bob) = (world.enrol("alice"), world.enrol("bob"));
    let code = alice.device.code(0);
    assert!(!try_code(&bob.client, &code), "another key");
    assert!(try_code(&alice.client, &code), "its own key");
    assert!(!try_code(&alice.client, &code), "the same code again");
    assert!(!try_code(&alice.client, &alice.device.wrong_code()), "a wrong code");
    assert!(!try_code(&alice.client, ""), "no code");
    assert!(try_code(&alice.client, &alice.device.code(1)), "the next code");
    assert!(try_code(&bob.client, &bob.device.code(0)), "the other key's own");
    let log = world.logged();
    for secret in [code, alice.device.code(1), alice.device.0.secret.expose().to_owned()] {
        assert!(!log.contains(&secret) && !world.sshd.log().contains(&secret), "in a log: {log}");
    }
    assert!(log.contains("accepted a code of alice") && log.contains("code already used"), "{log}");
}

#[test]
fn a_scratch_code_opens_once() {
    if !possible() {
        return;
    }
    let world = World::new();
    let alice = world.enrol("alice");
    assert!(try_code(&alice.client, &alice.device.scratch(0)));
    assert!(!try_code(&alice.client, &alice.device.scratch(0)));
    world.expect_logged("accepted a scratch code, 9 left");
}

#[test]
fn grace_is_for_the_key_that_came_with_a_code() {
    if !possible() {
        return;
    }
    let world = World::with("grace_period=600", &README);
    let (alice, bob) = (world.enrol("alice"), world.enrol("bob"));
    assert!(!try_code(&alice.client, &alice.device.wrong_code()), "a refusal gives none");
    assert!(try_code(&alice.client, &alice.device.code(0)));
    assert!(without_prompt(&alice.client));
    world.expect_logged("or a grant");
    assert!(!try_code(&bob.client, &alice.device.code(1)), "another key is asked, from the same address too");
    assert!(without_prompt(&alice.client), "and takes nothing away");
    world.service.administrator().revoke(&alice.device);
    assert!(!try_code(&alice.client, &alice.device.code(2)), "it ends with the credential");
}

#[test]
fn a_key_without_a_code_needs_no_prompt() {
    if !possible() {
        return;
    }
    let world = World::new();
    let key = world.sshd.key("backup");
    world.sshd.authorise(&key, "");
    let administrator = world.service.administrator();
    let (account, fingerprint) = (world.account.clone(), key.fingerprint.clone());
    let add = KeyAdd { account, key: fingerprint, owner: Some("backup".into()), note: None, credentials: vec![] };
    administrator.ask(Ask::KeyAdd(add));
    administrator.policy(&world.account, &key.fingerprint, "none");
    assert!(without_prompt(&world.client(&key)));
    world.expect_logged("by the policy of the key");
    administrator.policy(&world.account, &key.fingerprint, "code");
    assert!(!try_code(&world.client(&key), "123456"), "the policy counts at once");
}

#[test]
fn a_key_that_nobody_enrolled_is_asked_and_refused() {
    if !possible() {
        return;
    }
    let world = World::new();
    let alice = world.enrol("alice");
    let stranger = world.stranger("stranger");
    assert!(!try_code(&stranger, &alice.device.code(0)));
    world.expect_logged("not enrolled");
    assert!(try_code(&alice.client, &alice.device.code(0)), "it is not spent by that");
}

#[test]
fn a_certificate_counts_as_the_key_inside() {
    if !possible() {
        return;
    }
    let world = World::new();
    let authority = world.sshd.key("authority");
    world.sshd.authorise(&authority, "cert-authority");
    let key = world.sshd.key("certified");
    let device = world.service.administrator().enrol(hotp_for(&world.account, &key.fingerprint));
    let mut sign = Command::new("ssh-keygen");
    sign.args(["-q", "-I", "somebody", "-n", &world.account, "-s"]).arg(&authority.path);
    let signed = run(sign.arg(key.path.with_extension("pub")), b"");
    assert!(signed.status.success(), "{}", signed.stderr);
    let certificate = format!("CertificateFile={}-cert.pub", key.path.display());
    let client = world.client(&key).option(&certificate);
    assert!(!try_code(&client, &device.wrong_code()));
    assert!(try_code(&client, &device.code(0)));
}

#[test]
fn a_fido_key_has_a_code_of_its_own() {
    if !possible() {
        return;
    }
    let world = World::new();
    let Some(fido) = Fido::new(&world.sshd) else { return };
    world.sshd.authorise(&fido.key, "");
    let device = world.service.administrator().enrol(hotp_for(&world.account, &fido.key.fingerprint));
    let client = fido.client(&world.sshd).option("PreferredAuthentications=publickey,keyboard-interactive");
    assert!(!try_code(&client, &device.wrong_code()));
    assert!(try_code(&client, &device.code(0)));
}

fn hotp_for(account: &str, fingerprint: &str) -> otp_wire::message::Enrol {
    oathgate_tests::oathgated::hotp(account, "certified", Some(fingerprint), "certified")
}
