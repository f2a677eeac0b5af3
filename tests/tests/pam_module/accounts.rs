//! Many accounts at once, in programs and in threads, against the real verifier.

use std::fs;

use oathgate_tests::oathgated::{Device, Oathgated, hotp};
use oathgate_tests::process::{PATIENCE, Running, run};

use crate::world::{Pam, module};

/// Accounts that every Debian has.
const ACCOUNTS: [&str; 16] = [
    "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy", "www-data", "backup",
    "list", "irc", "nobody",
];

/// A verifier with a device for each account, and the service `login` that asks it.
fn world() -> (Oathgated, Pam, [Device; 16]) {
    let service = Oathgated::start();
    let administrator = service.administrator();
    let pam = Pam::new("");
    let line = format!("auth required {} socket={}\n", module().display(), service.root_socket().display());
    fs::write(pam.folder().join("login"), line).expect("our folder");
    let devices = ACCOUNTS.map(|account| administrator.enrol(hotp(account, account, None, account)));
    (service, pam, devices)
}

/// One program with sixteen handles: each thread gets the verdict of its own.
#[test]
fn sixteen_handles_of_one_program_stay_apart() {
    let (_service, pam, devices) = world();
    for counter in 0..3 {
        // Every second one has a code of somebody else's.
        let typed = |number: usize| devices[number & !1].code(counter) + "\n";
        let lines: String = (0..ACCOUNTS.len()).map(typed).collect();
        let finished = run(&mut pam.host("login", &ACCOUNTS.join(","), &[]), lines.as_bytes());
        let said = finished.text();
        for (number, account) in ACCOUNTS.iter().enumerate() {
            let expected = if number % 2 == 0 { "PAM_SUCCESS" } else { "PAM_AUTH_ERR" };
            assert!(said.contains(&format!("result {expected} {account}\n")), "{account}, round {counter}: {said}");
        }
        assert_eq!((finished.code(), finished.stderr.as_str()), (Some(0), ""));
    }
}

#[test]
fn sixteen_accounts_with_sixteen_codes_come_in_at_once() {
    let (_service, pam, devices) = world();
    for counter in 0..3 {
        let mut held = ACCOUNTS.map(|account| Running::start(&mut pam.host("login", account, &[])));
        for one in &held {
            one.stdout.expect("Hidden ", PATIENCE);
        }
        for (one, device) in held.iter_mut().zip(&devices) {
            one.send(&format!("{}\n", device.code(counter)));
        }
        for (one, account) in held.iter_mut().zip(ACCOUNTS) {
            one.wait(PATIENCE);
            let said = one.stdout.to_end(PATIENCE);
            let said = String::from_utf8_lossy(&said);
            assert!(said.contains("result PAM_SUCCESS"), "{account}, round {counter}: {said}");
        }
    }
}
