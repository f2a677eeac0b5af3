//! libcryptsetup, as far as codes for disks need it: [`Device`] is a handle of
//! our own, [`Handle`] one that cryptsetup lends to the plugin.
//!
//! Its functions are declared by hand, each where it is called, in files called
//! `ffi.rs`.

#![deny(unsafe_code)]

#[path = "device/ffi.rs"]
mod device;
mod errno;
#[path = "handle/ffi.rs"]
mod handle;
#[path = "heard/ffi.rs"]
mod heard;
#[path = "memory/ffi.rs"]
mod memory;
mod moment;
#[path = "plugin/ffi.rs"]
pub mod plugin;
#[path = "strings/ffi.rs"]
mod strings;
mod token;

pub use device::{Device, Stretch};
pub use errno::Errno;
pub use handle::{Handle, Level, raw};
pub use heard::{hear, heard};
pub use memory::SafeBuffer;
pub use moment::moment;
pub use token::TokenOf;
