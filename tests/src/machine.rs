//! The machine below: its processors, and who else wants them.

#![allow(clippy::expect_used)]

use std::fs;
use std::time::{Duration, Instant};

/// How many processors there are.
#[must_use]
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How many others wanted to run lately (proc_loadavg(5)).
#[must_use]
pub fn busy() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(f64::NAN)
}

/// Processor time that the host of a virtual machine has kept from it so far, in
/// microseconds: "steal" in proc_stat(5).
///
/// # Panics
/// Where there is no /proc.
#[must_use]
pub fn stolen() -> f64 {
    let text = fs::read_to_string("/proc/stat").expect("/proc");
    let ticks = text.split_whitespace().nth(8).and_then(|ticks| ticks.parse().ok());
    // Linux shows a hundred ticks a second.
    ticks.unwrap_or(0.0) * 1e4
}

/// Measures how long something takes of the time that we have: a host that gives
/// half of it to others makes nobody wait longer than they should.
pub struct Stopwatch {
    begun: Instant,
    stolen: f64,
}

impl Stopwatch {
    /// Begins.
    #[must_use]
    pub fn start() -> Self {
        Self { begun: Instant::now(), stolen: stolen() }
    }

    /// The time since, whatever the host did.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// What a host kept from each processor since, as their mean.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // a count
    pub fn kept(&self) -> Duration {
        Duration::from_secs_f64((stolen() - self.stolen).max(0.0) / 1e6 / processors() as f64)
    }
}
