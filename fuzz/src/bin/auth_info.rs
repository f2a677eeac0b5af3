//! SSH_AUTH_INFO_0, as the PAM module finds it.

#![no_main]

#[allow(dead_code)] // the module uses more of it
#[path = "../../../pam_module/src/auth_info.rs"]
mod auth_info;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &[u8]| {
    let Ok(keys) = auth_info::keys(value) else { return };
    let lines = value.split(|byte| *byte == b'\n');
    let about_keys = lines.filter(|line| line.trim_ascii_start().starts_with(b"publickey")).count();
    assert_eq!(keys.len(), about_keys, "a key that somebody used was passed over");
});
