//! Homes that were laid out to make root do something else.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::process::Command;

use crate::world::{ANN, World};

type Trap = (&'static str, fn(&World));

fn elsewhere(world: &World) -> std::path::PathBuf {
    world.sshd.folder().join("roots")
}

/// What a person can do with her own home, and what is said to it.
const TRAPS: [Trap; 8] = [
    ("symbolic link", |world| {
        fs::rename(world.home.join(".ssh"), world.home.join("ssh")).unwrap();
        symlink("ssh", world.home.join(".ssh")).unwrap();
    }),
    ("symbolic link", |world| {
        fs::rename(world.file(), elsewhere(world)).unwrap();
        symlink(elsewhere(world), world.file()).unwrap();
    }),
    ("second name", |world| fs::hard_link(world.file(), world.home.join("second")).unwrap()),
    ("is not a file", |world| {
        fs::remove_file(world.file()).unwrap();
        assert!(Command::new("mkfifo").arg(world.file()).status().unwrap().success());
        chown(world.file(), Some(ANN), Some(ANN)).unwrap();
    }),
    ("is not a file", |world| {
        fs::remove_file(world.file()).unwrap();
        fs::create_dir(world.file()).unwrap();
    }),
    ("written by others", |world| fs::set_permissions(world.file(), Permissions::from_mode(0o620)).unwrap()),
    ("written by others", |world| {
        fs::set_permissions(world.home.join(".ssh"), Permissions::from_mode(0o770)).unwrap();
    }),
    ("belongs to somebody else", |world| chown(world.file(), Some(0), Some(0)).unwrap()),
];

#[test]
fn traps_are_named_and_change_nothing() {
    for (why, lay) in TRAPS {
        let Some(world) = World::new() else { return };
        let real = fs::read(world.file()).unwrap();
        fs::set_permissions(world.file(), Permissions::from_mode(0o604)).unwrap();
        lay(&world);
        let words = ["ssh", "install", &world.key.fingerprint, "--account", "ann", "--yes", "--no-trial"];
        let refused = world.oathgate(&words);
        assert_eq!(refused.code(), Some(1), "{why}: {}{}", refused.text(), refused.stderr);
        assert!(refused.stderr.contains(why), "{why}: {}", refused.stderr);
        if elsewhere(&world).exists() {
            assert_eq!(fs::read(elsewhere(&world)).unwrap(), real);
        }
        let copies = fs::read_dir(world.home.join(".ssh")).unwrap();
        assert_eq!(copies.count(), 1, "{why}: nothing is left behind");
    }
}

#[test]
fn a_file_that_root_may_read_and_the_person_may_not_is_not_shown() {
    let Some(world) = World::new() else { return };
    let secret = world.sshd.folder().join("secret");
    fs::write(&secret, format!("{} hidden\n", world.key.public)).unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    fs::remove_dir_all(world.home.join(".ssh")).unwrap();
    let inner = world.home.join("link");
    symlink(world.sshd.folder(), &inner).unwrap();
    let file = inner.join("secret");
    let words =
        ["ssh", "remove", &world.key.fingerprint, "--account", "ann", "--file", file.to_str().unwrap(), "--dry-run"];
    let refused = world.oathgate(&words);
    assert_eq!(refused.code(), Some(1));
    assert!(!refused.text().contains("hidden") && !refused.stderr.contains("hidden"), "{}", refused.stderr);
}

#[test]
fn a_file_that_is_swapped_while_the_code_is_typed_is_left_alone() {
    let Some(world) = World::new() else { return };
    let device = world.enrol(&world.key);
    let words = format!("--user-store ssh install {}", world.key.fingerprint);
    let mut session = world.client(&world.key).session(Some(&world.typed(&words)));
    session.expect("A code for ann@laptop");
    fs::rename(world.file(), world.home.join(".ssh/before")).unwrap();
    world.write("# another\n");
    session.send(&format!("{}\r", device.code(0)));
    session.expect("changed in the meantime");
    assert_eq!(session.wait().0, Some(1));
    assert_eq!(world.text(), "# another\n");
    assert_eq!(world.names(), ["authorized_keys", "before"]);
}

#[test]
fn the_child_has_the_persons_groups_and_nothing_of_roots() {
    let Some(world) = World::new() else { return };
    let report = world.home.join("report");
    let script = world.home.join("shell");
    // Stands in for a login shell: whatever root left would be in its hands.
    let text = "#!/bin/sh\nexec >REPORT\nls /proc/$$/fd\nid -G\ncat /proc/$$/stat\n";
    fs::write(&script, text.replace("REPORT", report.to_str().unwrap())).unwrap();
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    let change = format!("s|^ann:.*|ann:*:42042:42042::{}:{}|", world.home.display(), script.display());
    assert!(world.root("sed".as_ref(), &["-i", &change, "/etc/passwd"]).status.success());
    let words = ["ssh", "install", &world.key.fingerprint, "--account", "ann", "--yes"];
    let program = world.oathgate_path();
    let roots = [&["-c", "exec 7</etc/shadow \"$@\"", "sh", program.to_str().unwrap()], &words[..]].concat();
    let refused = world.root("sh".as_ref(), &roots);
    assert!(refused.stderr.contains("would fail"), "{}", refused.stderr);
    let seen = fs::read_to_string(&report).unwrap();
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[lines.len() - 2], "42042 42043", "{seen}");
    assert!(lines.contains(&"2") && !lines.contains(&"7"), "no descriptor of root's: {seen}");
    let terminal = lines[lines.len() - 1].rsplit(") ").next().unwrap().split(' ').nth(4);
    assert_eq!(terminal, Some("0"), "no controlling terminal: {seen}");
}
