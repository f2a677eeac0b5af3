//! Who may ask what, and what comes of it: the service without its sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside of #[test] functions

#[path = "../common/mod.rs"]
mod common;

mod access;
mod credentials;
mod export;
mod import;
mod logins;
mod terms;

use common::world;
