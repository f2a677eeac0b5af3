//! What is tried in the guest: one place to add to.

#![allow(clippy::expect_used)]

use crate::console::Attended;
use crate::{disks, full_disk, initramfs, store, trial, units};

/// What comes after a boot.
pub enum Next {
    /// The scenario has passed.
    Done,
    /// The guest starts again with its disks as they are, and the scenario is
    /// called for the next boot.
    Reboot,
    /// The guest is turned off, and starts with the disk [`INITRAMFS`] and the
    /// root volume `/dev/mapper/root`, and with somebody at its console.
    Attended(Attended),
}

/// Something to try; it fails by a panic.
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// Called as root in the guest at each boot, with the boot's number from 1.
    pub run: fn(boot: u32) -> Next,
}

/// All of them, the longest first.
const ALL: [Scenario; 6] = [
    Scenario { name: "store", run: store::run_boot },
    Scenario { name: "initramfs", run: initramfs::run_boot },
    Scenario { name: "disks", run: disks::run_boot },
    Scenario { name: "units", run: units::run },
    Scenario { name: "trial", run: trial::run },
    Scenario { name: "full-disk", run: full_disk::run },
];

/// Empty disks that each guest has, with their sizes in MiB; in there they are
/// /dev/disk/by-id/virtio-NAME.
pub const DISKS: [(&str, u64); 3] = [("data", 64), ("encrypted", 512), (INITRAMFS, 32)];

/// The disk that an [`Attended`] start takes as its initramfs.
pub const INITRAMFS: &str = "initramfs";

/// The scenario called `name`.
pub fn named(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

/// The names of all.
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|scenario| scenario.name).collect()
}

/// The name that the host put on this kernel's command line; nothing if it
/// didn't.
pub fn on_command_line() -> String {
    let line = std::fs::read_to_string("/proc/cmdline").expect("/proc");
    line.split_whitespace().find_map(|word| word.strip_prefix("scenario=")).unwrap_or_default().to_owned()
}
