//! `libcryptsetup-token-oathgate.so`: cryptsetup and systemd-cryptsetup load it
//! for tokens of type `oathgate`, and get a keyslot's key for PIN and code.
//!
//! A call starts no thread, installs no signal handler, leaves no descriptor
//! and reads no environment. The library stays loaded until the host ends
//! (`-z nodelete`, see `build.rs`).

#![deny(unsafe_code)]

mod barrier;
mod calls;
mod ffi;
