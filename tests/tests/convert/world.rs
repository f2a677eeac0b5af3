//! A folder of files, and the program called there.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use oathgate_tests::built::bin;
use oathgate_tests::process::{Finished, run};
use serde_json::Value;

/// RFC 4226's secret, which everybody knows.
pub const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
/// The columns that every database of Google Authenticator has.
pub const ACCOUNTS: &str = "CREATE TABLE accounts (_id INTEGER PRIMARY KEY, email TEXT NOT NULL,
    secret TEXT NOT NULL, counter INTEGER DEFAULT 0, type INTEGER);";

pub struct World {
    pub folder: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        bin("oathgate-import");
        bin("oathgated");
        // Its real path: as root no link of somebody else's is followed.
        let folder = fs::canonicalize(std::env::temp_dir()).unwrap();
        Self { folder: tempfile::tempdir_in(folder).unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub fn command(&self, words: &[&str]) -> Command {
        // Whoever runs the tests in a terminal must not be asked there.
        let mut command = Command::new("setsid");
        command
            .arg("--wait")
            .arg(bin("oathgate"))
            .args(words)
            .env_clear()
            .env("HOME", self.folder.path())
            .current_dir(self.folder.path());
        command
    }

    pub fn run(&self, words: &[&str]) -> Finished {
        run(&mut self.command(words), b"")
    }

    /// What `convert` prints; it must do it all.
    pub fn convert(&self, words: &[&str]) -> String {
        let finished = self.run(&[&["convert"], words].concat());
        assert_eq!(finished.code(), Some(0), "{words:?}: {}", finished.stderr);
        finished.text()
    }

    pub fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.convert(&[&["--to", "json"], words].concat())).unwrap()
    }

    /// Every file in the folder with its content, to see that nothing changed.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries
            .filter(|path| path.is_file())
            .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
            .collect();
        files.sort();
        files
    }
}
