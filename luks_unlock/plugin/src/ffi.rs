//! C's side: the six functions that cryptsetup looks up, with the version
//! CRYPTSETUP_TOKEN_1.0. Pointers only; nothing is decided here.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};

use libc::{EINVAL, ENOENT};
use luks_cryptsetup::raw::CryptDevice;
use luks_cryptsetup::{Errno, Handle, SafeBuffer};

use crate::barrier::guarded;
use crate::calls;

// rustc would put what has `no_mangle` into a version script of its own, which
// knows no version; so the names are made here, and `token.map` exports them.
macro_rules! exported {
    ($($name:literal = $function:path;)*) => {
        $(std::arch::global_asm!(
            concat!(".globl ", $name),
            concat!(".type ", $name, ",@function"),
            concat!(".set ", $name, ",{function}"),
            function = sym $function,
        );)*
    };
}

exported! {
    "cryptsetup_token_version" = version;
    "cryptsetup_token_open" = open;
    "cryptsetup_token_open_pin" = open_pin;
    "cryptsetup_token_buffer_free" = buffer_free;
    "cryptsetup_token_validate" = validate;
    "cryptsetup_token_dump" = dump;
}

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");

extern "C" fn version() -> *const c_char {
    VERSION.as_ptr().cast()
}

/// crypt_token_open_func.
unsafe extern "C" fn open(
    cd: *mut CryptDevice,
    token: c_int,
    _buffer: *mut *mut c_char,
    _length: *mut usize,
    _user: *mut c_void,
) -> c_int {
    guarded(-ENOENT, || {
        // SAFETY: cryptsetup's device, valid for the call.
        let Some(handle) = (unsafe { Handle::lent(&cd) }) else { return -EINVAL };
        -calls::open(handle, token).0
    })
}

/// crypt_token_open_pin_func.
unsafe extern "C" fn open_pin(
    cd: *mut CryptDevice,
    token: c_int,
    pin: *const c_char,
    pin_length: usize,
    buffer: *mut *mut c_char,
    length: *mut usize,
    _user: *mut c_void,
) -> c_int {
    guarded(-ENOENT, || {
        if buffer.is_null() || length.is_null() {
            return -EINVAL;
        }
        // SAFETY: cryptsetup's device and the answer it read, both valid for the call.
        let (handle, answer) = unsafe { (Handle::lent(&cd), bytes(pin, pin_length)) };
        let (Some(handle), Some(answer)) = (handle, answer) else { return -EINVAL };
        match calls::open_pin(handle, token, answer) {
            Ok(key) => {
                let (start, count) = key.into_raw();
                // SAFETY: not null, and cryptsetup's places for these two.
                unsafe {
                    buffer.write(start);
                    length.write(count);
                }
                0
            }
            Err(Errno(number)) => -number,
        }
    })
}

/// crypt_token_buffer_free_func: only after a success of `open_pin`.
unsafe extern "C" fn buffer_free(buffer: *mut c_void, _length: usize) {
    // SAFETY: what `open_pin` gave, once.
    guarded((), || unsafe { SafeBuffer::free(buffer) });
}

/// crypt_token_validate_func.
unsafe extern "C" fn validate(cd: *mut CryptDevice, json: *const c_char) -> c_int {
    guarded(-EINVAL, || {
        // SAFETY: cryptsetup's device and its string, valid for the call.
        let (handle, json) = unsafe { (Handle::lent(&cd), text(json)) };
        let (Some(handle), Some(json)) = (handle, json) else { return -EINVAL };
        calls::validate(handle, json).map_or_else(|error| -error.0, |()| 0)
    })
}

/// crypt_token_dump_func.
unsafe extern "C" fn dump(cd: *mut CryptDevice, json: *const c_char) {
    guarded((), || {
        // SAFETY: cryptsetup's device and its string, valid for the call.
        let (handle, json) = unsafe { (Handle::lent(&cd), text(json)) };
        if let (Some(handle), Some(json)) = (handle, json) {
            calls::dump(handle, json);
        }
    });
}

/// # Safety
/// `start` is null, or points at `length` bytes that live for `'a`.
unsafe fn bytes<'a>(start: *const c_char, length: usize) -> Option<&'a [u8]> {
    // A length that no answer has is cryptsetup's mistake, not to be read.
    let readable = !start.is_null() && isize::try_from(length).is_ok();
    // SAFETY: by the caller's promise.
    readable.then(|| unsafe { std::slice::from_raw_parts(start.cast(), length) })
}

/// # Safety
/// `text` is null, or a string that ends in NUL and lives for `'a`.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a str> {
    // SAFETY: by the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }).and_then(|text| text.to_str().ok())
}

#[cfg(test)]
mod tests {
    use std::ptr::{null, null_mut};

    use super::*;

    #[test]
    fn nothing_is_refused_and_not_followed() {
        let (mut buffer, mut length) = (null_mut(), 0);
        // SAFETY: what is null is what the functions look at first.
        unsafe {
            assert_eq!(open(null_mut(), 0, null_mut(), null_mut(), null_mut()), -EINVAL);
            let (place, count) = (&raw mut buffer, &raw mut length);
            let pin = c"pin123456".as_ptr();
            assert_eq!(open_pin(null_mut(), 0, pin, 9, place, count, null_mut()), -EINVAL);
            assert_eq!(open_pin(null_mut(), 0, null(), 9, place, count, null_mut()), -EINVAL);
            assert_eq!(open_pin(null_mut(), 0, pin, usize::MAX, place, count, null_mut()), -EINVAL);
            assert_eq!(open_pin(null_mut(), 0, pin, 9, null_mut(), count, null_mut()), -EINVAL);
            assert_eq!(open_pin(null_mut(), 0, pin, 9, place, null_mut(), null_mut()), -EINVAL);
            assert_eq!(validate(null_mut(), c"{}".as_ptr()), -EINVAL);
            assert_eq!(validate(null_mut(), null()), -EINVAL);
            dump(null_mut(), null());
            buffer_free(null_mut(), 7);
            assert_eq!(CStr::from_ptr(version()).to_str(), Ok(env!("CARGO_PKG_VERSION")));
        }
        assert!(buffer.is_null() && length == 0);
    }
}
