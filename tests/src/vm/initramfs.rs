//! A root volume with a code: an initramfs of Debian's own making, whose console
//! the host answers. The machine's clock is years behind at first.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::console::Attended;
use crate::disks::{KEPT, PASSPHRASE, answer, enrolled, refused};
use crate::scenario::{INITRAMFS, Next};
use crate::system::{must, run, step, write};

const DISK: &str = "/dev/disk/by-id/virtio-encrypted";
const HOOK: &str = "/usr/share/initramfs-tools/hooks/oathgate";
const HELPER: &str = "/mnt/usr/libexec/oathgate/oathgate-luks";
const PROMPT: &str = "PIN and code for root: ";
const WRONG: &str = "no such answer";
const OPENED: &str = "root: set up successfully";
/// The step of the codes' time in which the root volume is opened first.
const FIRST: &str = "/var/lib/vm.first-step";
const YEAR: u64 = 365 * 24 * 3600;

/// The first boot makes the volume and its initramfs, the others come out of it.
pub fn run_boot(boot: u32) -> Next {
    if boot == 1 {
        return prepare();
    }
    step("up, from the encrypted disk");
    encrypted();
    let first: u64 = fs::read_to_string(FIRST).expect("of the first boot").parse().expect("a step");
    let answer = |step| answer([step]);
    match boot {
        2 => {
            used_up(first + 1);
            // The clock is right again; what was used before the reboot is still shown.
            let used = at(first + 1).types(PROMPT, &answer(first + 1)).sees("already used");
            Next::Attended(used.types(PROMPT, &answer(first + 2)).sees(OPENED))
        }
        3 => {
            used_up(first + 2);
            let wrong = ["", WRONG, WRONG, WRONG].iter().fold(at(first + 2), |wrong, line| wrong.types(PROMPT, line));
            let used = wrong.types(PROMPT, &answer(first + 2)).sees("already used");
            Next::Attended(used.types("Passphrase for root: ", PASSPHRASE).sees(OPENED))
        }
        _ => Next::Done,
    }
}

/// A root volume on which somebody enrols, and an initramfs for it.
fn prepare() -> Next {
    step("the image once more, on an encrypted disk");
    let from = ["dd", "if=/dev/disk/by-id/virtio-encrypted-image", "bs=4M", "iflag=direct", "oflag=direct"];
    must(&[&from[..], &[&format!("of={DISK}")]].concat());
    // Both are there, and are to be told apart.
    let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid").expect("/proc");
    must(&["cryptsetup", "luksUUID", "--batch-mode", "--uuid", uuid.trim(), DISK]);
    write("/root/key", PASSPHRASE);
    must(&["cryptsetup", "open", "--key-file=/root/key", DISK, "root"]);
    must(&["mount", "/dev/mapper/root", "/mnt"]);
    must(&["tar", "-x", "-f", "/dev/disk/by-id/virtio-payload", "-C", "/mnt"]);
    for (path, text) in [
        ("/root/key", PASSPHRASE),
        ("/etc/fstab", "/dev/mapper/root / ext4 errors=remount-ro 0 1\n"),
        ("/var/lib/virtual-machine.laid", ""),
        ("/var/lib/vm.boots", "1"),
    ] {
        write(&format!("/mnt{path}"), text);
    }
    for folder in ["dev", "proc", "sys", "run"] {
        must(&["mount", "--bind", &format!("/{folder}"), &format!("/mnt/{folder}")]);
    }
    must(&["mount", "-t", "tmpfs", "none", "/mnt/var/tmp"]);
    step("enrolled");
    let words = ["chroot", "/mnt", "oathgate", "luks", "enrol", DISK];
    write(&format!("/mnt{KEPT}"), &enrolled(&words, &["--initramfs", "--write-crypttab=root"]));
    must(&["cp", &format!("/mnt{KEPT}"), KEPT]);

    step("update-initramfs fails without the helper");
    must(&["mv", HELPER, "/mnt/root/helper"]);
    refused(&run(&["chroot", "/mnt", HOOK], ""), "install oathgate again");
    must(&["mv", "/mnt/root/helper", HELPER]);

    step("years later, an initramfs");
    let made = now() + 5 * YEAR;
    must(&["date", "--set", &format!("@{made}")]);
    must(&["chroot", "/mnt", "update-initramfs", "-u"]);
    let initramfs = format!("/mnt/boot/initrd.img-{}", must(&["uname", "-r"]));
    must(&["dd", &format!("if={initramfs}"), &format!("of=/dev/disk/by-id/virtio-{INITRAMFS}"), "bs=1M", "conv=fsync"]);
    let first = (made + 24 * 3600) / 30;
    write(&format!("/mnt{FIRST}"), &first.to_string());
    must(&["umount", "--recursive", "/mnt"]);
    must(&["cryptsetup", "close", "root"]);

    // By the header alone this clock might be right.
    let behind = at((made - 4 * YEAR) / 30).sees("clock is behind").types(PROMPT, WRONG).sees("Wrong PIN or code");
    Next::Attended(behind.types(PROMPT, &answer([first, first + 1])).sees("clock is wrong by").sees(OPENED))
}

/// A machine that is turned on in this step.
fn at(step: u64) -> Attended {
    let clock = must(&["date", "--utc", "--date", &format!("@{}", step * 30), "+%FT%T"]);
    Attended { clock, dialogue: Vec::new() }
}

/// Whether this system runs from the disk.
fn encrypted() {
    assert_eq!(must(&["findmnt", "--noheadings", "--output=SOURCE", "/"]), "/dev/mapper/root");
    let (status, device) = (must(&["cryptsetup", "status", "root"]), must(&["readlink", "-f", DISK]));
    assert!(status.contains("LUKS2") && status.contains(&device), "{status}");
}

/// Whether the code of this step was the last that counts.
fn used_up(step: u64) {
    let token = must(&["cryptsetup", "token", "export", "--token-id=0", DISK]);
    let token: serde_json::Value = serde_json::from_str(&token).expect("JSON");
    assert_eq!(token["state"]["next"], step + 1, "{token}");
}

#[allow(clippy::disallowed_methods)] // the guest's
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}
