//! Many accounts at once, against the real verifier.

use std::fs;

use oathgate_tests::oathgated::{Oathgated, hotp};
use oathgate_tests::process::{PATIENCE, Running};

use crate::world::{Pam, module};

/// Accounts that every Debian has.
const ACCOUNTS: [&str; 16] = [
    "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy", "www-data", "backup",
    "list", "irc", "nobody",
];

#[test]
fn sixteen_accounts_with_sixteen_codes_come_in_at_once() {
    let service = Oathgated::start();
    let administrator = service.administrator();
    let pam = Pam::new("");
    let line = format!("auth required {} socket={}\n", module().display(), service.root_socket().display());
    fs::write(pam.folder().join("login"), line).expect("our folder");
    let devices = ACCOUNTS.map(|account| administrator.enrol(hotp(account, account, None, account)));
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
