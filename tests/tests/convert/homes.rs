//! Everybody's state files at once: in a mount namespace with accounts of its
//! own, as root.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use oathgate_tests::homes::{FIRST, inside, own, secret, state};
use oathgate_tests::oathgated::Oathgated;
use oathgate_tests::process::{Finished, run};
use serde_json::Value;

use crate::import::code;
use crate::world::{SECRET, World};

pub fn oathgate(world: &World, service: &Oathgated, words: &[&str], input: &[u8]) -> Finished {
    let socket = service.root_socket();
    run(&mut world.command(&[&["--socket", socket.to_str().unwrap()], words].concat()), input)
}

/// What was said about each account.
fn told(finished: &Finished) -> Vec<(String, String, String)> {
    let document: Value = serde_json::from_slice(&finished.stdout).expect(&finished.stderr);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let homes = document["homes"].as_array().unwrap().iter();
    homes.map(|home| (text(&home["account"]), text(&home["state"]), text(&home["remarks"][0]))).collect()
}

/// Whose homes there are, and what is said about each.
const PEOPLE: [(&str, &str, &str); 14] = [
    ("ann", "imported", ""),
    ("bob", "imported", ""),
    ("none", "", ""),
    ("fifo", "skipped", "no regular file"),
    ("link", "skipped", "symbolic link"),
    ("foreign", "skipped", "somebody else"),
    ("hard", "skipped", "hard link"),
    ("large", "skipped", "64 KiB"),
    ("option", "skipped", "ALLOW_EVERYBODY"),
    ("row", "skipped", "none of the formats"),
    ("gone", "homeless", "isn't there"),
    ("weak", "skipped", "bits"),
    ("uri", "skipped", "no state file"),
    ("dark", "skipped", "may not look there"),
];

fn good(number: u32, rest: &str) -> String {
    format!("{}\n\" HOTP_COUNTER 5\n{rest}", secret(number))
}

/// Makes a file of each kind that is good or bad.
fn fill(folder: &Path) {
    let uid = |person: &str| FIRST + PEOPLE.iter().position(|(name, ..)| *name == person).unwrap() as u32;
    let put = |person: &str, text: &str| state(folder, person, uid(person), text);
    let path = |person: &str| folder.join(person).join(".google_authenticator");
    put("ann", &good(1, "\" RATE_LIMIT 3 30 1700000000\n\" LAST0 1700000000 10.0.0.1\n12345678\n"));
    put("bob", &good(2, ""));
    assert!(run(Command::new("mkfifo").arg(path("fifo")), b"").status.success());
    own(&path("fifo"), uid("fifo"), 0o600);
    symlink(path("ann"), path("link")).unwrap();
    own(&put("foreign", &good(3, "")), uid("bob"), 0o444);
    fs::hard_link(put("hard", &good(4, "")), folder.join("hard/other")).unwrap();
    put("large", &good(5, &"12345678\n".repeat(8000)));
    put("option", &good(6, "\" ALLOW_EVERYBODY\n"));
    put("row", &good(7, "what is this\n"));
    fs::remove_dir(folder.join("gone")).unwrap();
    put("weak", "JBSWY3DP\n\" HOTP_COUNTER 5\n");
    put("uri", &format!("otpauth://hotp/x?secret={SECRET}&counter=0\n"));
    put("dark", &good(8, ""));
    own(&path("dark"), 0, 0o400);
}

fn listing(folder: &Path) -> String {
    run(Command::new("sh").args(["-c", "ls -lnR \"$1\"", "sh"]).arg(folder), b"").text()
}

#[test]
fn hostile_homes_are_named_and_skipped() {
    let Some(folder) = inside("homes::hostile_homes_are_named_and_skipped", &PEOPLE.map(|(name, ..)| name)) else {
        return;
    };
    fill(&folder);
    let (before, world, service) = (listing(&folder), World::new(), Oathgated::start());
    let import = || oathgate(&world, &service, &["import", "--homes", "--json"], b"");
    let first = import();
    assert_eq!(first.code(), Some(1), "{}", first.stderr);
    let told_first = told(&first);
    let expected =
        PEOPLE.iter().filter(|(_, state, _)| !state.is_empty()).chain(&[("root", "homeless", "isn't there")]);
    for (account, state, why) in expected.clone() {
        let (_, really, remark) = told_first.iter().find(|(name, ..)| name == account).expect(account);
        assert!(really == state && remark.contains(why), "{account}: {really} {remark}");
    }
    assert_eq!(told_first.len(), expected.count(), "{told_first:?}");
    let verify = |person: &str, code: &str| {
        oathgate(&world, &service, &["verify", person, "--stdin"], format!("{code}\n").as_bytes()).code() == Some(0)
    };
    assert!(!verify("ann", &code(&secret(1), 4)), "used there");
    assert!(verify("ann", &code(&secret(1), 5)) && verify("ann", "12345678") && verify("bob", &code(&secret(2), 5)));
    assert!(!verify("option", &code(&secret(6), 5)));

    let again = told(&import());
    let known = again.iter().filter(|(_, state, _)| state == "known").count();
    assert_eq!((known, again.len()), (2, told_first.len()), "{again:?}");
    assert!(verify("ann", &code(&secret(1), 6)), "a second time changes nothing");
    let only = oathgate(&world, &service, &["import", "--homes", "--account", "bob"], b"");
    assert!(only.code() == Some(0) && only.text().contains("bob") && !only.text().contains("ann"), "{}", only.text());
    assert_eq!(before, listing(&folder), "no home was changed");
}

/// People have any number for a uid, and services log in, too.
#[test]
fn no_account_is_passed_over_for_its_number() {
    let Some(folder) = inside("homes::no_account_is_passed_over_for_its_number", &["git", "far"]) else { return };
    let home = |name: &str| folder.join(name).display().to_string();
    let others = [("operator", 11, "git", "/sbin/nologin"), ("group", 999, "gone", "/usr/sbin/nologin")];
    let accounts = [("git", 998, "git", "/bin/bash"), ("far", 1_200_000, "far", "/bin/sh")];
    let row =
        |(name, uid, at, shell): &(&str, u32, &str, &str)| format!("{name}:x:{uid}:{uid}::{}:{shell}\n", home(at));
    fs::write(folder.join("passwd"), accounts.iter().chain(&others).map(row).collect::<String>()).unwrap();
    for (number, (name, uid, ..)) in (1..).zip(accounts) {
        own(&folder.join(name), uid, 0o755);
        state(&folder, name, uid, &good(number, ""));
    }
    let (world, service) = (World::new(), Oathgated::start());
    let finished = oathgate(&world, &service, &["import", "--homes", "--json"], b"");
    // Of services without a shell nothing is said: the file in a home they share is another's.
    let expected = ["git", "far"].map(|name| (name.to_owned(), "imported".to_owned(), String::new()));
    let mut told = told(&finished);
    told.sort_by_key(|(name, ..)| expected.iter().position(|(other, ..)| other == name));
    assert_eq!((finished.code(), told), (Some(0), expected.to_vec()), "{}", finished.stderr);
}

/// An option of a state file, what becomes of it, and what is said of it.
const KEPT: [(&str, &str, &str); 14] = [
    ("\" RATE_LIMIT 3 30\n\" TOTP_AUTH", "RATE_LIMIT 3 30", ""),
    ("\" RATE_LIMIT 5 60\n\" TOTP_AUTH", "RATE_LIMIT 5 60", ""),
    ("\" TOTP_AUTH", "WINDOW_SIZE 3", ""),
    ("\" WINDOW_SIZE 1\n\" TOTP_AUTH", "WINDOW_SIZE 1", ""),
    ("\" WINDOW_SIZE 4\n\" TOTP_AUTH", "WINDOW_SIZE 5", "2 steps before and after count, not 1 before"),
    ("\" WINDOW_SIZE 17\n\" TOTP_AUTH", "WINDOW_SIZE 17", ""),
    ("\" WINDOW_SIZE 19\n\" TOTP_AUTH", "WINDOW_SIZE 17", "8 steps before and after count, not 9"),
    ("\" STEP_SIZE 60\n\" TOTP_AUTH", "STEP_SIZE 60", ""),
    ("\" TIME_SKEW -12\n\" TOTP_AUTH", "TIME_SKEW -12", ""),
    ("\" RESETTING_TIME_SKEW 1700000000-3\n\" TOTP_AUTH", "WINDOW_SIZE 3", ""),
    ("\" DISALLOW_REUSE 56 58 57\n\" TOTP_AUTH", "DISALLOW_REUSE 56 57 58", ""),
    ("\" HOTP_COUNTER 7", "HOTP_COUNTER 7", ""),
    ("\" WINDOW_SIZE 10\n\" HOTP_COUNTER 7", "HOTP_COUNTER 7", ""),
    ("\" WINDOW_SIZE 17\n\" HOTP_COUNTER 7", "HOTP_COUNTER 7", "10 ahead, not 17"),
];

#[test]
fn each_option_is_kept_or_named() {
    let names: Vec<String> = (0..KEPT.len()).map(|number| format!("p{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let Some(folder) = inside("homes::each_option_is_kept_or_named", &names) else { return };
    for ((number, name), (lines, ..)) in (0..).zip(&names).zip(KEPT) {
        state(&folder, name, FIRST + number, &format!("{}\n{lines}\n", secret(number)));
    }
    let (world, service) = (World::new(), Oathgated::start());
    let told = told(&oathgate(&world, &service, &["import", "--homes", "--json"], b""));
    for (name, (lines, kept, said)) in names.iter().zip(KEPT) {
        let (_, state, remark) = told.iter().find(|(account, ..)| account == name).expect(name);
        assert_eq!((state.as_str(), remark.is_empty()), ("imported", said.is_empty()), "{lines}: {remark}");
        assert!(remark.contains(said), "{lines}: {remark}");
        let words = ["export", name, "--account", name, "--to", "libpam", "--yes"];
        let exported = oathgate(&world, &service, &words, b"").text();
        assert!(exported.contains(&format!("\" {kept}\n")), "{lines}: {exported}");
    }
}

#[test]
fn homes_are_for_root() {
    let world = World::new();
    let finished = world.run(&["--user-store", "import", "--homes"]);
    assert_eq!(finished.code(), Some(2), "{}", finished.stderr);
    assert_eq!(world.run(&["import"]).code(), Some(2), "a file or --homes");
    assert_eq!(world.run(&["import", "x", "--homes"]).code(), Some(2), "not both");
}
