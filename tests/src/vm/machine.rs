//! On the host: QEMU, and what the guest says.

#![allow(clippy::expect_used)]

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use oathgate_tests::process::Running;

use crate::inside::{FAILED, PASSED};
use crate::scenario::DISKS;

/// For a scenario with all its boots, on a busy machine.
const LIMIT: Duration = Duration::from_secs(480);

/// Runs the scenarios side by side, each in a guest of its own.
pub fn run_all(folder: &Path, names: &[&str]) -> ExitCode {
    let passed: Vec<bool> = thread::scope(|scope| {
        let guests: Vec<_> = names.iter().map(|name| scope.spawn(|| run(folder, name))).collect();
        guests.into_iter().map(|guest| guest.join().unwrap_or(false)).collect()
    });
    if passed.iter().all(|one| *one) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether a scenario passed; said in one line, or with all that the guest said.
fn run(folder: &Path, name: &str) -> bool {
    let begun = Instant::now();
    let disks = tempfile::tempdir_in(folder).expect("room on the disk");
    let console = folder.join(format!("{name}.console"));
    // It ends with us, however we end.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]).args(hardware(folder, disks.path()));
    // The guest's time is what it computes, not what passes here: no deadline of
    // its programs is missed because this machine is busy, and idling takes none.
    command.args(["-icount", "shift=0,sleep=off", "-rtc", "clock=vm"]);
    command.arg("-append").arg(format!("{KERNEL} quiet scenario={name} systemd.mask=serial-getty@ttyS0.service"));
    command.arg("-serial").arg(format!("file:{}", console.display())).args(["-serial", "stdio"]);
    let guest = Running::start(&mut command);
    let verdict = guest.stdout.wait_for_any(&[PASSED, FAILED], LIMIT);
    // Kept, so that one can see where the time goes.
    std::fs::write(folder.join(format!("{name}.log")), guest.stdout.so_far()).expect("room on the disk");
    let seconds = begun.elapsed().as_secs();
    if matches!(verdict, Ok((0, _))) {
        println!("{name}: passed in {seconds} s");
        return true;
    }
    let late = if begun.elapsed() >= LIMIT { ": out of time" } else { "" };
    println!("{name}: FAILED after {seconds} s{late}\n{}{}", guest.stdout.so_far(), guest.stderr.so_far());
    println!("The guest's console: {}", console.display());
    false
}

/// A guest that runs no scenario, with its console on this terminal.
pub fn shell(folder: &Path) -> ExitCode {
    let disks = tempfile::tempdir_in(folder).expect("room on the disk");
    eprintln!("End it with Ctrl-A X. A scenario by hand: /usr/libexec/vm inside NAME");
    let mut command = Command::new("qemu-system-x86_64");
    command.args(hardware(folder, disks.path())).args(["-append", KERNEL, "-serial", "mon:stdio"]);
    let status = command.status();
    ExitCode::from(u8::from(!status.is_ok_and(|status| status.success())))
}

/// There are no flaws of a real processor to work around.
const KERNEL: &str = "root=/dev/vda rw console=ttyS0 mitigations=off";

/// A processor of a named model: what `max` emulates differs between versions of QEMU.
fn hardware(folder: &Path, disks: &Path) -> Vec<OsString> {
    let mut words: Vec<OsString> =
        ["-accel", "tcg", "-machine", "q35", "-cpu", "Westmere", "-m", "512"].map(Into::into).into();
    words.extend(["-nodefaults", "-no-user-config", "-display", "none"].map(Into::into));
    words.extend(["-device", "virtio-rng-pci"].map(Into::into));
    for (option, file) in [("-kernel", "vmlinuz"), ("-initrd", "initrd.img")] {
        words.extend([option.into(), folder.join(file).into()]);
    }
    // The image stays as it is: what a guest writes is gone with it.
    words.extend(drive("root", &folder.join("root.img"), "snapshot=on"));
    words.extend(drive("payload", &folder.join("payload.tar"), "readonly=on"));
    for (name, size) in DISKS {
        let path = disks.join(name);
        File::create(&path).and_then(|file| file.set_len(size << 20)).expect("room on the disk");
        words.extend(drive(name, &path, "discard=unmap"));
    }
    words
}

/// A disk of the guest's; nothing on it must outlive the host.
fn drive(name: &str, path: &Path, more: &str) -> [OsString; 4] {
    let drive = format!("if=none,id={name},format=raw,cache=unsafe,file={},{more}", path.display());
    let device = format!("virtio-blk-pci,drive={name},serial={name}");
    ["-drive", &drive, "-device", &device].map(Into::into)
}
