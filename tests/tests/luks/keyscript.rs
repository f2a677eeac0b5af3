//! The keyscript and the hook of initramfs-tools.

use std::fs;
use std::os::unix::fs::symlink;

use oathgate_tests::process::Finished;

use luks_cryptsetup::moment;

use crate::machine::Machine;
use crate::world::{Disk, KEY, PIN, hotp, ready, shown, token, totp};

const KEYSCRIPT: &str = "/usr/libexec/oathgate/luks-keyscript";
/// When the initramfs was made, below the folder of programs.
const MADE: &str = "libexec/oathgate/initramfs-made";

fn keyscript(machine: &Machine, disk: &Disk, options: &str) -> Finished {
    let source = disk.path();
    let source = if options.contains("header=") { "/nonexistent" } else { source.to_str().unwrap() };
    let environment = [("CRYPTTAB_NAME", "root"), ("CRYPTTAB_SOURCE", source), ("CRYPTTAB_OPTIONS", options)];
    machine.run(&[KEYSCRIPT, "none"], &environment)
}

#[test]
fn the_keyscript_gives_the_key_for_pin_and_code() {
    if !ready() {
        return;
    }
    let disk = Disk::with(&token(hotp(), 0));
    let right = format!("{PIN}{}", shown(0));
    let machine = Machine::new(&["wrong000000", &right]);
    let opened = keyscript(&machine, &disk, "luks,initramfs");
    assert_eq!((opened.code(), opened.stdout.as_slice()), (Some(0), KEY), "{}", opened.stderr);
    assert_eq!(opened.stderr.matches("PIN and code for root: ").count(), 2);
    assert_eq!(disk.token().state.next, 1);
    // A header of its own; and what happens after five wrong answers.
    let machine = Machine::new(&[&right, "a", "b", "c", "d", "the old passphrase"]);
    let options = format!("luks,header={},initramfs", disk.path().display());
    let aside = keyscript(&machine, &disk, &options);
    assert_eq!((aside.code(), aside.text().as_str()), (Some(0), "the old passphrase"), "{}", aside.stderr);
    assert_eq!(aside.stderr.matches("PIN and code for root: ").count(), 5, "{}", aside.stderr);
    assert!(aside.stderr.contains("Passphrase for root: "));
    let machine = Machine::new(&[]);
    assert_eq!(machine.run(&[KEYSCRIPT], &[("CRYPTTAB_SOURCE", "")]).code(), Some(1));
}

#[test]
fn a_header_that_is_read_only_leads_to_the_passphrase() {
    if !ready() {
        return;
    }
    let disk = Disk::with(&token(hotp(), 0));
    let path = disk.path().display().to_string();
    let before = fs::read(&path).unwrap();
    for answer in ["wrong000000".to_owned(), format!("{PIN}{}", shown(0))] {
        let machine = Machine::new(&[&answer, "the old passphrase"]);
        let environment = [("CRYPTTAB_NAME", "root"), ("CRYPTTAB_SOURCE", &*path), ("CRYPTTAB_OPTIONS", "luks")];
        let aside = machine.run_with(&["--ro-bind", &path, &path], &[KEYSCRIPT, "none"], &environment);
        assert_eq!((aside.code(), aside.text().as_str()), (Some(0), "the old passphrase"), "{}", aside.stderr);
        assert_eq!(aside.stderr.matches("PIN and code for root: ").count(), 1, "{}", aside.stderr);
        assert!(aside.stderr.contains("header can't be written"), "{}", aside.stderr);
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn only_another_answer_is_asked_for_again() {
    if !ready() {
        return;
    }
    let disk = Disk::bare();
    for (status, asked) in [(1, 2), (2, 1), (3, 1), (4, 1), (101, 1), (137, 1)] {
        let machine = Machine::new(&["first", "second", "the old passphrase"]);
        let key = format!("typed=$(cat); [ \"$typed\" = second ] && exit 3; exit {status}");
        let helper = format!("#!/bin/sh\n[ \"$1\" = --ready ] && exit 0\n{key}\n");
        machine.program("libexec/oathgate/oathgate-luks", &helper);
        let aside = keyscript(&machine, &disk, "luks");
        let last = if asked == 2 { "the old passphrase" } else { "second" };
        assert_eq!((aside.code(), aside.text().as_str()), (Some(0), last), "{status}: {}", aside.stderr);
        assert_eq!(aside.stderr.matches("PIN and code for root: ").count(), asked, "{status}");
    }
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
    let opened = keyscript(&machine, &disk, "luks,initramfs");
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
