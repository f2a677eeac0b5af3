//! A running `oathgated` that is watched at its work.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use otp_wire::Ask;
use otp_wire::message::Outcome;

use super::{Running, ask, command, oathgated};

/// The service under strace(1), which writes down what it does with its disk
/// and what it tells syslog.
pub struct Traced {
    pub running: Running,
    log: PathBuf,
}

impl Traced {
    pub fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        assert!(oathgated(folder.path(), &["--init"]).status.success());
        let log = folder.path().join("trace");
        let served = command(folder.path(), &[]);
        let mut strace = Command::new("strace");
        strace
            .args(["-f", "-qq", "-e", "trace=pwrite64,fdatasync,fsync,ftruncate,sendto", "-s", "2000", "-o"])
            .arg(&log);
        strace.arg(served.get_program()).args(served.get_args()).stderr(Stdio::null());
        let Ok(child) = strace.spawn() else {
            println!("skipped: needs strace");
            return None;
        };
        let traced = Self { running: Running { folder, child }, log };
        let deadline = Instant::now() + Duration::from_secs(20);
        while UnixStream::connect(traced.running.path("socket")).is_err() {
            assert!(Instant::now() < deadline, "oathgated did not start");
            std::thread::yield_now();
        }
        Some(traced)
    }

    /// The answer, and what the disk had to do for it. The answer comes after
    /// the last fsync, and strace is told of that first.
    pub fn measured(&self, question: Ask) -> (Outcome, Work) {
        let before = Work::so_far(&self.log);
        let outcome = ask(&self.running.verifier("root"), question).unwrap();
        (outcome, Work::so_far(&self.log) - before)
    }

    /// What was sent to syslog, whether or not there is one.
    pub fn syslog(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.log).unwrap();
        text.lines().filter(|line| line.contains("/dev/log")).map(str::to_owned).collect()
    }
}

impl Drop for Traced {
    /// strace lets go of what it traces when it ends; the service has to be ended itself.
    fn drop(&mut self) {
        let id = self.running.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|id| id.parse().ok()) {
            let Some(child) = rustix::process::Pid::from_raw(child) else { continue };
            let _ = rustix::process::kill_process(child, rustix::process::Signal::KILL);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    pub writes: usize,
    pub syncs: usize,
}

impl Work {
    fn so_far(log: &Path) -> Self {
        let text = fs::read_to_string(log).unwrap();
        let count = |name: &str| text.lines().filter(|line| line.contains(name) && !line.contains("resumed")).count();
        Self { writes: count("pwrite64("), syncs: count("fdatasync(") + count(" fsync(") }
    }
}

impl std::ops::Sub for Work {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { writes: self.writes - other.writes, syncs: self.syncs - other.syncs }
    }
}
