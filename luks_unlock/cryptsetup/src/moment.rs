//! The front door's clock, and what is known of the time beside it.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use luks_unlock::Moment;

/// In an initramfs: when it was made, in seconds since 1970. Our hook of
/// initramfs-tools writes it.
const MADE: &str = "/usr/libexec/oathgate/initramfs-made";

/// This moment. A clock before 1970 is the year 1970.
#[must_use]
#[allow(clippy::disallowed_methods)] // the front door
pub fn moment() -> Moment {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Moment { now, floor: floor(), boot: boot.trim().to_owned() }
}

/// Without the file, or with none that can be read, the header's own floor is
/// all there is.
fn floor() -> u64 {
    fs::read_to_string(MADE).ok().and_then(|made| made.trim().parse().ok()).unwrap_or(0)
}
