//! Login credentials of exactly the entries that were chosen.

use otp_core::{Algorithm, Digits, Secret, otp};
use serde_json::Value;

use oathgate_tests::process::run;

use crate::world::{SECRET, World};

pub fn code(secret: &str, factor: u64) -> String {
    let secret = Secret::from_base32(secret).unwrap();
    otp::code(&secret, Algorithm::Sha1, Digits::SIX, factor).to_string()
}

impl World {
    pub fn import(&self, words: &[&str]) -> oathgate_tests::process::Finished {
        self.run(&[&["--user-store", "import"], words].concat())
    }

    /// Whether a code is right, in the own store.
    pub fn verify(&self, code: &str) -> bool {
        let mut command = self.command(&["--user-store", "verify", "--stdin"]);
        run(&mut command, format!("{code}\n").as_bytes()).code() == Some(0)
    }

    fn credentials(&self) -> Vec<Value> {
        let finished = self.run(&["--user-store", "list", "--json"]);
        let owners: Value = serde_json::from_slice(&finished.stdout).unwrap_or_default();
        let owners = owners.get("owners").unwrap_or(&owners).as_array().cloned().unwrap_or_default();
        owners.iter().flat_map(|owner| owner["credentials"].as_array().cloned().unwrap_or_default()).collect()
    }
}

#[test]
fn a_state_file_goes_on_where_it_was() {
    let world = World::new();
    world.file(
        "state",
        format!("{SECRET}\n\" RATE_LIMIT 3 30\n\" WINDOW_SIZE 17\n\" HOTP_COUNTER 5\n12345678\n87654321\n"),
    );
    let finished = world.import(&["state"]);
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
    assert!(finished.stderr.contains("10 ahead, not 17"), "what is not kept is named: {}", finished.stderr);
    assert!(!world.verify(&code(SECRET, 4)), "used before");
    assert!(world.verify(&code(SECRET, 5)), "the next one");
    assert!(!world.verify(&code(SECRET, 5)), "used here");
    assert!(world.verify("12345678") && !world.verify("12345678"), "a scratch code works once");
}

#[test]
fn nothing_is_imported_that_was_not_chosen() {
    let world = World::new();
    let second = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    world.file(
        "uris",
        format!("otpauth://hotp/one?secret={SECRET}&counter=0\notpauth://hotp/two?secret={second}&counter=0\n"),
    );
    let finished = world.import(&["uris"]);
    assert_eq!(finished.code(), Some(2), "{}", finished.stderr);
    assert!(finished.text().contains("one") && finished.text().contains("two"), "the table is shown");
    assert!(world.credentials().is_empty());

    assert_eq!(world.import(&["uris", "--select", "two"]).code(), Some(0));
    let labels: Vec<Value> = world.credentials().iter().map(|row| row["label"].clone()).collect();
    assert_eq!(labels, ["two"]);
    assert!(!world.verify(&code(SECRET, 0)), "not chosen");
    assert!(world.verify(&code(second, 0)), "chosen");
}

#[test]
fn all_of_them_or_none() {
    let world = World::new();
    let weak = "JBSWY3DP";
    let line = |name: &str, rest: &str| format!("otpauth://hotp/{name}?counter=0&secret={rest}\n");
    world.file(
        "uris",
        line("good", SECRET)
            + &line("weak", weak)
            + &line("same", SECRET)
            + &line("nine", &format!("{SECRET}&digits=9")),
    );
    for (words, because) in [
        (&["--select", "good", "--select", "weak"][..], "bits"),
        (&["--select", "good", "--select", "same"], "same secret"),
        (&["--select", "good", "--select", "nine"], "9 digits"),
        (&["--select", "good", "--select", "nine", "--allow-weak"], "9 digits"),
    ] {
        let finished = world.import(&[&["uris"], words].concat());
        assert_eq!(finished.code(), Some(1), "{words:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(because), "{words:?}: {}", finished.stderr);
        assert!(world.credentials().is_empty(), "{words:?}");
    }
    let finished = world.import(&["uris", "--select", "good", "--select", "weak", "--allow-weak"]);
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
    assert_eq!(world.credentials().len(), 2);
    assert!(world.verify(&code(weak, 0)));
}

#[test]
fn another_users_row_is_not_taken_for_ones_own() {
    let world = World::new();
    let hex: String = Secret::from_base32(SECRET).unwrap().expose().iter().map(|byte| format!("{byte:02x}")).collect();
    world.file("users", format!("HOTP\tno-such-user\t-\t{hex}\t3\t328482\t2006-12-07T00:00:00L\n"));
    let finished = world.import(&["users"]);
    assert_eq!(finished.code(), Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("no-such-user") && world.credentials().is_empty());
    let own = oathgate_tests::sshd::id("-un");
    assert_eq!(world.import(&["users", "--account", &own]).code(), Some(0));
    assert!(!world.verify(&code(SECRET, 3)), "the counter of users.oath is one that was accepted");
    assert!(world.verify(&code(SECRET, 4)));
}

#[test]
fn adding_to_what_is_there_needs_a_code() {
    let world = World::new();
    let second = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    world.file("one", format!("otpauth://hotp/one?secret={SECRET}&counter=0\n"));
    world.file("two", format!("otpauth://hotp/two?secret={second}&counter=0\n"));
    assert_eq!(world.import(&["one"]).code(), Some(0));
    let finished = world.import(&["two"]);
    assert_eq!(finished.code(), Some(1), "a uid is not a second factor: {}", finished.stderr);
    assert!(finished.stderr.contains("a code of yours is needed"), "{}", finished.stderr);
    assert_eq!(world.credentials().len(), 1);
}

#[test]
fn root_names_the_account_that_a_state_file_is_for() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: not root");
        return;
    }
    let world = World::new();
    world.file("state", format!("{SECRET}\n\" HOTP_COUNTER 5\n"));
    let service = oathgate_tests::oathgated::Oathgated::start();
    let socket = service.root_socket();
    let finished = world.run(&["--socket", socket.to_str().unwrap(), "import", "state"]);
    assert_eq!(finished.code(), Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("--account"), "{}", finished.stderr);
    let words = ["--socket", socket.to_str().unwrap(), "import", "state", "--account", "daemon"];
    let finished = world.run(&words);
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
    assert!(finished.text().contains("for daemon"), "{}", finished.text());
}
