//! The way over from google-authenticator and pam_oath, and back: real modules,
//! real files, real logins through migrated stacks; and their public test cases.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cases;
mod compared;
mod google_cases;
mod google_logins;
mod oath_cases;
mod oath_logins;
mod stage;
