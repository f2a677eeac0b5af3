//! What do others write?
//!
//! Everything here is pure: bytes in, bytes out. What comes in is hostile.

#![forbid(unsafe_code)]

pub mod qr;
