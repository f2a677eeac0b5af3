//! The verifiers that are measured.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use oathgate_tests::built::bin;
use oathgate_tests::oathgated::Oathgated;
use oathgate_tests::shim::Faults;
use otp_service::listen;
use otp_service::service::{Service, Settings};
use otp_store::{Journal, SealingKeys, SqliteStore};

use crate::people::People;

/// A verifier and the people it knows.
pub struct Server {
    pub people: Arc<People>,
    pub oathgated: Oathgated,
}

impl Server {
    /// One that knows `count` people.
    pub fn with(account: &str, count: usize) -> Self {
        let mut oathgated = Oathgated::start();
        oathgated.stop();
        let people = Arc::new(People::new(account, count));
        people.enrol(&oathgated.store(), &oathgated.keys());
        oathgated.resume();
        Self { people, oathgated }
    }

    /// Memory of the verifier, in KiB: in use now, and at most so far.
    pub fn resident(&self) -> (usize, usize) {
        let path = format!("/proc/{}/status", self.oathgated.running().pid());
        let status = fs::read_to_string(path).expect("/proc");
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
            line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
        };
        (number("VmRSS:"), number("VmHWM:"))
    }

    /// Processor time that the verifier has used so far, in microseconds.
    pub fn processor(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.oathgated.running().pid())).expect("/proc");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        // utime and stime (proc(5)), in ticks of which Linux shows a hundred a second.
        let ticks: u32 = fields[11..=12].iter().filter_map(|field| field.parse::<u32>().ok()).sum();
        f64::from(ticks) * 1e4
    }

    /// Bytes of the store on disk.
    pub fn bytes(&self) -> u64 {
        fs::metadata(self.oathgated.store()).map_or(0, |metadata| metadata.len())
    }

    /// Runs `work` while the verifier is one that commits each request alone.
    pub fn one_a_commit<T>(&mut self, work: impl FnOnce(&Self) -> T) -> T {
        self.oathgated.stop();
        let mut command = Command::new(std::env::current_exe().expect("/proc"));
        command.arg("serve");
        self.oathgated.resume_by(command);
        let result = work(self);
        self.oathgated.stop();
        self.oathgated.resume();
        result
    }

    /// Runs `work` while fsyncs are counted, by a library before the C library:
    /// strace stops a busy verifier so long that commits are shared otherwise.
    pub fn counting_fsyncs<T>(&mut self, work: impl FnOnce(&Self) -> T) -> (T, u64) {
        self.oathgated.stop();
        let faults = Faults::new(self.oathgated.folder());
        let mut command = Command::new(bin("oathgated"));
        faults.preload(&mut command);
        self.oathgated.resume_by(command);
        let before = faults.syncs();
        let result = work(self);
        let count = faults.syncs() - before;
        self.oathgated.stop();
        self.oathgated.resume();
        (result, count)
    }
}

/// `bench serve`: the service as it is, but with one request in each commit.
pub fn serve_one_a_commit(arguments: &[&str]) -> ExitCode {
    let value = |name: &str| -> PathBuf {
        let mut pairs = arguments.chunks(2);
        pairs.find_map(|pair| (pair[0] == name).then(|| pair[1].into())).expect("an argument")
    };
    let root = listen::bind(&value("--root-socket"), 0o600).expect("a socket");
    let _public = listen::bind(&value("--public-socket"), 0o666).expect("a socket");
    let service = Arc::new(one_a_commit(&value("--store"), &value("--keys")));
    listen::serve(root, listen::ROOT, service).expect("threads");
    ExitCode::SUCCESS
}

fn one_a_commit(store: &Path, keys: &Path) -> Service {
    let keys = Arc::new(SealingKeys::load(keys).expect("keys"));
    let open = SqliteStore::open_with_batches(store, Arc::clone(&keys), Journal::Wal, 1).expect("a store");
    let settings = Settings { place: store.display().to_string(), syslog: true, ..Settings::default() };
    Service::new(Box::new(open), keys, settings)
}
