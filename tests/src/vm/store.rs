//! An encrypted disk whose key the verifier keeps: by hand, by cryptsetup's
//! plugin, and at boot by the key service.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use crate::asked::Asked;
use crate::disks::{DISK, PASSPHRASE, UNIT, code, format, good, opened, refused};
use crate::scenario::Next;
use crate::system::{install, must, property, run, step, write};

/// The URI of the disk's credential, for later boots.
const URI: &str = "/var/lib/vm.uri";
const VERIFIER: [&str; 3] = ["oathgated.service", "oathgated-root.socket", "oathgated.socket"];

/// Enrols a disk and does what is said then; then boots with the verifier, and
/// without it.
pub fn run_boot(boot: u32) -> Next {
    match boot {
        1 => first(),
        2 => second(),
        _ => third(),
    }
}

fn first() -> Next {
    step("the verifier, and a disk whose key it keeps");
    install();
    format();
    let enrol = ["oathgate", "luks", "enrol", DISK, "--gate=store", "--hotp", "--key-file=/root/key"];
    let said = must(&[&enrol[..], &["--no-confirm", "--write-crypttab=data"]].concat());
    let uri = said.split_whitespace().find(|word| word.starts_with("otpauth:")).expect("a URI");
    write(URI, uri);

    step("what enrolment says comes next");
    let commands = next(&said);
    let [test, open, enable, reload] = ["--test", " data", "enable", "daemon-reload"].map(|part| {
        let found = commands.iter().find(|words| words.contains(part)).unwrap_or_else(|| panic!("no {part}: {said}"));
        found.split(' ').collect::<Vec<_>>()
    });
    good(&typed(&test, 0));
    must(&enable);
    must(&reload);
    good(&typed(&open, 1));
    must(&["mkfs.ext4", "-q", "/dev/mapper/data"]);
    must(&["mount", "/dev/mapper/data", "/mnt"]);
    write("/mnt/file", "kept");
    must(&["umount", "/mnt"]);
    must(&["oathgate", "luks", "close", "data"]);

    step("cryptsetup, by its token");
    let token_only = ["cryptsetup", "open", "--token-only", DISK, "data"];
    refused(&run(&token_only, &shown(1)), "already used");
    good(&run(&token_only, &shown(2)));
    readable();
    must(&["cryptsetup", "close", "data"]);
    Next::Reboot
}

/// The commands that were named, with the name of the disk.
fn next(said: &str) -> Vec<String> {
    let commands = said.lines().filter_map(|line| line.strip_prefix("  ").or(line.strip_prefix("For systemd: ")));
    commands.filter_map(|line| line.split("      ").next()).map(|command| command.replace("NAME", "data")).collect()
}

/// A command of oathgate's that is told what the device shows.
fn typed(words: &[&str], counter: u64) -> oathgate_tests::process::Finished {
    run(&[words, &["--stdin"]].concat(), &shown(counter))
}

fn second() -> Next {
    step("asked at boot, and the machine is up");
    up();
    let mut asked = Asked::default();
    assert!(asked.reply(&shown(2)).contains("Code for data"));
    assert!(asked.reply("000000").contains("already used"));
    for _ in 2..5 {
        assert!(asked.reply("000000").contains("Wrong code"));
    }
    step("after five wrong codes, the passphrase");
    // crypttab's three tries, of which the key service was the first.
    for _ in 0..2 {
        assert!(asked.reply("no passphrase").contains("passphrase"));
    }
    failed();
    assert!(!Path::new("/dev/mapper/data").exists());
    said("5 codes were refused");
    let crypttab = fs::read_to_string("/etc/crypttab").expect("written");
    let uuid = crypttab.split_whitespace().find_map(|word| word.strip_prefix("UUID=")).expect("a UUID");
    must(&["oathgate", "unlock", &format!("disk:{uuid}")]);
    Next::Reboot
}

fn third() -> Next {
    step("a code opens it");
    up();
    let mut asked = Asked::default();
    asked.reply(&shown(3));
    opened();
    readable();
    must(&["systemctl", "stop", UNIT]);

    step("without the verifier, the passphrase");
    must(&[&["systemctl", "stop"][..], &VERIFIER].concat());
    must(&["systemctl", "start", "--no-block", UNIT]);
    assert!(asked.reply(PASSPHRASE).contains("passphrase"));
    opened();
    said("put nofail");
    must(&["systemctl", "stop", UNIT]);
    Next::Done
}

/// What the device shows.
fn shown(counter: u64) -> String {
    code(&fs::read_to_string(URI).expect("written at the first boot"), counter)
}

/// Whether the machine came up while nobody had answered yet.
fn up() {
    assert_eq!(property("sysinit.target", "ActiveState"), "active");
    must(&["systemctl", "start", "systemd-user-sessions.service", "oathgated.service"]);
}

/// Waits until systemd has given up. A start that comes late would ask anew, so
/// it is read in the journal.
fn failed() {
    let follow = format!("journalctl --boot --follow --lines=all --unit={UNIT} 2>/dev/null");
    must(&["bash", "-c", &format!("grep --max-count=1 'Failed with result' <({follow})")]);
}

fn readable() {
    must(&["mount", "/dev/mapper/data", "/mnt"]);
    assert_eq!(fs::read_to_string("/mnt/file").expect("there"), "kept");
    must(&["umount", "/mnt"]);
}

/// Whether the key service has said so.
fn said(what: &str) {
    let journal = must(&["journalctl", "--boot", "--output=cat", "--identifier=oathgate-disk-key"]);
    assert!(journal.contains(what), "{journal}");
}
