//! The words behind pam_oathgate.so in /etc/pam.d, one a line here.

#![no_main]

#[allow(dead_code)] // the module uses more of it
#[path = "../../../pam_module/src/options.rs"]
mod options;

use std::ffi::{CStr, CString};

use libfuzzer_sys::fuzz_target;
use options::{Options, Require, Via};

fuzz_target!(|text: &[u8]| {
    let words: Vec<CString> = text.split(|byte| *byte == b'\n').filter_map(|word| CString::new(word).ok()).collect();
    let words: Vec<&CStr> = words.iter().map(CString::as_c_str).collect();
    let has = |word: &CStr| words.contains(&word);
    match Options::parse(&words) {
        Ok(options) => {
            assert_eq!(options.nullok, has(c"nullok"));
            assert_eq!(options.require_publickey == Require::No, has(c"require_publickey=no"));
            assert_eq!(options.via == Via::Spawn, has(c"verifier=spawn"));
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
    }
});
