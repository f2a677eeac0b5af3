//! Codes for encrypted disks: the real cryptsetup, on LUKS2 headers in files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod asked;
mod doctor;
mod header;
mod keyscript;
mod library;
mod machine;
mod plugin;
mod rotate;
mod store;
mod tool;
mod world;
