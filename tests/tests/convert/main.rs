//! `oathgate convert` and `oathgate import`, with the program that reads files.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod confined;
mod export;
mod forms;
mod homes;
mod import;
mod locked;
mod migrate;
mod others;
mod world;
