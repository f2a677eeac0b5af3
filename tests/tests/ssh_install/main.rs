//! `oathgate ssh install`, `remove` and `adopt` in a home of their own, with a
//! real sshd that trusts it.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod adopt;
mod hostile;
mod install;
mod world;
