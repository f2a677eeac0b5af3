//! `oathgate convert` with as many entries as a phone never has.

#![allow(clippy::expect_used, clippy::panic)]

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use oathgate_tests::built::bin;
use oathgate_tests::process::run;

use crate::numbers::Series;
use crate::people::secret;

/// Entries in the file.
pub const ENTRIES: usize = 100_000;

/// Reads otpauth URIs and writes them as JSON, some times.
pub fn run_times(folder: &Path, times: usize) -> Series {
    // Its real path: as root no link of somebody else's is followed.
    let path = fs::canonicalize(folder).expect("our folder").join("uris");
    let text = (0..ENTRIES).fold(String::new(), |mut text, person| {
        let secret = secret(person).to_base32();
        let _ = writeln!(text, "otpauth://totp/bench:person{person:07}?secret={}&issuer=bench", &*secret);
        text
    });
    fs::write(&path, text).expect("our folder");
    bin("oathgate-import");
    let mut series = Series::default();
    for _ in 0..times {
        let mut command = Command::new(bin("oathgate"));
        command.arg("convert").arg(&path).args(["--to", "json"]);
        let finished = series.time(|| run(&mut command, b""));
        assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
        assert_eq!(finished.text().matches("person").count() / ENTRIES, 1, "every entry, once");
    }
    fs::remove_file(path).expect("our file");
    series
}
