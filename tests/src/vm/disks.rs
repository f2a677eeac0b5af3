//! An encrypted disk with a code: cryptsetup, `oathgate luks`, systemd at boot.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use oathgate_tests::process::Finished;
use otp_core::uri::KeyUri;
use otp_core::{Algorithm, Digits, otp};

use crate::asked::Asked;
use crate::scenario::Next;
use crate::system::{must, property, run, step, write};

/// The disk.
pub const DISK: &str = "/dev/disk/by-id/virtio-data";
const PIN: &str = "a pin of this disk";
/// Opens every disk; `image.sh` knows it, too.
pub const PASSPHRASE: &str = "the old passphrase";
/// What was enrolled, for later boots.
pub const KEPT: &str = "/var/lib/vm.enrolled";
/// What opens it at boot.
pub const UNIT: &str = "systemd-cryptsetup@data.service";

/// Enrols a disk; opens it in every way that there is.
pub fn run_boot(boot: u32) -> Next {
    match boot {
        1 => first(),
        _ => second(),
    }
}

fn first() -> Next {
    enrol(&["--write-crypttab=data"]);
    assert!(fs::read_to_string("/etc/crypttab").expect("written").contains("luks,nofail"));

    step("cryptsetup, by its token");
    let token_only = ["cryptsetup", "open", "--token-only", DISK, "data"];
    good(&run(&token_only, &answer([0])));
    must(&["mkfs.ext4", "-q", "/dev/mapper/data"]);
    must(&["mount", "/dev/mapper/data", "/mnt"]);
    write("/mnt/file", "kept");
    must(&["umount", "/mnt"]);
    must(&["oathgate", "luks", "close", "data"]);
    refused(&run(&token_only, &answer([0])), "already used");

    step("oathgate luks open");
    let open = ["oathgate", "luks", "open", DISK, "data", "--stdin", "--allow-discards", "--perf-no_read_workqueue"];
    good(&run(&open, &answer([1])));
    let table = must(&["dmsetup", "table", "--showkeys", "data"]);
    assert!(table.contains(":logon:cryptsetup:"), "the key is in the keyring, not in the table: {table}");
    assert!(table.contains("allow_discards") && table.contains("no_read_workqueue"), "{table}");
    assert!(must(&["oathgate", "luks", "list"]).contains("data"));

    step("suspended, and on");
    must(&["mount", "/dev/mapper/data", "/mnt"]);
    must(&["oathgate", "luks", "suspend", "data"]);
    assert!(must(&["dmsetup", "info", "data"]).contains("SUSPENDED"));
    refused(&run(&["oathgate", "luks", "resume", "data", "--stdin"], &answer([1])), "already used");
    good(&run(&["oathgate", "luks", "resume", "data", "--stdin"], &answer([2])));
    assert_eq!(fs::read_to_string("/mnt/file").expect("it goes on"), "kept");
    refused(&run(&["oathgate", "luks", "close", "data"], ""), "still mounted");
    must(&["umount", "/mnt"]);
    must(&["oathgate", "luks", "close", "data"]);
    good(&run(&[&open[..5], &["--stdin", "--readonly"]].concat(), &answer([3])));
    assert!(must(&["dmsetup", "info", "data"]).contains("READ-ONLY"));
    must(&["oathgate", "luks", "close", "data"]);
    Next::Reboot
}

fn second() -> Next {
    step("systemd asks at boot, and the machine is up without the disk");
    let mut asked = Asked::default();
    asked.reply(&answer([3]));
    step("a code of before the reboot is refused, a new one opens");
    asked.reply(&answer([4]));
    opened();
    must(&["mount", "/dev/mapper/data", "/mnt"]);
    assert_eq!(fs::read_to_string("/mnt/file").expect("there"), "kept");
    must(&["umount", "/mnt"]);
    must(&["systemctl", "stop", UNIT]);

    step("oathgate luks open asks through systemd where there is no terminal");
    let open = || run(&["setsid", "--wait", "oathgate", "luks", "open", DISK, "--test"], "");
    let opening = std::thread::spawn(open);
    asked.reply(&answer([4]));
    asked.reply(&answer([5]));
    good(&opening.join().expect("it ends"));
    assert!(must(&["oathgate", "doctor", "luks"]).contains("the plugin is where cryptsetup looks"));

    step("after five wrong answers systemd asks for a passphrase");
    must(&["systemctl", "start", "--no-block", UNIT]);
    for count in 0..5 {
        asked.reply(&format!("wrong, {count}"));
    }
    asked.reply(PASSPHRASE);
    opened();
    must(&["systemctl", "stop", UNIT]);
    Next::Done
}

/// Makes a disk with a passphrase, and with a code.
pub fn enrol(more: &[&str]) {
    step("a disk with a passphrase, and a code");
    format();
    write(KEPT, &enrolled(&["oathgate", "luks", "enrol", DISK, "--hotp"], more));
}

/// Makes the disk, with a passphrase that is in `/root/key`, too.
pub fn format() {
    write("/root/key", PASSPHRASE);
    let format = ["cryptsetup", "luksFormat", "--type=luks2", "-q", "--pbkdf=pbkdf2"];
    must(&[&format[..], &["--pbkdf-force-iterations=1000", DISK, "/root/key"]].concat());
}

/// Enrols a disk whose passphrase is in `/root/key`; what was said about it.
pub fn enrolled(words: &[&str], more: &[&str]) -> String {
    let usual = ["--gate=header", "--stdin", "--json", "--key-file=/root/key"];
    let cost = ["--pbkdf-memory=65536", "--pbkdf-force-iterations=3"];
    let enrolled = run(&[words, &usual, &cost, more].concat(), &format!("{PIN}\n"));
    assert!(enrolled.status.success(), "{}", enrolled.stderr);
    enrolled.text()
}

/// PIN and the device's code, or several in a row.
pub fn answer(counters: impl IntoIterator<Item = u64>) -> String {
    let kept = fs::read(KEPT).expect("written at the first boot");
    let json: serde_json::Value = serde_json::from_slice(&kept).expect("JSON");
    let uri = json["uri"].as_str().expect("a URI");
    counters.into_iter().fold(PIN.to_owned(), |answer, counter| answer + &code(uri, counter))
}

/// What the device with this URI shows.
pub fn code(uri: &str, counter: u64) -> String {
    let uri = KeyUri::parse(uri).expect("a URI");
    otp::code(&uri.secret, Algorithm::Sha1, Digits::SIX, counter).to_string()
}

/// What must succeed.
pub fn good(finished: &Finished) {
    assert!(finished.status.success(), "{}{}", finished.text(), finished.stderr);
}

/// What must fail, and say this.
pub fn refused(finished: &Finished, why: &str) {
    let said = finished.text() + &finished.stderr;
    assert!(!finished.status.success() && said.contains(why), "{said}");
}

/// Waits until systemd has opened the disk.
pub fn opened() {
    // A start that is under way is waited for.
    must(&["systemctl", "start", UNIT]);
    assert_eq!(property(UNIT, "ActiveState"), "active");
    assert!(Path::new("/dev/mapper/data").exists());
}
