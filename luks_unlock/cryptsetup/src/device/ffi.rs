//! C's side: a device of our own, by libcryptsetup.h. Pointers only; nothing is decided here.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};
use std::ptr::{NonNull, null, null_mut};

use crate::Errno;
use crate::handle::raw::CryptDevice;
use crate::handle::{ANY, Handle};
use crate::strings::{copied, text};

#[link(name = "cryptsetup")]
unsafe extern "C" {
    fn crypt_init(cd: *mut *mut CryptDevice, device: *const c_char) -> c_int;
    fn crypt_free(cd: *mut CryptDevice);
    fn crypt_load(cd: *mut CryptDevice, kind: *const c_char, params: *mut c_void) -> c_int;
    fn crypt_init_data_device(cd: *mut *mut CryptDevice, header: *const c_char, device: *const c_char) -> c_int;
    fn crypt_init_by_name_and_header(cd: *mut *mut CryptDevice, name: *const c_char, header: *const c_char) -> c_int;
    fn crypt_get_type(cd: *mut CryptDevice) -> *const c_char;
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
}

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
        Ok(Self(Handle::of(NonNull::new(cd).ok_or(Errno(libc::ENODEV))?)))
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
