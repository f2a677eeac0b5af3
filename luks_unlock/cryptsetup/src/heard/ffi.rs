//! C's side: what the library would print.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::{Mutex, PoisonError};

use crate::handle::raw::CryptDevice;
use crate::strings::copied;

#[link(name = "cryptsetup")]
unsafe extern "C" {
    fn crypt_set_log_callback(
        cd: *mut CryptDevice,
        log: Option<extern "C" fn(c_int, *const c_char, *mut c_void)>,
        user: *mut c_void,
    );
}

/// What the library said since [`hear`].
static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps what the library would print.
pub fn hear() {
    // SAFETY: no device, so the callback is for all; it lives as long as the program.
    unsafe { crypt_set_log_callback(null_mut(), Some(listen), null_mut()) };
}

/// Everything that was kept.
#[must_use]
pub fn heard() -> Vec<String> {
    std::mem::take(&mut *HEARD.lock().unwrap_or_else(PoisonError::into_inner))
}

extern "C" fn listen(level: c_int, line: *const c_char, _user: *mut c_void) {
    // CRYPT_LOG_NORMAL and CRYPT_LOG_ERROR
    if matches!(level, 0 | 1) {
        // SAFETY: a string of the library's that ends in NUL.
        if let Some(line) = unsafe { copied(line) } {
            HEARD.lock().unwrap_or_else(PoisonError::into_inner).push(line.trim_end().to_owned());
        }
    }
}
