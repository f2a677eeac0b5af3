//! The C side: PAM's entry points, and what pam-bindings has no call for.
//! Pointers only; nothing is decided here.

#![allow(unsafe_code)]
// The entry points come from a macro; their contract is pam(3)'s.
#![allow(missing_docs, clippy::missing_safety_doc)]

use std::ffi::{CStr, c_char};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::{null, null_mut, without_provenance_mut};

use libc::{c_int, c_uint, c_void, pid_t};
use pam::items::ItemType;
use pam::module::PamHandle;
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, pidfd_open, pidfd_send_signal, waitid,
    waitpid,
};

use crate::Oathgate;

pam::pam_hooks!(Oathgate);

// In the libpam that pam-bindings links.
unsafe extern "C" {
    /// pam_getenv(3).
    fn pam_getenv(handle: *mut PamHandle, name: *const c_char) -> *const c_char;
    /// pam_set_item(3).
    fn pam_set_item(handle: *mut PamHandle, item: c_int, value: *const c_void) -> c_int;
    /// pam_fail_delay(3).
    fn pam_fail_delay(handle: *mut PamHandle, microseconds: c_uint) -> c_int;
    /// pam_get_data(3).
    fn pam_get_data(handle: *const PamHandle, name: *const c_char, data: *mut *const c_void) -> c_int;
    /// pam_set_data(3).
    fn pam_set_data(
        handle: *mut PamHandle,
        name: *const c_char,
        data: *mut c_void,
        cleanup: Option<extern "C" fn(*mut PamHandle, *mut c_void, c_int)>,
    ) -> c_int;
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

/// Sets PAM_AUTHTOK; whether that worked.
pub(crate) fn set_authtok(handle: &mut PamHandle, value: &CStr) -> bool {
    // SAFETY: a string item, of which libpam makes a copy that it wipes (pam_set_item(3)).
    unsafe { pam_set_item(handle, ItemType::AuthTok as c_int, value.as_ptr().cast()) == 0 }
}

/// Has libpam wait before it tells of a refusal.
pub(crate) fn fail_delay(handle: &mut PamHandle, microseconds: u32) {
    // SAFETY: a number; the longest that any module asks for counts (pam_fail_delay(3)).
    unsafe { pam_fail_delay(handle, microseconds) };
}

/// Counts in the handle, under `name`: what it was before.
pub(crate) fn count(handle: &mut PamHandle, name: &CStr) -> usize {
    let mut before = null();
    // SAFETY: the name ends in NUL, and libpam writes at most the pointer
    // (pam_get_data(3)), which is never followed: it is the number itself.
    unsafe { pam_get_data(handle, name.as_ptr(), &raw mut before) };
    let (before, after) = (before.addr(), without_provenance_mut(before.addr().saturating_add(1)));
    // SAFETY: libpam copies the name and keeps the pointer (pam_set_data(3)).
    unsafe { pam_set_data(handle, name.as_ptr(), after, None) };
    before
}

/// A started program. It is ended and waited for when dropped. It is held by
/// a descriptor, because its number may be somebody else's by then: a host
/// that ignores SIGCHLD, or reaps all its children, reaps this one too.
pub(crate) struct Child(OwnedFd);

impl Child {
    /// Starts `program --stdio` with `stdio` as its standard input and output,
    /// /dev/null as standard error, no environment, no other descriptor and
    /// every signal as by default (posix_spawn(3)). std's `Command` does less
    /// of this, and would be a tenth of the module.
    pub(crate) fn start(program: &CStr, stdio: BorrowedFd<'_>) -> io::Result<Self> {
        let mut plan = Plan::new()?;
        plan.arrange(stdio.as_raw_fd())?;
        let argv = [program.as_ptr().cast_mut(), c"--stdio".as_ptr().cast_mut(), null_mut()];
        let envp = [null_mut()];
        let mut pid: pid_t = 0;
        // SAFETY: every pointer lives to the end of the call; argv and envp end
        // in null, as posix_spawn(3) wants, and are not written to.
        let code = unsafe {
            libc::posix_spawn(
                &raw mut pid,
                program.as_ptr(),
                &raw const plan.actions,
                &raw const plan.attributes,
                argv.as_ptr(),
                envp.as_ptr(),
            )
        };
        check(code)?;
        let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::NotFound)?;
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(child) => Ok(Self(child)),
            Err(errno) => {
                // It waits for its request, so the number is still its own.
                let _ = kill_process(pid, Signal::KILL);
                let _ = waitpid(Some(pid), WaitOptions::empty());
                Err(errno.into())
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = pidfd_send_signal(&self.0, Signal::KILL);
        while matches!(waitid(WaitId::PidFd(self.0.as_fd()), WaitIdOptions::EXITED), Err(Errno::INTR)) {}
    }
}

/// What posix_spawn(3) is to do between fork and exec.
struct Plan {
    actions: libc::posix_spawn_file_actions_t,
    attributes: libc::posix_spawnattr_t,
}

impl Plan {
    fn new() -> io::Result<Self> {
        let (mut actions, mut attributes) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: both functions initialise what they point at, or fail.
        check(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        // SAFETY: as above.
        let code = unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) };
        if let Err(error) = check(code) {
            // SAFETY: initialised above, and not used again.
            unsafe { libc::posix_spawn_file_actions_destroy(actions.as_mut_ptr()) };
            return Err(error);
        }
        // SAFETY: both were initialised.
        Ok(unsafe { Self { actions: actions.assume_init(), attributes: attributes.assume_init() } })
    }

    fn arrange(&mut self, stdio: c_int) -> io::Result<()> {
        let (actions, attributes) = (&raw mut self.actions, &raw mut self.attributes);
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        let mut none = MaybeUninit::<libc::sigset_t>::uninit();
        let flags = libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK;
        let flags = libc::c_short::try_from(flags).unwrap_or_default();
        // SAFETY: actions and attributes are initialised; the signal sets are
        // before they are read; the strings end in NUL and are copied.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::sigemptyset(none.as_mut_ptr());
            check(libc::posix_spawn_file_actions_adddup2(actions, stdio, 0))?;
            check(libc::posix_spawn_file_actions_adddup2(actions, 0, 1))?;
            check(libc::posix_spawn_file_actions_addopen(actions, 2, c"/dev/null".as_ptr(), libc::O_WRONLY, 0))?;
            check(posix_spawn_file_actions_addclosefrom_np(actions, 3))?;
            check(posix_spawn_file_actions_addchdir_np(actions, c"/".as_ptr()))?;
            check(libc::posix_spawnattr_setsigdefault(attributes, all.as_ptr()))?;
            check(libc::posix_spawnattr_setsigmask(attributes, none.as_ptr()))?;
            check(libc::posix_spawnattr_setflags(attributes, flags))
        }
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        // SAFETY: initialised by `new`, and not used again.
        unsafe {
            libc::posix_spawn_file_actions_destroy(&raw mut self.actions);
            libc::posix_spawnattr_destroy(&raw mut self.attributes);
        }
    }
}

unsafe extern "C" {
    // glibc 2.34 and 2.29.
    fn posix_spawn_file_actions_addclosefrom_np(actions: *mut libc::posix_spawn_file_actions_t, from: c_int) -> c_int;
    fn posix_spawn_file_actions_addchdir_np(
        actions: *mut libc::posix_spawn_file_actions_t,
        path: *const c_char,
    ) -> c_int;
}

/// posix_spawn(3) and its helpers return the error, not -1.
fn check(code: c_int) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;
    use std::ptr::{NonNull, null};

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

    /// Starts a script; it, and our end of its standard streams.
    fn start(script: &str) -> (Child, UnixStream) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let program = CString::new(program.to_str().unwrap()).unwrap();
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let child = loop {
            match Child::start(&program, theirs.as_fd()) {
                // A child of another test still holds the script open for writing.
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {}
                started => break started.unwrap(),
            }
        };
        drop(theirs);
        // The shell has read its script by then.
        assert_eq!(ours.read(&mut [0]).unwrap(), 1);
        (child, ours)
    }

    fn said(script: &str) -> String {
        let (_child, mut ours) = start(&format!("echo -n x\n{script}"));
        let mut said = String::new();
        ours.read_to_string(&mut said).unwrap();
        said
    }

    #[test]
    fn a_child_inherits_nothing() {
        // Without CLOEXEC, as a careless host would have it.
        let (careless, _other) = UnixStream::pair().unwrap();
        rustix::io::fcntl_setfd(&careless, rustix::io::FdFlags::empty()).unwrap();
        assert_eq!(said("echo $# $1; pwd; cat /proc/$$/environ"), "1 --stdio\n/\n");
        assert_eq!(said("readlink /proc/$$/fd/* | grep -c socket"), "2\n");
        assert_eq!(said("readlink /proc/$$/fd/2"), "/dev/null\n");
        // This process ignores SIGPIPE, as every Rust program does. Signals 32
        // and 33 belong to the C library, which leaves them as they are.
        let signals = said("sed -n 's/^Sig[BI][lg][kn]:.*\\(........\\)$/\\1/p' /proc/$$/status");
        let masks: Vec<u32> = signals.lines().map(|mask| u32::from_str_radix(mask, 16).unwrap()).collect();
        assert!(masks.len() == 2 && masks.iter().all(|mask| mask & 0x7fff_ffff == 0), "{signals}");
    }

    #[test]
    fn a_child_that_hangs_is_ended() {
        let (child, mut ours) = start("echo -n x; exec sleep 1000");
        drop(child);
        assert_eq!(ours.read(&mut [0]).unwrap(), 0, "nobody holds the other end");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let (_ours, theirs) = UnixStream::pair().unwrap();
        let error = Child::start(c"/nonexistent/oathgated", theirs.as_fd()).map(drop).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
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
