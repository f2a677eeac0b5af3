//! C's side: libcryptsetup.h by hand. Pointers only; nothing is decided here.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{NonNull, null, null_mut};

use crate::Errno;

/// What C has.
pub mod raw {
    /// `struct crypt_device`, of which nobody outside the library knows more.
    pub enum CryptDevice {}
}
use raw::CryptDevice;

#[link(name = "cryptsetup")]
unsafe extern "C" {
    fn crypt_init(cd: *mut *mut CryptDevice, device: *const c_char) -> c_int;
    fn crypt_free(cd: *mut CryptDevice);
    fn crypt_load(cd: *mut CryptDevice, kind: *const c_char, params: *mut c_void) -> c_int;
    fn crypt_log(cd: *mut CryptDevice, level: c_int, text: *const c_char);
    fn crypt_token_json_get(cd: *mut CryptDevice, token: c_int, json: *mut *const c_char) -> c_int;
    fn crypt_token_json_set(cd: *mut CryptDevice, token: c_int, json: *const c_char) -> c_int;
    fn crypt_safe_alloc(size: usize) -> *mut c_void;
    fn crypt_safe_free(data: *mut c_void);
}

/// CRYPT_ANY_TOKEN, CRYPT_ANY_SLOT.
const ANY: c_int = -1;

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

    fn cd(&self) -> *mut CryptDevice {
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

    /// Says a line, as cryptsetup or systemd says its own.
    pub fn log(&self, level: Level, line: &str) {
        if let Ok(line) = text(&format!("{line}\n")) {
            // SAFETY: a valid device; the string ends in NUL and is copied.
            unsafe { crypt_log(self.cd(), level as c_int, line.as_ptr()) };
        }
    }
}

/// A device of our own; freed when dropped.
pub struct Device(Handle);

impl Device {
    /// Opens the LUKS2 header on a device or in a file.
    ///
    /// # Errors
    /// When there is none, or it can't be read.
    pub fn load(path: &str) -> Result<Self, Errno> {
        let path = text(path)?;
        let mut cd = null_mut();
        // SAFETY: a place for one pointer; the string ends in NUL and is copied.
        Errno::check(unsafe { crypt_init(&raw mut cd, path.as_ptr()) })?;
        let device = Self(Handle(NonNull::new(cd).ok_or(Errno(libc::ENODEV))?));
        // SAFETY: a valid device; the string is constant.
        Errno::check(unsafe { crypt_load(device.0.cd(), c"LUKS2".as_ptr(), null_mut()) })?;
        Ok(device)
    }
}

impl std::ops::Deref for Device {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.0
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: from crypt_init, and freed once.
        unsafe { crypt_free(self.0.cd()) };
    }
}

/// Memory of libcryptsetup's that is wiped when it is freed.
pub struct SafeBuffer(NonNull<u8>, usize);

impl SafeBuffer {
    /// A copy of `bytes`; none where there is no memory.
    #[must_use]
    pub fn copy(bytes: &[u8]) -> Option<Self> {
        // SAFETY: no precondition; the memory is zeroed and as long as asked for.
        let start = NonNull::new(unsafe { crypt_safe_alloc(bytes.len()) }.cast::<u8>())?;
        // SAFETY: as many bytes are there, and nobody else has them.
        unsafe { start.as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Some(Self(start, bytes.len()))
    }

    /// For C, which hands it back to [`Self::free`].
    #[must_use]
    pub fn into_raw(self) -> (*mut c_char, usize) {
        let raw = (self.0.as_ptr().cast(), self.1);
        std::mem::forget(self);
        raw
    }

    /// Wipes and frees what C hands back.
    ///
    /// # Safety
    /// `start` is null or from [`Self::into_raw`], and not used again.
    pub unsafe fn free(start: *mut c_void) {
        if !start.is_null() {
            // SAFETY: from crypt_safe_alloc, by the caller's promise.
            unsafe { crypt_safe_free(start) };
        }
    }
}

impl Drop for SafeBuffer {
    fn drop(&mut self) {
        // SAFETY: from crypt_safe_alloc, and freed once.
        unsafe { crypt_safe_free(self.0.as_ptr().cast()) };
    }
}

/// Text for C.
fn text(text: &str) -> Result<CString, Errno> {
    CString::new(text).map_err(|_| Errno(libc::EINVAL))
}
