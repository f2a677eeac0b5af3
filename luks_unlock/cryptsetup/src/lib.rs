//! libcryptsetup, as far as codes for disks need it: [`Device`] is a handle of
//! our own, [`Handle`] one that cryptsetup lends to the plugin.

#![deny(unsafe_code)]

mod errno;
mod ffi;
mod moment;
#[path = "plugin/ffi.rs"]
pub mod plugin;
mod token;

pub use errno::Errno;
pub use ffi::{Device, Handle, Level, SafeBuffer, Stretch, hear, heard, raw};
pub use moment::moment;
pub use token::TokenOf;
