//! What every library of ours that others load must hold.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::run;

/// A library and its promises.
pub struct Promise<'a> {
    /// The library.
    pub library: &'a Path,
    /// Exactly what it exports; with `@@` and the version where it has versions.
    pub exports: &'a [&'a str],
    /// What it may need; beginnings of names.
    pub needed: &'a [&'a str],
    /// Its size in bytes stays below.
    pub size: u64,
    /// `cdylib_host`.
    pub host: &'a Path,
}

impl Promise<'_> {
    /// Checks all of them.
    ///
    /// # Panics
    /// When one is broken.
    pub fn check(&self) {
        self.exports_nothing_else();
        self.needs_nothing_else();
        self.is_small();
        self.leaves_no_trace();
    }

    fn exports_nothing_else(&self) {
        let listed = said(Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(self.library));
        let mut found: Vec<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
        let mut expected = self.exports.to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "exported by {}", self.library.display());
    }

    fn needs_nothing_else(&self) {
        let listed = said(Command::new("readelf").args(["-d", "-W"]).arg(self.library));
        for line in listed.lines().filter(|line| line.contains("(NEEDED)")) {
            let name = line.split(['[', ']']).nth(1).expect("a name in brackets");
            assert!(self.needed.iter().any(|start| name.starts_with(start)), "needs {name}");
        }
    }

    fn is_small(&self) {
        let size = fs::metadata(self.library).expect("a file").len();
        assert!(size < self.size, "{} bytes, allowed are {}", size, self.size);
    }

    fn leaves_no_trace(&self) {
        let output = said(Command::new(self.host).arg(self.library).args(self.exports));
        assert!(output.contains("\nstate same\n"), "{output}");
        // Unloading and loading a thousand times at a page each would be 4000.
        assert!(grown(&output) < 1000, "{output}");
    }
}

/// What a host says about its memory, in KiB.
///
/// # Panics
/// When it says nothing.
pub fn grown(output: &str) -> usize {
    let line = output.lines().find_map(|line| line.strip_prefix("grown "));
    line.and_then(|number| number.parse().ok()).expect("a number")
}

fn said(command: &mut Command) -> String {
    let finished = run(command, b"");
    assert!(finished.status.success(), "{command:?}: {}", finished.stderr);
    finished.text()
}
