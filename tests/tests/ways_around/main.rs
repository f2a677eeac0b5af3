//! Ways around the forced command: that each works against a real sshd, that
//! `oathgate doctor ssh` names it, and that what `ssh install` writes closes it.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod closed;
mod doctor;
mod environment;
mod google;
mod lines;
mod world;
