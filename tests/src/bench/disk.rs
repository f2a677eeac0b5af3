//! What is below: the file system, the bare fsync, and how many of them there are.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use oathgate_tests::process::run;

use crate::numbers::Series;

/// The type of the file system that `folder` lies on.
pub fn file_system(folder: &Path) -> String {
    let said = run(Command::new("df").args(["--output=fstype"]).arg(folder), b"").text();
    said.lines().nth(1).unwrap_or("unknown").to_owned()
}

/// Writes a page in the middle of a file and waits until it is on the disk.
pub fn fsync(folder: &Path, times: u64) -> Series {
    let path = folder.join("fsync");
    let file = File::create(&path).expect("our folder");
    file.write_all_at(&[0; 1 << 20], 0).and_then(|()| file.sync_all()).expect("room on the disk");
    let mut series = Series::default();
    for number in 0..times {
        let page = [u8::try_from(number % 251).unwrap_or(0); 4096];
        series.time(|| file.write_all_at(&page, number % 256 * 4096).and_then(|()| file.sync_data())).expect("a disk");
    }
    fs::remove_file(path).expect("our file");
    series
}

/// `strace`, which writes every fsync of a program and its children to `log`.
/// Only these calls are stopped at.
pub fn strace(log: &Path, program: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "--seccomp-bpf", "-qq", "-e", "trace=fsync,fdatasync,sync_file_range,msync", "-o"]);
    command.arg(log).arg("--").arg(program);
    command
}

/// The fsyncs in such a log.
pub fn fsyncs(log: &Path) -> usize {
    let text = fs::read_to_string(log).expect("strace's log");
    text.lines().filter(|line| line.contains("sync(") || line.contains("sync_file_range(")).count()
}
