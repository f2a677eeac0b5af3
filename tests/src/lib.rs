//! What the end-to-end tests share: real servers and clients, in folders of their own.

pub mod built;
pub mod fake_verifier;
pub mod oathgated;
pub mod process;
pub mod sshd;
