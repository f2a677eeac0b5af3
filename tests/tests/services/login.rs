//! login(1) on a terminal.

use crate::system::{CODE, System, answered, at_terminal};

#[test]
fn a_code_at_the_console() {
    let Some(system) = System::enter("login::a_code_at_the_console") else { return };
    system.stack("login", "auth required MODULE");
    let ann = system.enrol("ann");
    let (_, shown) = answered(
        at_terminal("root", &["login"]),
        &[
            ("login: ", "ann"),
            (CODE, &ann.wrong_code()),
            // Who does not exist is asked as well.
            ("login: ", "nobody-of-that-name"),
            (CODE, &ann.code(0)),
        ],
    );
    assert_eq!(shown.matches("Login incorrect").count(), 2, "{shown}");

    let (exit, shown) = answered(
        at_terminal("root", &["login"]),
        &[("login: ", "ann"), (CODE, &ann.code(0)), ("$ ", "echo I am $(id -un)"), ("I am ann", "exit 7")],
    );
    assert!(shown.contains("I am ann\r\n") && !shown.contains(&ann.code(0)), "{exit:?} {shown}");
    let decided = system.decided();
    assert_eq!(decided[0], ("ann".to_owned(), "login".to_owned(), true, 0));
}
