//! pam_oathgate.so as it is shipped, loaded by the real libpam, against a
//! verifier that says what a test wants.

#![allow(clippy::expect_used, clippy::panic)]

mod accounts;
mod bad_input;
mod bad_verifiers;
mod codes;
mod flow;
mod library;
mod memory;
mod options;
mod spawn;
mod world;
