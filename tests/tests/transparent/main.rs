//! Behind the gate everything is as it would be without it: each case goes
//! through a plain key and through one behind the gate, a fresh code a time,
//! at the same sshd, and what comes out is compared byte for byte.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bytes;
mod commands;
mod endings;
mod identities;
mod inner;
mod probe;
mod sftp;
mod shells;
mod terminals;
mod tools;
mod tree;
mod world;
