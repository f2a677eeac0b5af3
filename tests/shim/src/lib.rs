//! Stands before the C library (`LD_PRELOAD`) and lets chosen calls fail: those
//! on files below one folder, or those that allocate memory. Fsyncs are counted.
//!
//! `OATHGATE_TEST_FOLDER` names the folder, `OATHGATE_TEST_FAULTS` a file of
//! `WORDS` numbers which the test writes and reads while the program runs.

mod ffi;

/// Numbers in the file, of 64 bits each.
const WORDS: usize = 8;

/// What is counted and may fail: nothing, calls on files, or allocations.
const WHAT: usize = 0;
/// The first and the last call that fail, counted from 1.
const FIRST: usize = 1;
const LAST: usize = 2;
/// With which errno(3); [`SHORT`] lets the first write be half of what it
/// should be, and the disk be full afterwards.
const ERRNO: usize = 3;
/// How many calls there were, and how many of them failed.
const SEEN: usize = 4;
const FAILED: usize = 5;
/// A bit for each of the store's files that was written and not synced since.
const UNSYNCED: usize = 6;
/// How many fsyncs of such files there were.
const SYNCS: usize = 7;

const FILES: u64 = 1;
const ALLOCATIONS: u64 = 2;
const SHORT: u64 = 0;
