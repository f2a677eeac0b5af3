//! The module in the programs that people log in by: each with PAM stacks,
//! users and passwords of the test's own, in a mount namespace. The machine's
//! own are neither read nor written.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside of #[test] functions

mod lock;
mod login;
mod passwords;
mod su;
mod sudo;
mod system;
mod vpn;
mod web;
