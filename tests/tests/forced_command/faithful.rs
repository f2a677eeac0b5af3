//! What runs behind the gate where no sshd stands in front; the suite
//! `transparent` compares it with a plain key.

use std::process::Command;

use oathgate_tests::built::bin;
use oathgate_tests::process::{Finished, run};
use oathgate_tests::sshd::id;

use crate::world::{Scripted, no_code, socket};

/// What one can tell apart from outside.
fn seen(finished: &Finished) -> (Option<i32>, String, String) {
    (finished.code(), finished.text(), finished.stderr.clone())
}

#[test]
fn an_empty_command_is_not_a_login_shell() {
    // OpenSSH's own client can't send one, others can.
    let world = Scripted::new(no_code);
    let mut command = world.client().bare(bin("ssh-otp").to_str().unwrap());
    command.args(["--key", &world.key.fingerprint]);
    command.args(socket(world.verifier.path()).split_whitespace());
    command.env("USER", id("-un")).env("SHELL", "/bin/sh");
    let empty = run(command.env("SSH_ORIGINAL_COMMAND", ""), b"echo a login shell reads this\n");
    assert_eq!(seen(&empty), (Some(0), String::new(), String::new()));
    let shell = run(command.env_remove("SSH_ORIGINAL_COMMAND"), b"echo \"$0\"\n");
    assert_eq!(seen(&shell), (Some(0), "-sh\n".into(), String::new()));
}

#[test]
fn help_and_version() {
    let program = bin("ssh-otp");
    let help = run(Command::new(&program).arg("--help"), b"");
    assert_eq!(help.code(), Some(0));
    for option in ["--key", "--user-store", "--socket", "--help", "--version", "LC_OTP", "restrict,pty,command="] {
        assert!(help.text().contains(option), "{option}");
    }
    assert!(run(Command::new(&program).arg("--version"), b"").text().starts_with("ssh-otp 0."));
}
