//! The words behind pam_oathgate.so in /etc/pam.d, one a line here.

#![no_main]

#[allow(dead_code)] // the module uses more of it
#[path = "../../../pam_module/src/options.rs"]
mod options;

use std::ffi::{CStr, CString};

use libfuzzer_sys::fuzz_target;
use options::{FirstPass, Nullok, Options, Require, Via};

fuzz_target!(|text: &[u8]| {
    let words: Vec<CString> = text.split(|byte| *byte == b'\n').filter_map(|word| CString::new(word).ok()).collect();
    let words: Vec<&CStr> = words.iter().map(CString::as_c_str).collect();
    let has = |word: &CStr| words.contains(&word);
    let begins = |name: &[u8]| words.iter().any(|word| word.to_bytes().starts_with(name));
    match Options::parse(&words) {
        Ok(options) => {
            assert_eq!(options.nullok == Nullok::On, has(c"nullok"));
            assert_eq!(matches!(options.nullok, Nullok::Until(_)), begins(b"nullok_until="));
            assert_eq!(options.first_pass == FirstPass::Use, has(c"use_first_pass"));
            assert!(!(options.forward_pass && options.echo), "the password would be shown");
            assert_eq!(options.prompt.is_some(), begins(b"authtok_prompt="));
            assert!(options.prompt.is_none_or(|text| !text.is_empty() && !text.contains(char::is_control)));
            assert!(options.terms.grace.is_none_or(|seconds| (1..=86_400).contains(&seconds)));
            assert!(options.terms.digits.is_none_or(|digits| (6..=8).contains(&digits)));
            assert!(!options.terms.behind_password);
            assert_eq!(options.require_publickey == Require::No, has(c"require_publickey=no"));
            assert_eq!(options.via == Via::Spawn, has(c"verifier=spawn"));
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
    }
});
