//! sshd asks which keys are enrolled, in the place of authorized_keys.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use oathgate_tests::built::bin;
use oathgate_tests::oathgated::{Oathgated, hotp};
use oathgate_tests::process::run;
use oathgate_tests::sshd::{Settings, Sshd, id};

use crate::world::{came_in, kept_out, try_code};

/// A user that every system has, and that is nobody's.
const READER: &str = "nobody";

#[test]
fn enrolled_keys_have_their_line_and_others_have_none() {
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    // sshd runs only what nobody but root can have put there.
    let folder = tempfile::Builder::new().prefix("oathgate-keys-").tempdir_in("/run").unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    for program in ["oathgate-keys", "ssh-otp"] {
        assert!(run(std::process::Command::new("cp").arg(bin(program)).arg(folder.path()), b"").status.success());
    }
    let mut service = Oathgated::start();
    service.stop();
    fs::write(service.folder().join("oathgate.toml"), format!("keys_reader = \"{READER}\"\n")).unwrap();
    service.resume();
    let command = format!(
        "AuthorizedKeysCommand {} --socket {} --ssh-otp {} %u %t %k",
        folder.path().join("oathgate-keys").display(),
        service.public_socket().display(),
        folder.path().join("ssh-otp").display(),
    );
    let first = vec![command, format!("AuthorizedKeysCommandUser {READER}")];
    let sshd = Sshd::start(&Settings { first, ..Settings::default() });
    let (alice, stranger) = (sshd.key("alice"), sshd.key("stranger"));
    let account = id("-un");
    let device = service.administrator().enrol(hotp(&account, "alice", Some(&alice.fingerprint), "alice"));

    kept_out(&sshd.client(&alice).run("echo in", None), "LC_OTP=123456");
    came_in(&try_code(&sshd.client(&alice), &device.code(0)));
    let refused = try_code(&sshd.client(&stranger), &device.code(1));
    assert_eq!(refused.code(), Some(255), "sshd knows no such key: {}", refused.stderr);

    // Nobody else learns which keys are enrolled.
    service.stop();
    fs::write(service.folder().join("oathgate.toml"), "keys_reader = \"daemon\"\n").unwrap();
    service.resume();
    let refused = try_code(&sshd.client(&alice), &device.code(1));
    assert_eq!(refused.code(), Some(255), "{}", refused.stderr);
}
