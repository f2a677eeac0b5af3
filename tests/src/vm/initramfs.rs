//! An encrypted disk with a code in an initramfs: the hook and the keyscript.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use oathgate_tests::process::Finished;

use crate::disks::{DISK, answer, enrol, refused};
use crate::scenario::Next;
use crate::system::{must, run, step, write};

const KEYSCRIPT: &str = "/usr/libexec/oathgate/luks-keyscript";

/// Makes one, and runs its keyscript.
pub fn run_boot(_boot: u32) -> Next {
    enrol(&[]);
    step("an initramfs with the keyscript");
    let uuid = must(&["cryptsetup", "luksUUID", DISK]);
    write("/etc/crypttab", &format!("data UUID={uuid} none luks,initramfs,keyscript={KEYSCRIPT}\n"));
    must(&["update-initramfs", "-c", "-k", &must(&["uname", "-r"]), "-b", "/root"]);
    must(&["sh", "-c", "unmkinitramfs /root/initrd.img-* /root/initramfs"]);
    let root =
        ["/root/initramfs/main", "/root/initramfs"].into_iter().find(|path| Path::new(path).join("bin").exists());
    let root = root.expect("an initramfs");
    for (kind, folder) in [("devtmpfs", "dev"), ("proc", "proc"), ("tmpfs", "run")] {
        must(&["sh", "-c", &format!("mkdir -p {root}/{folder} && mount -t {kind} none {root}/{folder}")]);
    }

    step("the keyscript, with nothing but what is in there");
    let key = in_initramfs(root, &answer(0));
    fs::write("/root/slot", &key.stdout).expect("room");
    must(&["cryptsetup", "open", "--key-file=/root/slot", DISK, "data"]);
    must(&["cryptsetup", "close", "data"]);

    step("update-initramfs fails without the helper");
    must(&["mv", "/usr/libexec/oathgate/oathgate-luks", "/root/helper"]);
    refused(&run(&["/usr/share/initramfs-tools/hooks/oathgate"], ""), "install oathgate again");
    Next::Done
}

/// Runs the keyscript in an initramfs. Nobody sits at the console, so askpass
/// is one that knows the answer; the real one must have been copied.
fn in_initramfs(root: &str, answer: &str) -> Finished {
    let askpass = format!("{root}/lib/cryptsetup/askpass");
    assert!(Path::new(&askpass).exists());
    write(&askpass, &format!("#!/bin/sh\nprintf %s '{answer}'\n"));
    let device = must(&["readlink", "-f", DISK]);
    let (name, source) = ("CRYPTTAB_NAME=data", format!("CRYPTTAB_SOURCE={device}"));
    let finished = run(&["env", name, &source, "chroot", root, KEYSCRIPT, "none"], "");
    assert!(finished.status.success() && finished.stdout.len() == 32, "{}{}", finished.text(), finished.stderr);
    finished
}
