//! From another PAM module: people and stacks together, in copies of both.

use std::fs;
use std::path::Path;

use oathgate_tests::oathgated::Oathgated;
use oathgate_tests::process::Finished;
use otp_core::Secret;

use crate::homes::{FIRST, inside, oathgate, secret, state};
use crate::import::code;
use crate::world::World;

const STACK: &str = "# a stack\nauth required pam_google_authenticator.so nullok # the code\n@include common-auth\n";

struct Migration<'a> {
    world: World,
    service: Oathgated,
    folder: &'a Path,
}

impl Migration<'_> {
    fn migrate(&self, from: &str, words: &[&str]) -> Finished {
        let stacks = self.folder.join("pam.d");
        let words = [&["migrate", from, "--pam-dir", stacks.to_str().unwrap()], words].concat();
        oathgate(&self.world, &self.service, &words, b"")
    }

    fn stack(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join("pam.d").join(name)).unwrap_or_default()
    }

    fn verify(&self, person: &str, code: &str) -> bool {
        let words = ["verify", person, "--stdin"];
        oathgate(&self.world, &self.service, &words, format!("{code}\n").as_bytes()).code() == Some(0)
    }
}

fn begin<'a>(folder: &'a Path, stacks: &[(&str, &str)]) -> Migration<'a> {
    fs::create_dir(folder.join("pam.d")).unwrap();
    stacks.iter().for_each(|(name, text)| fs::write(folder.join("pam.d").join(name), text).unwrap());
    Migration { world: World::new(), service: Oathgated::start(), folder }
}

#[test]
fn from_google_authenticator_and_back() {
    let Some(folder) = inside("migrate::from_google_authenticator_and_back", &["ann", "bob", "eve"]) else { return };
    let good = |number: u32| format!("{}\n\" HOTP_COUNTER 5\n", secret(number));
    state(&folder, "ann", FIRST, &good(1));
    let odd = state(&folder, "eve", FIRST + 2, &format!("{}\" NEW_OPTION\n", good(2)));
    let migration = begin(&folder, &[("su", STACK), ("sshd", STACK), ("cron", "auth required pam_permit.so\n")]);
    let from = "google-authenticator";

    let dry = migration.migrate(from, &["--dry-run"]);
    assert_eq!(dry.code(), Some(1), "eve would need no code: {}", dry.text());
    assert!(dry.stderr.contains("nullok") && dry.text().contains("NEW_OPTION"), "{}{}", dry.text(), dry.stderr);
    let real = migration.migrate(from, &[]);
    assert_eq!((real.code(), migration.stack("su").as_str()), (Some(1), STACK), "{}", real.stderr);
    fs::remove_file(odd).unwrap();

    let dry = migration.migrate(from, &["--dry-run"]);
    assert_eq!((dry.code(), migration.stack("su").as_str()), (Some(0), STACK), "{}", dry.stderr);
    let real = migration.migrate(from, &[]);
    assert_eq!(real.code(), Some(0), "{}{}", real.text(), real.stderr);
    assert!(real.text().contains("1 covered, 0 not covered"), "{}", real.text());
    let ours = "# a stack\nauth required pam_oathgate.so nullok # the code\n@include common-auth\n";
    assert_eq!(migration.stack("su"), ours);
    assert!(migration.stack("sshd").contains("pam_oathgate.so nullok require_publickey=no # the code"));
    assert_eq!(migration.stack("cron"), "auth required pam_permit.so\n");
    assert!(!migration.verify("ann", &code(&secret(1), 4)) && migration.verify("ann", &code(&secret(1), 5)));

    assert_eq!(migration.migrate("pam-oath", &["--undo"]).code(), Some(1), "that was another module");
    let undone = migration.migrate(from, &["--undo"]);
    assert_eq!(undone.code(), Some(0), "{}", undone.stderr);
    assert_eq!((migration.stack("su"), migration.stack("sshd")), (STACK.to_owned(), STACK.to_owned()));
    assert_eq!(fs::read_dir(folder.join("pam.d")).unwrap().count(), 3, "nothing is left behind");
    assert!(!migration.verify("ann", &code(&secret(1), 5)), "what was imported stays, and what was used too");
}

#[test]
fn from_pam_oath() {
    let Some(folder) = inside("migrate::from_pam_oath", &["ann", "bob"]) else { return };
    let hex = |number: u32| -> String {
        Secret::from_base32(&secret(number)).unwrap().expose().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let users = folder.join("users.oath");
    fs::write(
        &users,
        format!("HOTP\tann\t-\t{}\t3\t000000\t2006-12-07T00:00:00L\nHOTP\tgone\t-\t{}\n", hex(1), hex(2)),
    )
    .unwrap();
    let line = format!("auth requisite pam_oath.so usersfile={} window=20 digits=6\n", users.display());
    let migration = begin(&folder, &[("su", &line)]);
    let before = fs::read(&users).unwrap();

    let real = migration.migrate("pam-oath", &[]);
    assert_eq!(real.code(), Some(0), "{}{}", real.text(), real.stderr);
    assert!(real.text().contains("1 covered, 1 not covered: gone"), "{}", real.text());
    assert!(real.text().contains("window= is not kept"), "{}", real.text());
    assert_eq!(migration.stack("su"), "auth requisite pam_oathgate.so\n");
    assert!(!migration.verify("ann", &code(&secret(1), 3)) && migration.verify("ann", &code(&secret(1), 4)));
    assert_eq!(fs::read(&users).unwrap(), before, "the other module's file stays as it was");
    assert_eq!(migration.migrate("pam-oath", &[]).code(), Some(1), "there is nothing left to migrate");
}

#[test]
fn what_is_not_understood_changes_nothing() {
    let world = World::new();
    let stacks = world.path("pam.d");
    fs::create_dir(&stacks).unwrap();
    for (name, line) in [
        ("su", "auth required pam_google_authenticator.so\n"),
        ("zz", "auth required pam_google_authenticator.so nulok\n"),
    ] {
        fs::write(stacks.join(name), line).unwrap();
    }
    let finished = world.run(&["migrate", "google-authenticator", "--pam-dir", "pam.d"]);
    assert_eq!(finished.code(), Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains("zz, line 1: unknown option nulok"), "{}", finished.stderr);
    assert_eq!(fs::read_dir(&stacks).unwrap().count(), 2);
    assert!(fs::read_to_string(stacks.join("su")).unwrap().contains("google"));
}

/// `TYPE USER PIN HEX` of the person with this number.
fn row(person: &str, number: u32, rest: &str) -> String {
    let secret = Secret::from_base32(&secret(number)).unwrap();
    let hex: String = secret.expose().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("HOTP\t{person}\t-\t{hex}{rest}\n")
}

#[test]
fn everybody_of_a_users_oath_or_nobody() {
    let Some(folder) = inside("migrate::everybody_of_a_users_oath_or_nobody", &["ann", "bob"]) else { return };
    let migration = begin(&folder, &[]);
    let users = folder.join("users.oath");
    let import = |text: String| {
        fs::write(&users, text).unwrap();
        let words = ["import", users.to_str().unwrap(), "--everybody"];
        oathgate(&migration.world, &migration.service, &words, b"")
    };
    let (ann, bob) = (row("ann", 1, "\t3"), row("bob", 2, ""));
    for (bad, why) in [
        (row("gone", 3, ""), "gone: no account"),
        (row("ann", 1, ""), "ann"),
        ("HOTP\teve\t-\txyz\n".to_owned(), "can't be read"),
        ("HOTP\teve\t-\t00\n".to_owned(), "eve: "),
    ] {
        let refused = import(format!("{ann}{bob}{bad}"));
        assert!(refused.code() == Some(1) && refused.stderr.contains(why), "{}", refused.stderr);
        assert!(!migration.verify("bob", &code(&secret(2), 0)), "nobody came in beside {bad}");
    }
    let done = import(format!("{ann}{bob}"));
    assert_eq!((done.code(), done.stderr.as_str()), (Some(0), ""), "{}", done.text());
    assert!(migration.verify("ann", &code(&secret(1), 3)) && migration.verify("bob", &code(&secret(2), 0)));
    let again = import(format!("{ann}{bob}"));
    assert!(again.code() == Some(0) && again.text().contains("2 were enrolled before"), "{}", again.text());
    let more = import(format!("{ann}{bob}{}", row("bob", 4, "")));
    assert_eq!(more.code(), Some(0), "{}", more.stderr);
    assert!(migration.verify("bob", &code(&secret(4), 0)) && !migration.verify("bob", &code(&secret(2), 0)));
    let other =
        oathgate(&migration.world, &migration.service, &["import", "x", "--everybody", "--account", "ann"], b"");
    assert_eq!(other.code(), Some(2), "{}", other.stderr);
}
