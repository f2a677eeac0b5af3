//! su(1): the code of whom one becomes.

use crate::system::{CODE, System, answered, at_terminal};

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
