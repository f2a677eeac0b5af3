//! Everybody's state files at once: in a mount namespace with accounts of its
//! own, as root.

use std::fs;
use std::os::unix::fs::symlink;
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

#[test]
fn hostile_homes_are_named_and_skipped() {
    const PEOPLE: [&str; 14] = [
        "ann", "bob", "none", "fifo", "link", "foreign", "hard", "large", "option", "row", "gone", "weak", "uri",
        "dark",
    ];
    let Some(folder) = inside("homes::hostile_homes_are_named_and_skipped", &PEOPLE) else { return };
    let uid = |person: &str| FIRST + PEOPLE.iter().position(|name| *name == person).unwrap() as u32;
    let good = |number: u32, rest: &str| format!("{}\n\" HOTP_COUNTER 5\n{rest}", secret(number));
    let put = |person: &str, text: &str| state(&folder, person, uid(person), text);
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
    let before = run(Command::new("sh").args(["-c", "ls -lnR \"$1\"", "sh"]).arg(&folder), b"").text();

    let (world, service) = (World::new(), Oathgated::start());
    let finished = oathgate(&world, &service, &["import", "--homes", "--json"], b"");
    assert_eq!(finished.code(), Some(1), "{}", finished.stderr);
    let told_first = told(&finished);
    let expected = [
        ("root", "homeless", "isn't there"),
        ("ann", "imported", ""),
        ("bob", "imported", ""),
        ("fifo", "skipped", "no regular file"),
        ("link", "skipped", "symbolic link"),
        ("foreign", "skipped", "somebody else"),
        ("hard", "skipped", "hard link"),
        ("large", "skipped", "64 KiB"),
        ("option", "skipped", "ALLOW_EVERYBODY"),
        ("row", "skipped", ""),
        ("gone", "homeless", "isn't there"),
        ("weak", "skipped", "bits"),
        ("uri", "skipped", "no state file"),
        ("dark", "skipped", "may not look there"),
    ];
    assert_eq!(told_first.len(), expected.len(), "{told_first:?}");
    for (account, state, why) in expected {
        let (_, really, remark) = told_first.iter().find(|(name, ..)| name == account).expect(account);
        assert!(really == state && remark.contains(why), "{account}: {really} {remark}");
    }
    let verify = |person: &str, code: &str| {
        oathgate(&world, &service, &["verify", person, "--stdin"], format!("{code}\n").as_bytes()).code() == Some(0)
    };
    assert!(!verify("ann", &code(&secret(1), 4)), "used there");
    assert!(verify("ann", &code(&secret(1), 5)) && verify("ann", "12345678") && verify("bob", &code(&secret(2), 5)));
    assert!(!verify("option", &code(&secret(6), 5)));

    let again = told(&oathgate(&world, &service, &["import", "--homes", "--json"], b""));
    let known = again.iter().filter(|(_, state, _)| state == "known").count();
    assert_eq!((known, again.len()), (2, expected.len()), "{again:?}");
    assert!(verify("ann", &code(&secret(1), 6)), "a second time changes nothing");
    let only = oathgate(&world, &service, &["import", "--homes", "--account", "bob"], b"");
    assert!(only.code() == Some(0) && only.text().contains("bob") && !only.text().contains("ann"), "{}", only.text());
    let after = run(Command::new("sh").args(["-c", "ls -lnR \"$1\"", "sh"]).arg(&folder), b"").text();
    assert_eq!(before, after, "no home was changed");
}

#[test]
fn homes_are_for_root() {
    let world = World::new();
    let finished = world.run(&["--user-store", "import", "--homes"]);
    assert_eq!(finished.code(), Some(2), "{}", finished.stderr);
    assert_eq!(world.run(&["import"]).code(), Some(2), "a file or --homes");
    assert_eq!(world.run(&["import", "x", "--homes"]).code(), Some(2), "not both");
}
