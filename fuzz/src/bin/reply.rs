//! Replies, as front ends read them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oathgate_fuzz::rewritten;
use otp_wire::{Everything, LoginsOnly, Reply};

fuzz_target!(|line: &[u8]| {
    let everything = rewritten::<Reply<Everything>>(line);
    if let Some(logins) = rewritten::<Reply<LoginsOnly>>(line) {
        assert_eq!(Some(logins), everything, "both scopes mean the same by it");
    }
});
