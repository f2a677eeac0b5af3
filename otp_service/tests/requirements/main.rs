//! The requirements on any verifier, one test for each, named after its number
//! in that list. Each is short; where another suite goes deeper, it says which.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside of #[test] functions

#[path = "../common/mod.rs"]
mod common;

mod codes;
mod device;
mod faults;
mod limits;
mod numbers;
mod people;
mod secrets;
mod watched;
