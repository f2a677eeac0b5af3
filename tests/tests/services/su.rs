//! su(1): the code of whom one becomes.

use oathgate_tests::process::run;

use crate::system::{CODE, System, answered, at_terminal, of};

const BECOME_BOB: [&str; 5] = ["su", "bob", "-s", "/bin/sh", "-cid -un"];

#[test]
fn the_code_is_the_targets() {
    let Some(system) = System::enter("su::the_code_is_the_targets") else { return };
    system.stack("su", "auth required MODULE");
    let (ann, bob) = (system.enrol("ann"), system.enrol("bob"));
    let become_bob = |code: &str| answered(at_terminal("ann", &BECOME_BOB), &[(CODE, code)]);

    let (exit, shown) = become_bob(&ann.code(0));
    assert_eq!(exit, Some(1), "the caller's own code: {shown}");
    let code = bob.code(0);
    let (exit, shown) = become_bob(&code);
    assert_eq!((exit, shown.contains("bob\r\n"), shown.contains(&code)), (Some(0), true, false), "{shown}");
    assert_ne!(become_bob(&code).0, Some(0), "the same code again");
    let decided = system.decided();
    assert_eq!(decided.len(), 3);
    assert!(decided.iter().all(|(account, service, _, peer)| account == "bob" && service == "su" && *peer == 0));

    // As Debian has it: root needs nothing.
    system.stack("su", "auth sufficient pam_rootok.so\nauth required MODULE");
    let (exit, shown) = answered(at_terminal("root", &BECOME_BOB), &[]);
    assert_eq!((exit, shown.as_str()), (Some(0), "bob\r\n"));
}

/// su runs as root with what its caller leaves it: limits, signals,
/// descriptors, variables.
#[test]
fn a_hostile_caller_gets_nowhere() {
    let Some(system) = System::enter("su::a_hostile_caller_gets_nowhere") else { return };
    system.stack("su", "auth required MODULE nullok\nauth required pam_permit.so");
    let bob = system.enrol("bob");
    let code = bob.code(0);
    let variables = [
        "env".to_owned(),
        format!("LC_OTP={code}"),
        "SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAA".to_owned(),
        "OATHGATE_SOCKET=/tmp/socket".to_owned(),
        "LD_PRELOAD=/run/pam_host".to_owned(),
    ];
    let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
    let wrappers: [&[&str]; 11] = [
        &variables,
        &["prlimit", "--nofile=4"],
        &["prlimit", "--nofile=6"],
        &["prlimit", "--nofile=8"],
        &["prlimit", "--fsize=0"],
        &["prlimit", "--as=16000000"],
        &["prlimit", "--stack=65536"],
        &["prlimit", "--nproc=0"],
        &["env", "--block-signal", "--ignore-signal"],
        &["sh", "-c", "umask 777; exec \"$@\"", "sh"],
        &["sh", "-c", "exec \"$@\" 2>&-", "sh"],
    ];
    for wrapper in wrappers {
        let finished = run(&mut of("ann", &[wrapper, &BECOME_BOB].concat()), b"\n");
        assert_ne!(finished.code(), Some(0), "{wrapper:?}");
        assert_eq!(finished.text(), "", "{wrapper:?}");
    }
    // Nothing of that has spent the code, and what is merely odd is no obstacle.
    for (counter, wrapper) in [wrappers[0], wrappers[8], wrappers[9]].into_iter().enumerate() {
        let line = format!("{}\n", bob.code(counter as u64));
        let finished = run(&mut of("ann", &[wrapper, &BECOME_BOB].concat()), line.as_bytes());
        assert_eq!(finished.text(), "bob\n", "{wrapper:?} {}", finished.stderr);
    }
}
