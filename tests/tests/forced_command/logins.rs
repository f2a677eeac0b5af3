//! Logins decided by the real verifier: each key has a code of its own.

use std::process::Command;
use std::sync::Arc;

use oathgate_tests::process::run;
use oathgate_tests::sshd::id;
use otp_core::{Account, Attempt, Fingerprint, Input, Owner, decide};
use otp_store::{Change, Journal, Mark, SealingKeys, SqliteStore, Store, Transaction};

use crate::world::{Enrolled, Real, came_in, kept_out, line, socket, try_code};

#[test]
fn a_code_opens_once() {
    let world = Real::new();
    let alice = world.enrol("alice");
    let mut session = alice.client.session(None);
    session.expect("Code (alice): ");
    session.send(&format!("{}\r", alice.device.code(0)));
    session.send("echo in-$((40+2)); exit 7\r");
    session.expect("in-42");
    assert_eq!(session.wait().0, Some(7));

    kept_out(&try_code(&alice.client, &alice.device.code(0)), "already used");
    came_in(&try_code(&alice.client, &alice.device.code(1)));
    kept_out(&try_code(&alice.client, &alice.device.code(0)), "Wrong code");
    // Ahead, within what a device may have been pressed by accident.
    came_in(&try_code(&alice.client, &alice.device.code(9)));
    kept_out(&try_code(&alice.client, &alice.device.code(5)), "Wrong code");
    kept_out(&try_code(&alice.client, &alice.device.wrong_code()), "Wrong code");
}

#[test]
fn a_scratch_code_opens_once() {
    let world = Real::new();
    let alice = world.enrol("alice");
    let mut session = alice.client.session(Some("echo in"));
    session.expect("Code (alice): ");
    session.send(&format!("{}\r", alice.device.scratch(0)));
    assert!(session.expect("in\r").contains("9 scratch codes left"));
    kept_out(&try_code(&alice.client, &alice.device.scratch(0)), "already used");
    came_in(&try_code(&alice.client, &alice.device.scratch(1).replace('-', "").to_lowercase()));
}

#[test]
fn what_is_no_code_is_refused() {
    let world = Real::new();
    let alice = world.enrol("alice");
    let right = alice.device.code(0);
    let long = right.repeat(20);
    let odd = ["x", "12345", "１２３４５６", "'; DROP TABLE", "\"}", "\\u0031", long.as_str(), &"9".repeat(5000)];
    for typed in odd {
        kept_out(&try_code(&alice.client, typed), "not a code");
    }
    for typed in [format!("{right}\0"), format!("\x1b[A{right}"), format!("{right}x"), "1".repeat(3000)] {
        let mut session = alice.client.session(Some("echo in"));
        session.expect("Code (alice): ");
        session.send(&format!("{typed}\r"));
        session.expect("not a code");
        session.expect("Code (alice): ");
        session.send("\x03");
        assert_eq!(session.wait().0, Some(1));
    }
    // None of it was counted or has spent anything.
    came_in(&try_code(&alice.client, &right));
}

#[test]
fn a_key_whose_policy_is_none_comes_in_without_a_code() {
    let world = Real::new();
    let robot = world.enrol("robot");
    world.service.administrator().policy(&world.account, &robot.key.fingerprint, "none");
    came_in(&robot.client.run("echo in", None));
    assert_eq!(robot.client.session(Some("echo in")).wait(), (Some(0), "in\r\n".into()));
    world.service.administrator().policy(&world.account, &robot.key.fingerprint, "code");
    kept_out(&robot.client.run("echo in", None), "LC_OTP=123456");
    came_in(&try_code(&robot.client, &robot.device.code(0)));
}

#[test]
fn a_key_that_nobody_enrolled_stays_out() {
    let world = Real::new();
    let stranger = world.sshd.client(&world.key("stranger"));
    kept_out(&try_code(&stranger, "123456"), "nothing is enrolled for this account");
    let alice = world.enrol("alice");
    kept_out(&try_code(&stranger, &alice.device.code(0)), "No code is enrolled for this key");
    came_in(&try_code(&alice.client, &alice.device.code(0)));
}

#[test]
fn a_revoked_credential_stays_out() {
    let world = Real::new();
    let alice = world.enrol("alice");
    world.service.administrator().revoke(&alice.device);
    kept_out(&try_code(&alice.client, &alice.device.code(0)), "");
    came_in(&try_code(&alice.client, &alice.device.scratch(0)));
}

#[test]
fn five_owners_share_an_account_and_no_codes() {
    let world = Real::new();
    let people: Vec<Enrolled> = ["ann", "ben", "cho", "dee", "eve"].map(|name| world.enrol(name)).into();
    let other = |person: usize, by: usize| &people[(person + by) % people.len()].device;
    for (counter, strangers) in [(0, [1, 2]), (1, [3, 4])] {
        for (number, person) in people.iter().enumerate() {
            for by in strangers {
                kept_out(&try_code(&person.client, &other(number, by).code(counter)), "Wrong code");
            }
            came_in(&try_code(&person.client, &person.device.code(counter)));
        }
    }
    for (number, person) in people.iter().enumerate() {
        kept_out(&try_code(&person.client, &other(number, 1).scratch(0)), "Wrong code");
        came_in(&try_code(&person.client, &person.device.scratch(1)));
    }
}

#[test]
fn guessing_at_one_key_shuts_only_its_door() {
    let world = Real::new();
    let (ann, ben) = (world.enrol("ann"), world.enrol("ben"));
    for _ in 0..3 {
        kept_out(&try_code(&ann.client, &ann.device.wrong_code()), "Wrong code");
    }
    kept_out(&try_code(&ann.client, &ann.device.code(0)), "Too many tries; wait");
    came_in(&try_code(&ben.client, &ben.device.code(0)));
    // Nobody can guess a scratch code, so it is judged even now.
    came_in(&try_code(&ann.client, &ann.device.scratch(0)));
    came_in(&try_code(&ann.client, &ann.device.code(0)));
}

/// Lets time pass between a hundred wrong codes at the key of `owner`.
fn hundred_failures(world: &Real, owner: &str, key: &str) {
    let keys = Arc::new(SealingKeys::load(&world.service.keys()).unwrap());
    let store = SqliteStore::open(&world.service.store(), keys, Journal::Wal).unwrap();
    let account: Account = world.account.parse().unwrap();
    let (owner, key): (Owner, Fingerprint) = (owner.parse().unwrap(), key.parse().unwrap());
    let wrong = world_wrong_code(&store, &owner);
    let change = move |record: Option<otp_core::Record>| {
        let mut record = record.unwrap();
        for minute in 0..100 {
            let shown = otp_core::decide::Shown::Fact { service: "ssh-otp", keys: &[key] };
            let attempt = Attempt {
                account: &account,
                shown,
                input: &wrong,
                hashes: &[],
                only: None,
                limits: otp_core::Limits::Usual,
                terms: otp_core::Terms::default(),
            };
            (_, record) = decide(record, &attempt, 1_000_000 + minute * 60);
        }
        Change { record: Some(record), audit: vec![], answer: vec![] }
    };
    let mark = Mark { id: [7; 16], uid: 0, digest: [7; 32] };
    let change = Box::new(change);
    store.transact(Transaction { mark, whose: otp_store::Whose::Owner(owner), now: 1_000_000, change }).unwrap();
}

/// Six digits that are no code of the owner's for a while.
fn world_wrong_code(store: &SqliteStore, owner: &Owner) -> Input {
    let record = store.read(owner).unwrap().unwrap();
    let codes: Vec<String> = record
        .credentials
        .iter()
        .flat_map(|c| {
            (0..100).map(|counter| otp_core::otp::code(&c.secret, c.algorithm, c.digits, counter).to_string())
        })
        .collect();
    let wrong = (100_000..).map(|number: u32| number.to_string()).find(|code| !codes.contains(code));
    Input::parse(wrong.unwrap().as_bytes())
}

#[test]
fn a_hundred_failures_lock_one_door_and_no_other() {
    let mut world = Real::new();
    let people: Vec<Enrolled> = ["ann", "ben", "cho", "dee", "eve"].map(|name| world.enrol(name)).into();
    world.service.stop();
    hundred_failures(&world, "ann", &people[0].key.fingerprint);
    world.service.resume();
    kept_out(&try_code(&people[0].client, &people[0].device.code(0)), "Locked after too many tries");
    for person in &people[1..] {
        came_in(&try_code(&person.client, &person.device.code(0)));
    }
    came_in(&try_code(&people[0].client, &people[0].device.scratch(0)));
    came_in(&try_code(&people[0].client, &people[0].device.code(0)));
}

#[test]
fn while_the_verifier_is_away_nobody_comes_in_and_nothing_is_spent() {
    let mut world = Real::new();
    let alice = world.enrol("alice");
    let mut held = alice.client.session(Some("echo in"));
    held.expect("Code (alice): ");
    world.service.stop();
    held.send(&format!("{}\r", alice.device.code(0)));
    held.expect("cannot check codes right now");
    assert_eq!(held.wait().0, Some(1));
    kept_out(&try_code(&alice.client, &alice.device.code(0)), "cannot check codes right now");
    world.service.resume();
    came_in(&try_code(&alice.client, &alice.device.code(0)));
    // What was accepted before the end is remembered after it.
    world.service.stop();
    world.service.resume();
    kept_out(&try_code(&alice.client, &alice.device.code(0)), "already used");
}

/// Another uid asks at everybody's socket, where its key is only a claim.
#[test]
fn an_ordinary_account_asks_for_itself_only() {
    if !rustix::process::getuid().is_root() {
        return; // needs a second uid
    }
    let world = Real::new();
    let key = world.sshd.key("nobody");
    let enrol = oathgate_tests::oathgated::hotp("nobody", "nobody", Some(&key.fingerprint), "nobody");
    let device = world.service.administrator().enrol(enrol);
    let root = world.enrol("root");
    // The sources may lie where only root can look.
    let program = world.sshd.folder().join("ssh-otp");
    // By another process: one that this one forks meanwhile would hold the copy
    // open for writing, and nobody could start it (ETXTBSY).
    let copied = std::process::Command::new("cp").arg(oathgate_tests::built::bin("ssh-otp")).arg(&program).status();
    assert!(copied.unwrap().success());
    let attempt = |user: &str, key: &str, code: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).args(["--key", key]);
        command.arg("--socket").arg(world.service.public_socket());
        command.env_clear().env("USER", user).env("SHELL", "/bin/sh").env("HOME", "/").env("LC_OTP", code);
        run(command.env("SSH_ORIGINAL_COMMAND", "echo in"), b"")
    };
    came_in(&attempt("nobody", &key.fingerprint, &device.code(0)));
    kept_out(&attempt("nobody", &key.fingerprint, &device.code(0)), "already used");
    kept_out(&attempt("root", &root.key.fingerprint, &root.device.code(0)), "cannot check codes right now");
    came_in(&attempt("nobody", &key.fingerprint, &device.code(1)));
    came_in(&try_code(&root.client, &root.device.code(0)));
}

/// A container's command: the leader of its session is outside (pid_namespaces(7)).
#[test]
fn the_leader_of_the_session_may_be_in_another_namespace() {
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let world = Real::new();
    let enrolled = world.enrol("root");
    let attempt = |code: &str| {
        let mut command = Command::new("unshare");
        command.args(["--fork", "--pid", "--mount-proc"]).arg(oathgate_tests::built::bin("ssh-otp"));
        command.args(["--key", &enrolled.key.fingerprint, "--socket"]).arg(world.service.root_socket());
        command.env_clear().env("USER", "root").env("SHELL", "/bin/sh").env("HOME", "/").env("LC_OTP", code);
        run(command.env("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22").env("SSH_ORIGINAL_COMMAND", "echo in"), b"")
    };
    came_in(&attempt(&enrolled.device.code(0)));
    kept_out(&attempt(""), "needs a code");
    kept_out(&attempt(&enrolled.device.code(0)), "already used");
}

#[test]
fn somebody_elses_line_does_not_help() {
    let world = Real::new();
    let (alice, bob) = (world.enrol("alice"), world.enrol("bob"));
    // Bob's key with Alice's fingerprint in its line: then it is Alice's code that counts.
    let forged = world.sshd.key("forged");
    let arguments = format!("--key {} {}", alice.key.fingerprint, socket(&world.service.root_socket()));
    world.sshd.authorise(&forged, &line(&arguments));
    let client = world.sshd.client(&forged);
    kept_out(&try_code(&client, &bob.device.code(0)), "Wrong code");
    came_in(&try_code(&client, &alice.device.code(0)));
    assert_eq!(id("-un"), world.account);
}
