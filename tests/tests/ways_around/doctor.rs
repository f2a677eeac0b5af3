//! What doctor does with what it can't see.

use std::process::Command;

use oathgate_tests::built::bin;
use oathgate_tests::process::run;
use oathgate_tests::sshd::{Settings, Sshd, id};

use crate::world::World;

#[test]
fn what_it_cannot_read_is_never_good() {
    let Some(world) = World::gated("/bin/sh", &[]) else { return };
    // A folder of root's, in the way of the person's own file.
    std::os::unix::fs::chown(world.home().join(".ssh"), Some(0), Some(0)).unwrap();
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(world.home().join(".ssh"), closed).unwrap();
    let (code, findings) = world.doctor();
    assert_eq!(code, Some(3), "{findings:#?}");
    assert!(findings.iter().any(|finding| finding["state"] == "unseen"), "{findings:#?}");
    assert!(findings.iter().all(|finding| finding["state"] != "good"), "{findings:#?}");
}

/// It reads with the person's rights: what is root's stays unread.
#[test]
fn a_link_to_what_is_roots_shows_nothing() {
    let Some(world) = World::gated("/bin/sh", &[]) else { return };
    let secret = world.folder().join("shadow");
    let keys = world.home().join(".ssh/authorized_keys2");
    std::os::unix::fs::symlink(&secret, &keys).unwrap();
    let (code, findings) = world.doctor();
    let said = format!("{findings:?}");
    assert!(code == Some(3) && said.contains("authorized_keys2: Permission denied"), "{said}");
    assert!(!said.contains("$6$"), "{said}");
}

#[test]
fn another_address_may_have_other_rules() {
    let Some(world) = World::gated("/bin/sh", &["PasswordAuthentication no"]) else { return };
    let config = world.sshd.folder().join("sshd_config");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text + "Match Address 10.0.0.0/8\n  PasswordAuthentication yes\n").unwrap();
    let says = |findings: &[serde_json::Value], text: &str| {
        findings.iter().any(|finding| finding["line"].as_str().is_some_and(|line| line.contains(text)))
    };
    let (code, findings) = world.doctor();
    assert!(code == Some(3) && says(&findings, "under Match Address 10.0.0.0/8"), "{findings:#?}");
    let (code, findings) = world.doctor_with(&["--address", "10.1.2.3"]);
    assert!(code == Some(1) && says(&findings, "password logs in"), "{findings:#?}");
    let (code, findings) = world.doctor_with(&["--address", "192.0.2.3"]);
    assert!(code == Some(0) && !says(&findings, "password"), "{findings:#?}");
}

/// Whoever runs the tests asks about their own account, at a server of their own.
#[test]
fn anybody_may_look_at_their_own_logins() {
    let sshd = Sshd::start(&Settings::default());
    let key = sshd.key("plain");
    sshd.authorise(&key, "");
    let doctor = |arguments: &[&str]| {
        let mut command = Command::new(bin("oathgate"));
        command.args(["doctor", "ssh"]).args(arguments).arg("--config").arg(sshd.folder().join("sshd_config"));
        run(&mut command, b"")
    };
    let finished = doctor(&[]);
    let place = format!("      at: {}:1\n", sshd.folder().join("authorized_keys").display());
    assert_eq!(finished.code(), Some(1), "{}", finished.stderr);
    assert!(
        finished.text().contains(&format!("BAD   {} comes in without a code\n{place}", key.fingerprint)),
        "{}",
        finished.text()
    );
    assert!(finished.text().contains("run: oathgate ssh install SHA256:"), "{}", finished.text());
    let missing = doctor(&["no-such-account-here"]);
    assert!(missing.code() == Some(1) && missing.stderr.contains("there is no account"), "{}", missing.stderr);
    let broken = doctor(&["--address", "10.0.0.0/8"]);
    assert_eq!(broken.code(), Some(2), "{}", broken.stderr);
    if id("-u") != "0" {
        let denied = doctor(&["root"]);
        assert!(denied.code() == Some(1) && denied.stderr.contains("for root to look at"), "{}", denied.stderr);
    }
}

#[test]
fn a_server_that_objects_to_its_settings_is_undecided() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("sshd_config");
    std::fs::write(&config, "NoSuchSetting yes\n").unwrap();
    let mut command = Command::new(bin("oathgate"));
    let finished = run(command.args(["doctor", "ssh", "--config"]).arg(&config), b"");
    assert_eq!((finished.code(), finished.text().as_str()), (Some(3), ""));
    assert!(finished.stderr.contains("error: ") && finished.stderr.contains("hint: "), "{}", finished.stderr);
}
