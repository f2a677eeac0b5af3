//! Other people's programs on top of such a login: each asks for a code, or
//! comes over a connection that one has opened.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use oathgate_tests::process::{Finished, run};
use oathgate_tests::transfers::{arrived, prepare, transfers};

use crate::world::{Person, World, possible};

/// What ssh starts to ask: it takes the next code, and counts.
const ASKPASS: &str = r#"#!/bin/sh
echo "$1" >> "$FOLDER/asked"
head -n 1 "$FOLDER/codes"
sed -i 1d "$FOLDER/codes"
"#;

/// Somebody who has codes at hand.
struct Answering(PathBuf);

impl Answering {
    fn new(folder: &Path, codes: impl Iterator<Item = String>) -> Self {
        fs::write(folder.join("askpass"), ASKPASS).expect("our folder");
        fs::set_permissions(folder.join("askpass"), Permissions::from_mode(0o700)).expect("our folder");
        fs::write(folder.join("codes"), codes.map(|code| code + "\n").collect::<String>()).expect("our folder");
        Self(folder.to_owned())
    }

    fn run(&self, command: &mut Command) -> Finished {
        command.env("SSH_ASKPASS", self.0.join("askpass")).env("SSH_ASKPASS_REQUIRE", "force");
        run(command.env("FOLDER", &self.0), b"")
    }

    /// How often a code was asked for since the last time.
    fn asked(&self) -> usize {
        let prompts = fs::read_to_string(self.0.join("asked")).unwrap_or_default();
        let _ = fs::remove_file(self.0.join("asked"));
        prompts.matches("Verification code: ").count()
    }
}

/// A world with something to carry, and a person with these codes at hand.
fn world(codes: u64) -> Option<(World, Person, Answering)> {
    possible().then(|| {
        let world = World::new();
        let alice = world.enrol("alice");
        prepare(&alice.client, world.sshd.folder());
        let answering = Answering::new(world.sshd.folder(), (0..codes).map(|counter| alice.device.code(counter)));
        (world, alice, answering)
    })
}

#[test]
fn each_asks_for_a_code_of_its_own() {
    let Some((world, alice, answering)) = world(8) else { return };
    let folder = world.sshd.folder();
    // sftp -b would forbid every prompt.
    for (name, mut command) in transfers(&alice.client.clone().option("BatchMode=no"), folder) {
        let done = answering.run(&mut command);
        assert!(done.status.success(), "{name}: {}", done.stderr);
        assert_eq!(answering.asked(), 1, "{name}");
    }
    assert_eq!(arrived(folder), 8);
}

#[test]
fn one_code_opens_a_connection_for_all_of_them() {
    let Some((world, alice, answering)) = world(1) else { return };
    let folder = world.sshd.folder();
    let client = alice.client.clone().option(&format!("ControlPath={}/control", folder.display()));
    let first = client.clone().option("ControlMaster=yes").option("ControlPersist=yes");
    let opened = answering.run(&mut first.ssh(&["-T"], Some("true".as_ref())));
    assert!(opened.status.success(), "{}", opened.stderr);
    assert_eq!(answering.asked(), 1);
    for (name, mut command) in transfers(&client, folder) {
        let done = answering.run(&mut command);
        assert!(done.status.success(), "{name}: {}", done.stderr);
    }
    assert_eq!((answering.asked(), arrived(folder)), (0, 8));
    run(client.ssh(&["-O", "exit"], None).arg("-q"), b"");
    let refused = answering.run(&mut client.ssh(&["-T"], Some("true".as_ref())));
    assert!(!refused.status.success(), "a new connection, and no code");
}
