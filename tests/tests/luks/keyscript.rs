//! The keyscript and the hook of initramfs-tools, with folders laid over those
//! of the machine.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use oathgate_tests::built::bin;
use oathgate_tests::process::{Finished, run};

use luks_cryptsetup::moment;

use crate::world::{Disk, KEY, PIN, hotp, ready, shown, token, totp};

const KEYSCRIPT: &str = "/usr/libexec/oathgate/luks-keyscript";
/// When the initramfs was made, below the folder of programs.
const MADE: &str = "libexec/oathgate/initramfs-made";

/// A machine on which oathgate is installed, with somebody at its console.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    /// Whoever is asked answers with these lines, one after the other.
    fn new(answers: &[&str]) -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["libexec/oathgate", "cryptsetup", "initramfs-tools", "initramfs/cryptroot"] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pkg/initramfs-tools");
        for name in ["luks-keyscript", "hook"] {
            fs::copy(source.join(name), machine.path("libexec/oathgate").join(name)).unwrap();
        }
        fs::copy(bin("oathgate-luks"), machine.path("libexec/oathgate/oathgate-luks")).unwrap();
        fs::write(machine.path("answers"), answers.join("\n") + "\n").unwrap();
        let next = "printf '%s' \"$(head -n 1 \"$f\")\"; sed -i 1d \"$f\"";
        let script = format!("#!/bin/sh\nf={}\necho \"$1\" >&2\n{next}\n", machine.path("answers").display());
        machine.program("cryptsetup/askpass", &script);
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs a program there. A place to lay something over must exist, and is
    /// not to be made on the machine: so the folders around are made anew.
    fn run(&self, words: &[&str], environment: &[(&str, &str)]) -> Finished {
        let mut command = Command::new("bwrap");
        command.args(["--dev-bind", "/", "/", "--tmpfs", "/run"]);
        for folder in ["/etc", "/usr", "/usr/lib", "/usr/share"] {
            anew(&mut command, Path::new(folder));
        }
        for (ours, theirs) in [
            ("libexec", "/usr/libexec"),
            ("cryptsetup", "/usr/lib/cryptsetup"),
            ("initramfs-tools", "/usr/share/initramfs-tools"),
        ] {
            command.arg("--bind").arg(self.path(ours)).arg(theirs);
        }
        if self.path("crypttab").exists() {
            command.arg("--ro-bind").arg(self.path("crypttab")).arg("/etc/crypttab");
        }
        run(command.arg("--").args(words).envs(environment.iter().copied()), b"")
    }

    fn keyscript(&self, disk: &Disk, options: &str) -> Finished {
        let source = disk.path();
        let source = if options.contains("header=") { "/nonexistent" } else { source.to_str().unwrap() };
        let environment = [("CRYPTTAB_NAME", "root"), ("CRYPTTAB_SOURCE", source), ("CRYPTTAB_OPTIONS", options)];
        self.run(&[KEYSCRIPT, "none"], &environment)
    }
}

/// A folder in memory with all that is in the machine's, but what a test lays there.
fn anew(command: &mut Command, folder: &Path) {
    const LAID: [&str; 6] = ["crypttab", "lib", "libexec", "share", "cryptsetup", "initramfs-tools"];
    command.arg("--tmpfs").arg(folder);
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        match fs::read_link(&path) {
            _ if LAID.iter().any(|name| entry.file_name() == *name) => {}
            Ok(target) => drop(command.arg("--symlink").arg(target).arg(&path)),
            Err(_) => drop(command.arg("--ro-bind-try").arg(&path).arg(&path)),
        }
    }
}

#[test]
fn the_keyscript_gives_the_key_for_pin_and_code() {
    if !ready() {
        return;
    }
    let disk = Disk::with(&token(hotp(), 0));
    let right = format!("{PIN}{}", shown(0));
    let machine = Machine::new(&["wrong000000", &right]);
    let opened = machine.keyscript(&disk, "luks,initramfs");
    assert_eq!((opened.code(), opened.stdout.as_slice()), (Some(0), KEY), "{}", opened.stderr);
    assert_eq!(opened.stderr.matches("PIN and code for root: ").count(), 2);
    assert_eq!(disk.token().state.next, 1);
    // A header of its own; and what happens after five wrong answers.
    let machine = Machine::new(&[&right, "a", "b", "c", "d", "the old passphrase"]);
    let options = format!("luks,header={},initramfs", disk.path().display());
    let aside = machine.keyscript(&disk, &options);
    assert_eq!((aside.code(), aside.text().as_str()), (Some(0), "the old passphrase"), "{}", aside.stderr);
    assert_eq!(aside.stderr.matches("PIN and code for root: ").count(), 5, "{}", aside.stderr);
    assert!(aside.stderr.contains("Passphrase for root: "));
    let machine = Machine::new(&[]);
    assert_eq!(machine.run(&[KEYSCRIPT], &[("CRYPTTAB_SOURCE", "")]).code(), Some(1));
}

#[test]
fn an_initramfs_knows_when_it_was_made() {
    if !ready() {
        return;
    }
    let (step, made) = (moment().now / 30, moment().now / 30 + 100);
    let disk = Disk::with(&token(totp(), step - 10));
    let answers = [format!("{PIN}{}", shown(step)), format!("{PIN}{}{}", shown(made), shown(made + 1))];
    let machine = Machine::new(&answers.each_ref().map(String::as_str));
    fs::write(machine.path(MADE), format!("{}\n", made * 30)).unwrap();
    let opened = machine.keyscript(&disk, "luks,initramfs");
    assert_eq!((opened.code(), opened.stdout.as_slice()), (Some(0), KEY), "{}", opened.stderr);
    assert_eq!(opened.stderr.matches("clock is behind").count(), 3, "before each, and after: {}", opened.stderr);
    assert!(opened.stderr.contains("wrong by 50 minutes"), "{}", opened.stderr);
    assert_eq!(disk.token().state.next, made + 2);
}

#[test]
fn the_hook_copies_or_fails() {
    if !ready() {
        return;
    }
    let machine = Machine::new(&[]);
    let initramfs = machine.path("initramfs");
    let functions = "copy_exec() { mkdir -p \"$DESTDIR${1%/*}\"; cp \"$1\" \"$DESTDIR$1\"; }\n";
    fs::write(machine.path("initramfs-tools/hook-functions"), functions).unwrap();
    let hook = || machine.run(&["/usr/libexec/oathgate/hook"], &[("DESTDIR", initramfs.to_str().unwrap())]);
    let crypttab = |options: &str| {
        let line = format!("root UUID=1 none luks,{options}\n");
        fs::write(machine.path("crypttab"), &line).unwrap();
        fs::write(initramfs.join("cryptroot/crypttab"), &line).unwrap();
    };
    let helper = initramfs.join("usr/libexec/oathgate/oathgate-luks");
    // Nobody wants it.
    crypttab("discard");
    assert_eq!(hook().code(), Some(0));
    fs::write(machine.path("crypttab"), format!("#root UUID=1 none keyscript={KEYSCRIPT}\n")).unwrap();
    assert_eq!((hook().code(), helper.exists()), (Some(0), false));
    // It is named, and cryptsetup-initramfs did its part, or did not.
    crypttab(&format!("initramfs,keyscript={KEYSCRIPT}"));
    let refused = hook();
    assert!(refused.code() == Some(1) && refused.stderr.contains("not in the initramfs"), "{}", refused.stderr);
    for name in ["usr/libexec/oathgate/luks-keyscript", "lib/cryptsetup/askpass"] {
        fs::create_dir_all(initramfs.join(name).parent().unwrap()).unwrap();
        symlink("/bin/true", initramfs.join(name)).unwrap();
    }
    let before = moment().now;
    assert_eq!((hook().code(), helper.exists()), (Some(0), true));
    let made = fs::read_to_string(initramfs.join("usr").join(MADE)).unwrap();
    assert!((before..=moment().now).contains(&made.trim().parse().unwrap()), "{made}");
    // A piece is missing.
    fs::remove_file(machine.path("libexec/oathgate/oathgate-luks")).unwrap();
    let refused = hook();
    assert!(refused.code() == Some(1) && refused.stderr.contains("install oathgate again"), "{}", refused.stderr);
    // Its place in the order of hooks.
    assert_eq!(machine.run(&["/usr/libexec/oathgate/hook", "prereqs"], &[]).text(), "cryptroot\n");
}
