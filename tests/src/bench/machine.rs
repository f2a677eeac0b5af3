//! The machine below: its processors, and who else wants them.

#![allow(clippy::expect_used)]

use std::fs;

/// How many processors there are.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How many others wanted to run lately (proc_loadavg(5)).
pub fn busy() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(f64::NAN)
}

/// Processor time that the host of a virtual machine has kept from it so far, in
/// microseconds: "steal" in proc_stat(5).
pub fn stolen() -> f64 {
    let text = fs::read_to_string("/proc/stat").expect("/proc");
    let ticks = text.split_whitespace().nth(8).and_then(|ticks| ticks.parse().ok());
    // Linux shows a hundred ticks a second.
    ticks.unwrap_or(0.0) * 1e4
}
