//! Phones' databases: the file, and behind it a log or a journal.

#![no_main]

use libfuzzer_sys::fuzz_target;
use otp_import::{Source, read};

fuzz_target!(|input: &[u8]| {
    // The first byte says how many pages are the database itself, and what follows.
    let Some((how, bytes)) = input.split_first() else { return };
    let (database, log) = bytes.split_at(bytes.len().min(usize::from(how >> 1) * 512));
    let log = (!log.is_empty()).then_some(log);
    let (wal, journal) = if how & 1 == 0 { (log, None) } else { (None, log) };
    let source = Source { name: "fuzz", bytes: database, wal, journal, password: None, zone: None };
    let Ok(parsed) = read(&[source]) else { return };
    assert!(parsed.skipped.iter().all(|row| row.row.is_some() && !row.reason.is_empty()));
});
