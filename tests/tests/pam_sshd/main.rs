//! Logins by PAM: a real sshd with the module as it is shipped, the real
//! verifier, and the real ssh. As root, in a mount namespace of their own; the
//! machine's /etc/pam.d and /dev stay as they are.

#![allow(clippy::expect_used, clippy::panic)]

mod doctor;
mod logins;
mod misconfigured;
mod on_top;
mod races;
mod world;
