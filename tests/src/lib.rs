//! What the end-to-end tests share: real servers and clients, in folders of their own.

pub mod built;
pub mod cdylib;
pub mod fake_verifier;
pub mod ffi;
pub mod fido;
pub mod gated;
pub mod homes;
pub mod machine;
pub mod namespace;
pub mod oathgated;
pub mod phone;
pub mod process;
pub mod shim;
pub mod sshd;
pub mod state;
pub mod terminal;
pub mod transfers;
