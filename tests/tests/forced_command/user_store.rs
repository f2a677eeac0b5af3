//! The store in one's own home directory, without root and without a service.

use oathgate_tests::oathgated::{Administrator, hotp};
use oathgate_tests::sshd::{Settings, Sshd, id};

use crate::world::{came_in, kept_out, line, try_code};

#[test]
fn a_key_with_a_code_in_ones_own_store() {
    let sshd = Sshd::start(&Settings::default());
    let key = sshd.key("alice");
    sshd.authorise(&key, &line(&format!("--user-store --key {}", key.fingerprint)));
    let client = sshd.client(&key);
    kept_out(&try_code(&client, "123456"), "cannot check codes right now");

    let administrator = Administrator::of_user_store(&sshd.home());
    let device = administrator.enrol(hotp(&id("-un"), "alice", Some(&key.fingerprint), "phone"));
    kept_out(&client.run("echo in", None), "LC_OTP=123456");
    kept_out(&try_code(&client, &device.wrong_code()), "Wrong code");
    came_in(&try_code(&client, &device.code(0)));
    kept_out(&try_code(&client, &device.code(0)), "already used");
    came_in(&try_code(&client, &device.scratch(0)));
    kept_out(&try_code(&client, &device.scratch(0)), "already used");
    let mut session = client.session(Some("echo in"));
    session.expect("Code (phone): ");
    session.send(&format!("{}\r", device.code(1)));
    session.expect("in\r");
    assert_eq!(session.wait().0, Some(0));
}

#[test]
fn a_store_that_cannot_be_read_lets_nobody_in() {
    let sshd = Sshd::start(&Settings::default());
    let key = sshd.key("alice");
    sshd.authorise(&key, &line(&format!("--user-store --key {}", key.fingerprint)));
    let administrator = Administrator::of_user_store(&sshd.home());
    let device = administrator.enrol(hotp(&id("-un"), "alice", Some(&key.fingerprint), "phone"));
    let store = sshd.home().join(".local/share/oathgate/store.db");
    let good = std::fs::read(&store).unwrap();
    for bad in [&b""[..], b"not a database", &good[..good.len() / 2], &[0xff; 4096]] {
        std::fs::write(&store, bad).unwrap();
        kept_out(&try_code(&sshd.client(&key), &device.code(0)), "cannot check codes right now");
    }
    std::fs::write(&store, &good).unwrap();
    came_in(&try_code(&sshd.client(&key), &device.code(0)));
}
