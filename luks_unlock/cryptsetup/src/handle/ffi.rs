//! C's side: a device that cryptsetup lends. Pointers only; nothing is decided here.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};
use std::ptr::{NonNull, null};

use crate::Errno;
use crate::strings::{copied, text};
use raw::CryptDevice;

/// What C has.
pub mod raw {
    /// `struct crypt_device`, of which nobody outside the library knows more.
    pub enum CryptDevice {}
}

#[link(name = "cryptsetup")]
unsafe extern "C" {
    fn crypt_get_uuid(cd: *mut CryptDevice) -> *const c_char;
    fn crypt_log(cd: *mut CryptDevice, level: c_int, text: *const c_char);
    fn crypt_token_json_get(cd: *mut CryptDevice, token: c_int, json: *mut *const c_char) -> c_int;
    fn crypt_token_json_set(cd: *mut CryptDevice, token: c_int, json: *const c_char) -> c_int;
}

/// `CRYPT_ANY_TOKEN`, `CRYPT_ANY_SLOT`.
pub const ANY: c_int = -1;

/// Where a line of the library's log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// CRYPT_LOG_NORMAL: standard output.
    Normal = 0,
    /// CRYPT_LOG_ERROR: standard error.
    Error = 1,
}

/// A device that libcryptsetup has open; somebody else frees it.
#[repr(transparent)]
pub struct Handle(NonNull<CryptDevice>);

impl Handle {
    /// The handle behind a pointer of cryptsetup's; none if that is null.
    ///
    /// # Safety
    /// `cd` is null, or a device that stays valid as long as `cd` is lent and that nobody
    /// else uses meanwhile.
    #[must_use]
    pub unsafe fn lent(cd: &*mut CryptDevice) -> Option<&Self> {
        if cd.is_null() {
            return None;
        }
        // SAFETY: the same layout (transparent), not null, and valid that long
        // by the caller's promise.
        Some(unsafe { &*std::ptr::from_ref(cd).cast::<Self>() })
    }

    /// One of our own, which its owner frees.
    pub(crate) fn of(cd: NonNull<CryptDevice>) -> Self {
        Self(cd)
    }

    /// For C.
    pub(crate) fn cd(&self) -> *mut CryptDevice {
        self.0.as_ptr()
    }

    /// A copy of a token's JSON; none where there is no such token, or it is
    /// not UTF-8.
    #[must_use]
    pub fn token_json(&self, token: i32) -> Option<String> {
        let mut json = null();
        // SAFETY: a valid device, and a place for one pointer.
        let code = unsafe { crypt_token_json_get(self.cd(), token, &raw mut json) };
        if code < 0 || json.is_null() {
            return None;
        }
        // SAFETY: a string that ends in NUL and lives until the token is set
        // or the device freed; it is copied before that.
        let text = unsafe { CStr::from_ptr(json) };
        text.to_str().ok().map(str::to_owned)
    }

    /// Writes a token, into a free place where there is no number, and removes
    /// it where there is no JSON. The number.
    ///
    /// # Errors
    /// When the header on the disk is not the one that was read, or can't be
    /// written.
    pub fn set_token_json(&self, token: Option<i32>, json: Option<&str>) -> Result<i32, Errno> {
        let json = json.map(text).transpose()?;
        let pointer = json.as_ref().map_or(null(), |json| json.as_ptr());
        // SAFETY: a valid device; the string ends in NUL and is copied.
        Errno::check(unsafe { crypt_token_json_set(self.cd(), token.unwrap_or(ANY), pointer) })
    }

    /// The UUID in the header.
    #[must_use]
    pub fn uuid(&self) -> String {
        // SAFETY: a valid device; the string is the library's.
        unsafe { copied(crypt_get_uuid(self.cd())) }.unwrap_or_default()
    }

    /// Says a line, as cryptsetup or systemd says its own.
    pub fn log(&self, level: Level, line: &str) {
        if let Ok(line) = text(&format!("{line}\n")) {
            // SAFETY: a valid device; the string ends in NUL and is copied.
            unsafe { crypt_log(self.cd(), level as c_int, line.as_ptr()) };
        }
    }
}
