//! What a library may not change in the process that loads it.

#![allow(clippy::expect_used)]

use std::env;
use std::fmt;
use std::fs;

use crate::ffi;

/// The state of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    threads: usize,
    /// Blocked, ignored and caught signals, and the umask.
    status: Vec<String>,
    descriptors: Vec<String>,
    locale: String,
    folder: String,
    environment: Vec<String>,
}

impl State {
    /// As it is now.
    ///
    /// # Panics
    /// Without /proc.
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").expect("/proc");
        let watched = |line: &&str| ["SigBlk", "SigIgn", "SigCgt", "Umask"].iter().any(|name| line.starts_with(name));
        let mut environment: Vec<String> = env::vars_os().map(|pair| format!("{pair:?}")).collect();
        environment.sort();
        Self {
            threads: fs::read_dir("/proc/self/task").expect("/proc").count(),
            status: status.lines().filter(watched).map(str::to_owned).collect(),
            descriptors: descriptors(),
            locale: ffi::locale(),
            folder: format!("{:?}", env::current_dir()),
            environment,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// Number and target of each, without the one that looks.
fn descriptors() -> Vec<String> {
    let entries = fs::read_dir("/proc/self/fd").expect("/proc").map_while(Result::ok);
    let named = entries.filter_map(|entry| {
        let target = fs::read_link(entry.path()).ok()?;
        (!target.starts_with("/proc")).then(|| format!("{:?} {}", entry.file_name(), target.display()))
    });
    let mut named: Vec<String> = named.collect();
    named.sort();
    named
}

/// Memory in use by this process, in KiB.
///
/// # Panics
/// Without /proc.
pub fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}
