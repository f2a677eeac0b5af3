//! C's side: where libcryptsetup looks for plugins, and which of ours is there.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char};
use std::path::{Path, PathBuf};

#[link(name = "cryptsetup")]
unsafe extern "C" {
    fn crypt_token_external_path() -> *const c_char;
}

/// The file that libcryptsetup loads for a token of this type; none where it
/// loads no plugins.
#[must_use]
pub fn place(kind: &str) -> Option<PathBuf> {
    // SAFETY: no precondition; null, or a string of the library's that stays.
    let folder = unsafe { crypt_token_external_path().as_ref().map(|start| CStr::from_ptr(start)) }?;
    Some(Path::new(folder.to_str().ok()?).join(format!("libcryptsetup-token-{kind}.so")))
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
        let why = unsafe { libc::dlerror().as_ref().map(|start| CStr::from_ptr(start)) };
        return Err(why.map_or_else(String::new, |why| why.to_string_lossy().into_owned()));
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
    let text = unsafe { function().as_ref().map(|start| CStr::from_ptr(start)) };
    Ok(text.map_or_else(String::new, |text| text.to_string_lossy().into_owned()))
}
