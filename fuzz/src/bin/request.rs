//! Requests, as the verifier reads them from anybody, and the lines of a bulk.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oathgate_fuzz::rewritten;
use otp_wire::message::bulk::More;
use otp_wire::{Everything, LoginsOnly, Request};

fuzz_target!(|line: &[u8]| {
    let _ = rewritten::<More>(line);
    let everything = rewritten::<Request<Everything>>(line);
    if let Some(logins) = rewritten::<Request<LoginsOnly>>(line) {
        assert_eq!(Some(logins), everything, "both scopes mean the same by it");
    }
});
