//! A password and a code in one stack, in either order.

use crate::system::{CODE, PASSWORD, System, answered, at_terminal};

const ASK_PASSWORD: &str = "Password: ";
const UNIX: &str = "auth required pam_unix.so nodelay";
const OURS: &str = "auth required MODULE";

/// Becomes bob with these answers; whether that worked, and what was shown.
fn become_bob(answers: &[(&str, &str)]) -> (bool, String) {
    let (exit, shown) = answered(at_terminal("ann", &["su", "bob", "-s", "/bin/sh", "-cid -un"]), answers);
    assert_eq!(exit == Some(0), shown.contains("bob\r\n"), "{exit:?} {shown}");
    (exit == Some(0), shown)
}

/// Nobody who fails learns which of the two was wrong.
fn both_are_needed(test: &str, lines: [&str; 2], first_is_password: bool) {
    let Some(system) = System::enter(&format!("passwords::{test}")) else { return };
    system.stack("su", &lines.join("\n"));
    let bob = system.enrol("bob");
    let mut counter = 0;
    let mut attempt = |password: &str, code_is_right: bool| {
        let code = if code_is_right { bob.code(counter) } else { bob.wrong_code() };
        counter += u64::from(code_is_right);
        let mut answers = [(ASK_PASSWORD, password), (CODE, code.as_str())];
        if !first_is_password {
            answers.reverse();
        }
        become_bob(&answers)
    };
    let (came_in, shown) = attempt(PASSWORD, true);
    assert!(came_in, "{shown}");
    let wrong = [attempt("wrong horse", true), attempt(PASSWORD, false), attempt("wrong horse", false)];
    for (came_in, shown) in &wrong {
        assert!(!came_in, "{shown}");
        assert_eq!(shown, &wrong[0].1, "the same is told, whatever was wrong");
    }
}

#[test]
fn the_password_first() {
    both_are_needed("the_password_first", [UNIX, OURS], true);
}

#[test]
fn the_code_first() {
    both_are_needed("the_code_first", [OURS, UNIX], false);
}
