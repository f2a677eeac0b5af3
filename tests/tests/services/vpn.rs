//! A conversation that nobody holds: a server such as OpenVPN answers each
//! prompt with the one password that came over the network, without a terminal.

use std::process::Command;

use oathgate_tests::process::{Finished, run};

use crate::system::{HOST, PASSWORD, System};

/// Authenticates with `password` at every prompt, as root, far from any terminal.
fn connect(user: &str, password: &str, more: &[&str]) -> Finished {
    let mut server = Command::new("setsid");
    server.args(["--wait", HOST, "/etc/pam.d", "openvpn", user, "--rhost", "192.0.2.7"]).args(more);
    run(&mut server, format!("{password}\n").repeat(4).as_bytes())
}

#[test]
fn a_code_in_the_passwords_place() {
    let Some(system) = System::enter("vpn::a_code_in_the_passwords_place") else { return };
    system.stack("openvpn", "auth required MODULE");
    let ann = system.enrol("ann");
    let result = |password: &str, more: &[&str]| {
        let said = connect("ann", password, more).text();
        said.lines().find_map(|line| line.strip_prefix("result ").map(str::to_owned)).unwrap_or(said)
    };
    let code = ann.code(0);
    assert_eq!(result(&code, &["--deaf"]), "PAM_AUTHINFO_UNAVAIL", "a conversation that fails");
    assert_eq!(result(&format!("{PASSWORD}{code}"), &[]), "PAM_AUTH_ERR", "a password too");
    assert_eq!(result(&code, &["--silent"]), "PAM_SUCCESS", "nothing of that spent it");
    assert_eq!(result(&code, &["--silent"]), "PAM_AUTH_ERR");
    // One answer can't be both password and code where each asks for itself.
    system.stack("openvpn", "auth required MODULE\nauth required pam_unix.so nodelay");
    for password in [PASSWORD.to_owned(), ann.code(1)] {
        assert_eq!(result(&password, &[]), "PAM_AUTH_ERR");
    }
    let unknown = connect("no-such-account", &ann.code(2), &[]).text();
    assert!(unknown.contains("Hidden \"Verification code: \"") && unknown.contains("result PAM_AUTH_ERR"), "{unknown}");
}

#[test]
fn password_and_code_in_one() {
    let Some(system) = System::enter("vpn::password_and_code_in_one") else { return };
    system.stack("openvpn", "auth required MODULE forward_pass\nauth required pam_unix.so use_first_pass nodelay");
    let ann = system.enrol("ann");
    for (counter, (password, code, expected)) in [
        (PASSWORD, ann.code(0), "PAM_SUCCESS"),
        (PASSWORD, ann.code(0), "PAM_AUTH_ERR"),
        (PASSWORD, ann.scratch(0), "PAM_SUCCESS"),
        ("wrong horse", ann.code(1), "PAM_AUTH_ERR"),
        (PASSWORD, ann.wrong_code(), "PAM_AUTH_ERR"),
        (PASSWORD, String::new(), "PAM_AUTH_ERR"),
        ("", ann.code(2), "PAM_AUTH_ERR"),
    ]
    .into_iter()
    .enumerate()
    {
        let said = connect("ann", &format!("{password}{code}"), &["--silent"]).text();
        assert_eq!(said, format!("Hidden \"Password & verification code: \"\nresult {expected}\n"), "{counter}");
    }
}
