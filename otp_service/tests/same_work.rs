//! Whoever is refused, the disk has the same to do: neither the time nor the
//! noise of it tells who is enrolled, revoked, or guessed at by somebody else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside of #[test] functions

mod common;

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use otp_wire::Ask;
use otp_wire::message::{CredentialName, Outcome, Reason};

/// Well-formed, and right for nobody: everybody here has six digits.
const WRONG: &str = "1234567";

/// The service under strace(1), which writes down what it does with its disk.
struct Traced {
    running: Running,
    log: PathBuf,
}

impl Traced {
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        assert!(oathgated(folder.path(), &["--init"]).status.success());
        let log = folder.path().join("trace");
        let served = command(folder.path(), &[]);
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-e", "trace=pwrite64,fdatasync,fsync,ftruncate", "-o"]).arg(&log);
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

    /// What the disk had to do for one refusal, and its reason.
    fn refused(&self, account: &str) -> (Work, Reason) {
        let before = Work::so_far(&self.log);
        let outcome = ask(&self.running.verifier("root"), verify_as(account, WRONG)).unwrap();
        let Outcome::Refused { reason, .. } = outcome else { panic!("{account}: {outcome:?}") };
        // The answer comes after the last fsync, and strace is told of that first.
        (Work::so_far(&self.log) - before, reason)
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
struct Work {
    writes: usize,
    syncs: usize,
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

#[test]
fn a_refusal_costs_the_disk_the_same_for_everybody() {
    let Some(traced) = Traced::start() else { return };
    let root = traced.running.verifier("root");
    for account in ["daemon", "bin", "sys", "mail"] {
        enrolled_for(&root, account);
    }
    let revoke = Ask::Revoke(CredentialName { account: Some("bin".to_owned()), credential: "one".to_owned() });
    assert!(matches!(ask(&root, revoke).unwrap(), Outcome::Done(_)));
    for _ in 0..3 {
        traced.refused("sys");
    }
    traced.refused("nobody"); // the first login that leads to nobody
    let kinds = [
        ("daemon", Reason::Wrong),
        ("bin", Reason::Wrong),
        ("sys", Reason::Throttled),
        ("games", Reason::NotEnrolled),
        ("no-such-account", Reason::NotEnrolled),
    ];
    let work = kinds.map(|(account, expected)| {
        // The first one makes a row of the audit, the second is counted there.
        let tries = [traced.refused(account), traced.refused(account)];
        assert!(tries.iter().all(|(_, reason)| *reason == expected), "{account}: {tries:?}");
        tries.map(|(work, _)| work)
    });
    assert!(work.iter().all(|tries| *tries == work[0]), "{work:#?}");
    assert!(work[0].iter().all(|work| work.syncs >= 1 && work.writes >= 2), "durable before the answer: {work:?}");
}
