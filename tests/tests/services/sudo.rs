//! sudo(8): the caller's code, once in a while.

use oathgate_tests::process::run;

use crate::system::{CODE, System, answered, at_terminal, has, of};

const SUDOERS: &str = "ann ALL=(ALL) ALL\nDefaults lecture=never\n";

/// A system where ann may everything.
fn system(test: &str, more: &str) -> Option<System> {
    let system = has("/usr/bin/sudo", "sudo").then(|| System::enter(&format!("sudo::{test}"))).flatten()?;
    system.stack("sudo", "auth required MODULE");
    system.write_private("sudoers", &format!("{SUDOERS}{more}"));
    Some(system)
}

#[test]
fn one_code_serves_for_a_while() {
    let Some(system) = system("one_code_serves_for_a_while", "") else { return };
    let (ann, bob) = (system.enrol("ann"), system.enrol("bob"));
    // On one terminal: a code, none, and one again after sudo has forgotten.
    let twice = "sudo id -un; sudo -u bob id -un; sudo -k; sudo id -u";
    let (exit, shown) =
        answered(at_terminal("ann", &["sh", "-c", twice]), &[(CODE, &ann.code(0)), (CODE, &ann.code(1))]);
    assert_eq!(exit, Some(0), "{shown}");
    let lines: Vec<&str> = shown.lines().map(|line| line.rsplit(CODE).next().unwrap_or_default().trim()).collect();
    assert_eq!(lines, ["", "root", "bob", "", "0"], "{shown}");
    assert_eq!(shown.matches(CODE).count(), 2, "{shown}");
    // Another terminal is another matter, and the target's code is no good.
    let (exit, shown) = answered(
        at_terminal("ann", &["sudo", "-u", "bob", "id", "-un"]),
        &[(CODE, &bob.code(0)), (CODE, &ann.code(2))],
    );
    assert_eq!((exit, shown.contains("Sorry, try again.")), (Some(0), true), "{shown}");
    let decided = system.decided();
    assert!(decided.iter().all(|(account, service, _, peer)| account == "ann" && service == "sudo" && *peer == 0));
    assert_eq!(decided.iter().map(|row| row.2).collect::<Vec<_>>(), [true, false, true, true]);
}

#[test]
fn with_targetpw_the_code_is_the_targets() {
    let Some(system) = system("with_targetpw_the_code_is_the_targets", "Defaults targetpw\n") else { return };
    let (ann, bob) = (system.enrol("ann"), system.enrol("bob"));
    let (exit, shown) = answered(
        at_terminal("ann", &["sudo", "-u", "bob", "id", "-un"]),
        &[(CODE, &ann.code(0)), (CODE, &bob.code(0))],
    );
    assert_eq!((exit, shown.contains("bob\r\n")), (Some(0), true), "{shown}");
    assert!(system.decided().iter().all(|(account, ..)| account == "bob"));
}

#[test]
fn who_cannot_be_asked_is_refused() {
    let Some(system) = system("who_cannot_be_asked_is_refused", "") else { return };
    let ann = system.enrol("ann");
    let mut silent = of("ann", &["sudo", "-n", "id", "-un"]);
    let refused = run(&mut silent, b"");
    assert_eq!((refused.code(), refused.text().as_str()), (Some(1), ""), "{}", refused.stderr);
    assert_eq!(system.decided().len(), 0, "nothing was judged");
    let by_input = run(&mut of("ann", &["sudo", "-S", "id", "-un"]), format!("{}\n", ann.code(0)).as_bytes());
    assert_eq!((by_input.code(), by_input.text().as_str()), (Some(0), "root\n"), "{}", by_input.stderr);
    // Without the verifier there is no way in, and no second question.
    let mut system = system;
    system.service.stop();
    let (exit, shown) = answered(at_terminal("ann", &["sudo", "id", "-un"]), &[]);
    assert_eq!((exit, shown.contains(CODE)), (Some(1), false), "{shown}");
}
