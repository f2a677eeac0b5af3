//! The forced command under a real sshd, with real clients.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod clients;
mod faithful;
mod gate;
mod grants;
mod keys_command;
mod logins;
mod races;
mod secrecy;
mod user_store;
mod world;
