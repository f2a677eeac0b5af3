//! The barrier: nothing unwinds into C, and a panic is heard by nobody but
//! the log.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use otp_wire::syslog;
use pam::constants::PamResultCode;

thread_local! {
    /// Whether this thread is behind the barrier. No destructor.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Calls `call`. If it panics, nothing is printed and the answer is `PAM_ABORT`.
pub fn guarded(call: impl FnOnce() -> PamResultCode) -> PamResultCode {
    let result = catch_unwind(AssertUnwindSafe(|| {
        silence();
        let before = INSIDE.replace(true);
        let code = call();
        INSIDE.set(before);
        code
    }));
    result.unwrap_or_else(|payload| {
        // To drop a payload runs its destructor, and that may panic too.
        std::mem::forget(payload);
        let _ = catch_unwind(|| syslog::authpriv("pam_oathgate", "internal error: refused")).map_err(std::mem::forget);
        let _ = catch_unwind(|| INSIDE.set(false)).map_err(std::mem::forget);
        PamResultCode::PAM_ABORT
    })
}

/// Makes panics behind the barrier silent: the default hook would print to
/// whatever the host has as descriptor 2. In the module this is the hook of
/// our own std and of nobody else; the hook before it still serves a program
/// that links this crate, such as a test.
fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !INSIDE.get() {
                before(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Panics again when it is dropped.
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::panic_any(Self);
        }
    }

    #[test]
    fn a_panic_is_abort() {
        assert_eq!(guarded(|| panic!("of no interest")), PamResultCode::PAM_ABORT);
        assert_eq!(guarded(|| std::panic::panic_any(Bomb)), PamResultCode::PAM_ABORT);
        assert_eq!(guarded(|| PamResultCode::PAM_AUTH_ERR), PamResultCode::PAM_AUTH_ERR);
    }

    #[test]
    fn a_panic_is_silent() {
        const CHILD: &str = "OATHGATE_TEST_PANICS";
        if std::env::var_os(CHILD).is_some() {
            assert_eq!(guarded(|| panic!("heard")), PamResultCode::PAM_ABORT);
            let _ = catch_unwind(|| panic!("outside"));
            return;
        }
        let this = std::env::current_exe().unwrap();
        let output = Command::new(this)
            .args(["--exact", "barrier::tests::a_panic_is_silent", "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        assert!(!stderr.contains("heard"), "{stderr}");
        assert!(stderr.contains("outside"), "the host's own hook still works: {stderr}");
    }
}
