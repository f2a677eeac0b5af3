//! C's side: libcryptsetup.h by hand. Pointers only; nothing is decided here.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{NonNull, null, null_mut};
use std::sync::{Mutex, PoisonError};

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
    fn crypt_init_data_device(cd: *mut *mut CryptDevice, header: *const c_char, device: *const c_char) -> c_int;
    fn crypt_init_by_name_and_header(cd: *mut *mut CryptDevice, name: *const c_char, header: *const c_char) -> c_int;
    fn crypt_get_type(cd: *mut CryptDevice) -> *const c_char;
    fn crypt_get_uuid(cd: *mut CryptDevice) -> *const c_char;
    fn crypt_set_log_callback(
        cd: *mut CryptDevice,
        log: Option<extern "C" fn(c_int, *const c_char, *mut c_void)>,
        user: *mut c_void,
    );
    fn crypt_set_pbkdf_type(cd: *mut CryptDevice, pbkdf: *const Pbkdf) -> c_int;
    fn crypt_keyslot_status(cd: *mut CryptDevice, slot: c_int) -> c_int;
    fn crypt_keyslot_destroy(cd: *mut CryptDevice, slot: c_int) -> c_int;
    fn crypt_keyslot_add_by_passphrase(
        cd: *mut CryptDevice,
        slot: c_int,
        old: *const c_char,
        old_length: usize,
        new: *const c_char,
        new_length: usize,
    ) -> c_int;
    fn crypt_token_status(cd: *mut CryptDevice, token: c_int, kind: *mut *const c_char) -> c_int;
    fn crypt_reencrypt_status(cd: *mut CryptDevice, params: *mut c_void) -> c_int;
    fn crypt_header_backup(cd: *mut CryptDevice, kind: *const c_char, file: *const c_char) -> c_int;
    fn crypt_activate_by_passphrase(
        cd: *mut CryptDevice,
        name: *const c_char,
        slot: c_int,
        passphrase: *const c_char,
        length: usize,
        flags: u32,
    ) -> c_int;
    fn crypt_deactivate_by_name(cd: *mut CryptDevice, name: *const c_char, flags: u32) -> c_int;
    fn crypt_suspend(cd: *mut CryptDevice, name: *const c_char) -> c_int;
    fn crypt_resume_by_passphrase(
        cd: *mut CryptDevice,
        name: *const c_char,
        slot: c_int,
        passphrase: *const c_char,
        length: usize,
    ) -> c_int;
    fn crypt_log(cd: *mut CryptDevice, level: c_int, text: *const c_char);
    fn crypt_token_json_get(cd: *mut CryptDevice, token: c_int, json: *mut *const c_char) -> c_int;
    fn crypt_token_json_set(cd: *mut CryptDevice, token: c_int, json: *const c_char) -> c_int;
    fn crypt_safe_alloc(size: usize) -> *mut c_void;
    fn crypt_safe_free(data: *mut c_void);
}

/// CRYPT_ANY_TOKEN, CRYPT_ANY_SLOT.
const ANY: c_int = -1;

/// `struct crypt_pbkdf_type`.
#[repr(C)]
struct Pbkdf {
    kind: *const c_char,
    hash: *const c_char,
    time_ms: u32,
    iterations: u32,
    max_memory_kb: u32,
    parallel_threads: u32,
    flags: u32,
}

/// How libcryptsetup is to stretch what opens a new keyslot (Argon2id).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// KiB, at least 32.
    pub memory: u32,
    /// Passes, at least 4.
    pub passes: u32,
}

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

/// A device of our own; freed when dropped.
pub struct Device(Handle);

impl Device {
    /// Opens the header on a device or in a file; with `data`, the header of
    /// that device.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn open(header: &str, data: Option<&str>) -> Result<Self, Errno> {
        let (header, data) = (text(header)?, data.map(text).transpose()?);
        let mut cd = null_mut();
        // SAFETY: a place for one pointer; the strings end in NUL and are copied.
        let code = unsafe {
            match &data {
                None => crypt_init(&raw mut cd, header.as_ptr()),
                Some(data) => crypt_init_data_device(&raw mut cd, header.as_ptr(), data.as_ptr()),
            }
        };
        Self::made(code, cd)
    }

    /// The open volume with this name, and its header.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str, header: Option<&str>) -> Result<Self, Errno> {
        let (name, header) = (text(name)?, header.map(text).transpose()?);
        let header = header.as_ref().map_or(null(), |header| header.as_ptr());
        let mut cd = null_mut();
        // SAFETY: as in `open`.
        let code = unsafe { crypt_init_by_name_and_header(&raw mut cd, name.as_ptr(), header) };
        Self::made(code, cd)
    }

    fn made(code: c_int, cd: *mut CryptDevice) -> Result<Self, Errno> {
        Errno::check(code)?;
        Ok(Self(Handle(NonNull::new(cd).ok_or(Errno(libc::ENODEV))?)))
    }

    /// Reads the header. Its type: `LUKS1`, `LUKS2`.
    ///
    /// # Errors
    /// When there is none.
    pub fn load(&self) -> Result<String, Errno> {
        // SAFETY: a valid device; null means any type.
        Errno::check(unsafe { crypt_load(self.cd(), null(), null_mut()) })?;
        // SAFETY: a valid device; the string is the library's.
        Ok(unsafe { copied(crypt_get_type(self.cd())) }.unwrap_or_default())
    }
    /// The type of a token, where there is one with this number.
    #[must_use]
    pub fn token_type(&self, token: i32) -> Option<String> {
        let mut kind = null();
        // SAFETY: a valid device, and a place for one pointer to a string of the library's.
        unsafe {
            crypt_token_status(self.cd(), token, &raw mut kind);
            copied(kind)
        }
    }

    /// Whether a keyslot opens the volume.
    #[must_use]
    pub fn keyslot_is_active(&self, slot: i32) -> bool {
        // SAFETY: a valid device.
        let status = unsafe { crypt_keyslot_status(self.cd(), slot) };
        // CRYPT_SLOT_ACTIVE, CRYPT_SLOT_ACTIVE_LAST
        matches!(status, 2 | 3)
    }

    /// Whether a re-encryption is under way (CRYPT_REENCRYPT_NONE is 0).
    #[must_use]
    pub fn is_being_reencrypted(&self) -> bool {
        // SAFETY: a valid device; null asks for no details.
        unsafe { crypt_reencrypt_status(self.cd(), null_mut()) != 0 }
    }

    /// Adds a keyslot for `new`. Its number.
    ///
    /// # Errors
    /// When `old` opens nothing, or there is no room.
    pub fn add_keyslot(&self, old: &[u8], new: &[u8], stretch: Stretch) -> Result<i32, Errno> {
        const NO_BENCHMARK: u32 = 1 << 1;
        let pbkdf = Pbkdf {
            kind: c"argon2id".as_ptr(),
            hash: c"sha256".as_ptr(),
            time_ms: 0,
            iterations: stretch.passes,
            max_memory_kb: stretch.memory,
            parallel_threads: 1,
            flags: NO_BENCHMARK,
        };
        // SAFETY: a valid device; the structure and its strings are copied.
        Errno::check(unsafe { crypt_set_pbkdf_type(self.cd(), &raw const pbkdf) })?;
        let (old, new, lengths) = (old.as_ptr().cast(), new.as_ptr().cast(), (old.len(), new.len()));
        // SAFETY: a valid device, and bytes with their lengths.
        Errno::check(unsafe { crypt_keyslot_add_by_passphrase(self.cd(), ANY, old, lengths.0, new, lengths.1) })
    }

    /// Wipes a keyslot.
    ///
    /// # Errors
    /// When the header can't be written.
    pub fn destroy_keyslot(&self, slot: i32) -> Result<(), Errno> {
        // SAFETY: a valid device.
        Errno::check(unsafe { crypt_keyslot_destroy(self.cd(), slot) }).map(drop)
    }

    /// Copies the header into a new file.
    ///
    /// # Errors
    /// When the file is there already, or can't be written.
    pub fn back_up(&self, file: &str) -> Result<(), Errno> {
        let file = text(file)?;
        // SAFETY: a valid device; the strings end in NUL.
        Errno::check(unsafe { crypt_header_backup(self.cd(), c"LUKS2".as_ptr(), file.as_ptr()) }).map(drop)
    }

    /// Maps the volume under `name`, or only tries the passphrase; in keyslot
    /// `slot`, or in any. The keyslot that it opened.
    ///
    /// # Errors
    /// When the passphrase opens nothing, or the volume can't be mapped.
    pub fn activate(&self, name: Option<&str>, slot: Option<i32>, key: &[u8], flags: u32) -> Result<i32, Errno> {
        let (name, slot) = (name.map(text).transpose()?, slot.unwrap_or(ANY));
        let (name, bytes) = (name.as_ref().map_or(null(), |name| name.as_ptr()), key.as_ptr().cast());
        // SAFETY: a valid device, a string that ends in NUL or null, and bytes with their length.
        Errno::check(unsafe { crypt_activate_by_passphrase(self.cd(), name, slot, bytes, key.len(), flags) })
    }

    /// Takes the mapping away.
    ///
    /// # Errors
    /// When it is in use.
    pub fn deactivate(&self, name: &str) -> Result<(), Errno> {
        let name = text(name)?;
        // SAFETY: a valid device; the string ends in NUL.
        Errno::check(unsafe { crypt_deactivate_by_name(self.cd(), name.as_ptr(), 0) }).map(drop)
    }

    /// Stops the mapping and wipes its key.
    ///
    /// # Errors
    /// When it is stopped already.
    pub fn suspend(&self, name: &str) -> Result<(), Errno> {
        let name = text(name)?;
        // SAFETY: a valid device; the string ends in NUL.
        Errno::check(unsafe { crypt_suspend(self.cd(), name.as_ptr()) }).map(drop)
    }

    /// Lets a stopped mapping go on.
    ///
    /// # Errors
    /// When the passphrase opens nothing, or the mapping isn't stopped.
    pub fn resume(&self, name: &str, slot: Option<i32>, key: &[u8]) -> Result<(), Errno> {
        let (name, slot, bytes) = (text(name)?, slot.unwrap_or(ANY), key.as_ptr().cast());
        // SAFETY: a valid device, a string that ends in NUL, and bytes with their length.
        Errno::check(unsafe { crypt_resume_by_passphrase(self.cd(), name.as_ptr(), slot, bytes, key.len()) }).map(drop)
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

/// A copy of a string of the library's.
///
/// # Safety
/// `text` is null, or a string that ends in NUL.
unsafe fn copied(text: *const c_char) -> Option<String> {
    // SAFETY: by the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
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
