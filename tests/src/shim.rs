//! Counts calls of the programs under test, and lets them fail (`tests/shim`).

#![allow(clippy::expect_used, clippy::panic)]

use crate::built;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::io::Errno;

/// The words of the table, as in `tests/shim/src/lib.rs`.
const WORDS: usize = 8;
const SEEN: usize = 4;
const FAILED: usize = 5;
const UNSYNCED: usize = 6;
const SYNCS: usize = 7;

/// The database, and its write-ahead log.
const DATABASE: u64 = 1;
const LOG: u64 = 2;

/// Which calls can fail.
#[derive(Debug, Clone, Copy)]
pub enum Calls {
    /// On the files of the store.
    Files = 1,
    /// For memory.
    Memory = 2,
}

/// How calls fail.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// What they fail with; `None` lets the first write be half of what it
    /// should be, and the disk be full afterwards.
    pub errno: Option<Errno>,
    /// Not only one: all of them, until it is over.
    pub lasting: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = self.errno.map_or_else(|| "a short write".to_owned(), |errno| errno.kind().to_string());
        write!(f, "{errno}{}", if self.lasting { " from" } else { " at" })
    }
}

/// A disk's ways to fail.
pub const OF_DISKS: [Fault; 5] = [
    Fault { errno: Some(Errno::IO), lasting: false },
    Fault { errno: None, lasting: true },
    Fault { errno: Some(Errno::ROFS), lasting: true },
    Fault { errno: Some(Errno::IO), lasting: true },
    Fault { errno: Some(Errno::NOSPC), lasting: true },
];

/// The faults of one program.
pub struct Faults {
    folder: tempfile::TempDir,
    table: File,
    store: PathBuf,
}

impl Faults {
    /// No faults yet; those of files are to be below `store`.
    ///
    /// # Panics
    /// Without a temporary folder.
    pub fn new(store: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("oathgate-faults-").tempdir().expect("a temporary folder");
        let path = folder.path().join("table");
        let table = File::options().read(true).write(true).create_new(true).open(path).expect("our folder");
        table.set_len(8 * WORDS as u64).expect("our file");
        Self { folder, table, store: store.to_owned() }
    }

    /// Puts the shim before the C library of `command`.
    pub fn preload<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.envs(self.environment())
    }

    fn environment(&self) -> [(&'static str, PathBuf); 3] {
        [
            ("LD_PRELOAD", built::shim()),
            ("OATHGATE_TEST_FOLDER", self.store.clone()),
            ("OATHGATE_TEST_FAULTS", self.folder.path().join("table")),
        ]
    }

    /// A program that is `program` behind the shim, for those who start it
    /// with an empty environment.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn wrapped(&self, program: &Path) -> PathBuf {
        let set = self.environment().map(|(name, value)| format!("{name}='{}'", value.display())).join(" ");
        let path = self.folder.path().join("wrapped");
        std::fs::write(&path, format!("#!/bin/sh\n{set} exec '{}' \"$@\"\n", program.display())).expect("our folder");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("our file");
        path
    }

    /// From now on, calls fail: the `first` one that comes, or from it on.
    pub fn begin(&self, calls: Calls, fault: Fault, first: u64) {
        let last = if fault.lasting { u64::MAX } else { first };
        let errno = fault.errno.map_or(0, |errno| errno.raw_os_error().cast_unsigned().into());
        // What is counted comes last: until then nothing fails.
        for (index, word) in [(SEEN, 0), (FAILED, 0), (1, first), (2, last), (3, errno), (0, calls as u64)] {
            self.set(index, word);
        }
    }

    /// Nothing fails any more; how many calls did.
    pub fn end(&self) -> u64 {
        self.set(0, 0);
        self.get(FAILED)
    }

    /// How many calls there were.
    pub fn seen(&self) -> u64 {
        self.get(SEEN)
    }

    /// How many fsyncs of files of the store there were, since the beginning.
    pub fn syncs(&self) -> u64 {
        self.get(SYNCS)
    }

    /// Whether what was written to the write-ahead log is on the disk.
    pub fn log_is_synced(&self) -> bool {
        self.get(UNSYNCED) & LOG == 0
    }

    /// Whether what was written to the database is on the disk.
    pub fn database_is_synced(&self) -> bool {
        self.get(UNSYNCED) & DATABASE == 0
    }

    fn set(&self, index: usize, word: u64) {
        self.table.write_all_at(&word.to_ne_bytes(), 8 * index as u64).expect("our file");
    }

    fn get(&self, index: usize) -> u64 {
        let mut bytes = [0; 8];
        self.table.read_exact_at(&mut bytes, 8 * index as u64).expect("our file");
        u64::from_ne_bytes(bytes)
    }
}
