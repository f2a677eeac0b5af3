//! Strings, to C and from it.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char};

use crate::Errno;

/// Text for C.
///
/// # Errors
/// When there is a NUL in it.
pub fn text(text: &str) -> Result<CString, Errno> {
    CString::new(text).map_err(|_| Errno(libc::EINVAL))
}

/// A copy of a string of the library's.
///
/// # Safety
/// `text` is null, or a string that ends in NUL.
pub unsafe fn copied(text: *const c_char) -> Option<String> {
    // SAFETY: by the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
