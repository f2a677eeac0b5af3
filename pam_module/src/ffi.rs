//! The C side: PAM's entry points, and what pam-bindings has no call for.
//! Pointers only; nothing is decided here.

#![allow(unsafe_code)]
// The entry points come from a macro; their contract is pam(3)'s.
#![allow(missing_docs, clippy::missing_safety_doc)]

use std::ffi::{CStr, c_char};

use pam::module::PamHandle;

use crate::Oathgate;

pam::pam_hooks!(Oathgate);

unsafe extern "C" {
    /// pam_getenv(3), in the libpam that pam-bindings links.
    fn pam_getenv(handle: *mut PamHandle, name: *const c_char) -> *const c_char;
}

/// The value of `name` in PAM's own environment, which only the host and
/// other modules write.
pub(crate) fn getenv<'a>(handle: &'a mut PamHandle, name: &CStr) -> Option<&'a CStr> {
    // SAFETY: both pointers are valid for the call and the name ends in NUL
    // (pam_getenv(3)); libpam only reads through the handle.
    let value = unsafe { pam_getenv(handle, name.as_ptr()) };
    // SAFETY: not null, so it points at a string that ends in NUL and belongs
    // to libpam. Only pam_putenv(3) and pam_end(3) free it; both need the
    // handle, which stays borrowed as long as the result lives.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) })
}

#[cfg(test)]
mod tests {
    use std::ffi::c_int;
    use std::ptr::{NonNull, null, null_mut};

    use pam::constants::PamResultCode;
    use pam::macros::invoke_hook;

    use super::*;
    use crate::barrier;

    type Entry =
        unsafe extern "C" fn(*mut PamHandle, pam::constants::PamFlag, c_int, *const *const c_char) -> PamResultCode;

    const ENTRIES: [Entry; 6] = [
        pam_sm_authenticate,
        pam_sm_setcred,
        pam_sm_acct_mgmt,
        pam_sm_chauthtok,
        pam_sm_open_session,
        pam_sm_close_session,
    ];

    #[test]
    fn nonsense_from_the_host_is_abort() {
        let handle = NonNull::<PamHandle>::dangling().as_ptr();
        let empty = [c"debug".as_ptr(), null()];
        let cases: [(*mut PamHandle, c_int, *const *const c_char); 5] = [
            (null_mut(), 0, null()),
            (null_mut(), 1, empty.as_ptr()),
            (handle, -1, empty.as_ptr()),
            (handle, 1, null()),
            (handle, 2, empty.as_ptr()),
        ];
        for (index, (handle, argc, argv)) in cases.into_iter().enumerate() {
            for entry in ENTRIES {
                // SAFETY: what is invalid here is what the entry points promise to look at first.
                let code = unsafe { entry(handle, 0, argc, argv) };
                assert_eq!(code, PamResultCode::PAM_ABORT, "case {index}");
            }
        }
    }

    #[test]
    fn a_panic_does_not_reach_the_host() {
        let handle = NonNull::<PamHandle>::dangling().as_ptr();
        let hook = |_: &mut PamHandle, _: Vec<&CStr>| barrier::guarded(|| panic!("of no interest"));
        // SAFETY: the handle has size 0 and nothing looks behind it.
        let code = unsafe { invoke_hook(handle, 0, null(), hook) };
        assert_eq!(code, PamResultCode::PAM_ABORT);
    }

    #[test]
    fn what_the_module_does_not_do_is_harmless() {
        let handle = NonNull::<PamHandle>::dangling().as_ptr();
        for (entry, expected) in ENTRIES[1..].iter().zip([
            PamResultCode::PAM_SUCCESS,
            PamResultCode::PAM_SUCCESS,
            PamResultCode::PAM_IGNORE,
            PamResultCode::PAM_IGNORE,
            PamResultCode::PAM_IGNORE,
        ]) {
            // SAFETY: these entry points use neither the handle nor arguments.
            assert_eq!(unsafe { entry(handle, 0, 0, null()) }, expected);
        }
    }
}
