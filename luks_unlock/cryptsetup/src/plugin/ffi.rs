//! C's side: where libcryptsetup looks for plugins, and which of ours is there.

#![allow(unsafe_code)]

use std::ffi::{CString, c_char};
use std::path::{Path, PathBuf};

use crate::strings::copied;

#[link(name = "cryptsetup")]
unsafe extern "C" {
    fn crypt_token_external_path() -> *const c_char;
}

/// The file that libcryptsetup loads for a token of this type; none where it
/// loads no plugins.
#[must_use]
pub fn place(kind: &str) -> Option<PathBuf> {
    // SAFETY: no precondition; null, or a string of the library's.
    let folder = unsafe { copied(crypt_token_external_path()) }?;
    Some(Path::new(&folder).join(format!("libcryptsetup-token-{kind}.so")))
}

/// What a plugin says of its version, loaded as libcryptsetup would load it.
///
/// # Errors
/// Why it can't be loaded, or that it is no plugin.
pub fn version(file: &Path) -> Result<String, String> {
    let path = CString::new(file.as_os_str().as_encoded_bytes()).map_err(|error| error.to_string())?;
    // SAFETY: a string that ends in NUL. What is loaded stays loaded.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if library.is_null() {
        // SAFETY: after a failure, a string that ends in NUL; it is copied at once.
        return Err(unsafe { copied(libc::dlerror()) }.unwrap_or_default());
    }
    let (name, version) = (c"cryptsetup_token_version", c"CRYPTSETUP_TOKEN_1.0");
    // SAFETY: a library, and strings that end in NUL.
    let found = unsafe { libc::dlvsym(library, name.as_ptr(), version.as_ptr()) };
    if found.is_null() {
        return Err("it has not the functions that cryptsetup looks for".to_owned());
    }
    // SAFETY: crypt_token_version_func of libcryptsetup.h, under that name and version.
    let function: extern "C" fn() -> *const c_char = unsafe { std::mem::transmute(found) };
    // SAFETY: null, or a string that ends in NUL and stays with the library.
    Ok(unsafe { copied(function()) }.unwrap_or_default())
}
