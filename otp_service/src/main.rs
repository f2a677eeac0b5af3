//! `oathgated`: the only program that opens the store.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    otp_service::run()
}
