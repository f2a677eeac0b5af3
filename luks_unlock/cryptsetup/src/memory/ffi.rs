//! C's side: memory that is wiped.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_void};
use std::ptr::NonNull;

#[link(name = "cryptsetup")]
unsafe extern "C" {
    fn crypt_safe_alloc(size: usize) -> *mut c_void;
    fn crypt_safe_free(data: *mut c_void);
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
