//! From another PAM module: people and stacks together, in copies of both.

use std::fs;
use std::path::Path;

use oathgate_tests::homes::{FIRST, inside, secret, state};
use oathgate_tests::oathgated::Oathgated;
use oathgate_tests::process::{Finished, PATIENCE};
use otp_core::Secret;
use otp_wire::socket::timespec;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify;

use crate::homes::oathgate;
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

/// A person with a counter, and one stack that asks the other module.
fn one_person(folder: &Path) -> Migration<'_> {
    state(folder, "ann", FIRST, &format!("{}\n\" HOTP_COUNTER 5\n", secret(1)));
    begin(folder, &[("su", STACK)])
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join("pam.d")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_trial_that_nobody_confirms_ends_by_itself() {
    let name = "migrate::a_trial_that_nobody_confirms_ends_by_itself";
    let Some(folder) = inside(name, &["ann"]) else { return };
    let (migration, from) = (one_person(&folder), "google-authenticator");
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&watch, folder.join("pam.d"), inotify::WatchFlags::DELETE).unwrap();
    // Nobody is there any more when its time comes: not even its parent.
    let begun = migration.migrate(from, &["--trial", "2s"]);
    assert_eq!(begun.code(), Some(0), "{}{}", begun.text(), begun.stderr);
    assert!(begun.text().contains("goes back in 2s"), "{}", begun.text());
    assert!(migration.stack("su").contains("pam_oathgate.so"), "{}", migration.stack("su"));
    assert_eq!(names(&folder), [".oathgate-trial", "su", "su.before-oathgate"]);
    let ready = poll(&mut [PollFd::new(&watch, PollFlags::IN)], Some(&timespec(PATIENCE))).unwrap();
    assert_eq!(ready, 1, "the marker is still there");
    assert_eq!((migration.stack("su").as_str(), names(&folder)), (STACK, vec!["su".to_owned()]));
    assert_eq!(migration.migrate(from, &["--confirm"]).code(), Some(1), "too late");
    assert!(migration.verify("ann", &code(&secret(1), 5)), "what was imported stays");
}

#[test]
fn a_trial_is_confirmed_undone_or_ended_by_a_reboot() {
    let name = "migrate::a_trial_is_confirmed_undone_or_ended_by_a_reboot";
    let Some(folder) = inside(name, &["ann"]) else { return };
    let (migration, from) = (one_person(&folder), "google-authenticator");
    for wrong in ["0s", "25h", "soon", "2"] {
        assert_eq!(migration.migrate(from, &["--trial", wrong]).code(), Some(2), "{wrong}");
    }
    let begin = || {
        let begun = migration.migrate(from, &["--trial", "10m"]);
        assert_eq!((begun.code(), names(&folder).len()), (Some(0), 3), "{}", begun.stderr);
    };
    let boot = |id: Option<&str>| {
        let marker = folder.join("pam.d/.oathgate-trial");
        if let Some(id) = id {
            let text = fs::read_to_string(&marker).unwrap();
            let this = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
            fs::write(&marker, text.replace(this.trim(), id)).unwrap();
        }
        let stacks = folder.join("pam.d");
        oathgate(&migration.world, &migration.service, &["trial-end", "--pam-dir", stacks.to_str().unwrap()], b"")
    };
    begin();
    let second = migration.migrate(from, &[]);
    assert!(second.code() == Some(1) && second.stderr.contains("a trial is running"), "{}", second.stderr);
    assert_eq!(migration.migrate("pam-oath", &["--confirm"]).code(), Some(1), "another module's");
    assert_eq!(migration.migrate(from, &["--undo"]).code(), Some(0));
    assert_eq!((migration.stack("su").as_str(), names(&folder)), (STACK, vec!["su".to_owned()]));

    begin();
    assert_eq!((boot(None).code(), names(&folder).len()), (Some(0), 3), "the same boot");
    assert_eq!(boot(Some("another")).code(), Some(0));
    assert_eq!((migration.stack("su").as_str(), names(&folder)), (STACK, vec!["su".to_owned()]));

    begin();
    let edited = migration.stack("su") + "# mine\n";
    fs::write(folder.join("pam.d/su"), &edited).unwrap();
    assert_eq!((boot(Some("another")).code(), migration.stack("su")), (Some(0), edited), "edited: left");
    fs::write(folder.join("pam.d/su"), STACK).unwrap();
    fs::remove_file(folder.join("pam.d/su.before-oathgate")).unwrap();

    begin();
    let confirmed = migration.migrate(from, &["--confirm"]);
    assert_eq!((confirmed.code(), names(&folder).len()), (Some(0), 2), "{}", confirmed.stderr);
    assert_eq!(boot(None).code(), Some(0));
    assert!(migration.stack("su").contains("pam_oathgate.so"), "it stays");
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
    assert!(real.text().contains("window= only narrows"), "{}", real.text());
    assert_eq!(migration.stack("su"), "auth requisite pam_oathgate.so window=20 digits=6\n");
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
