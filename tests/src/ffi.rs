//! C's side of the test programs: libpam as an application sees it, dlopen(3)
//! and setlocale(3). The only file of this crate with unsafe code.

#![allow(unsafe_code, clippy::expect_used)]

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::path::Path;
use std::ptr::{null, null_mut};

/// Who answers PAM's questions (pam_conv(3)).
pub trait Person: Sync {
    /// Answers a question that is echoed or not, or hears a message. `None` is
    /// a conversation that fails.
    fn hear(&self, style: Style, text: &str) -> Option<Reply>;
}

/// What PAM says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// PAM_PROMPT_ECHO_OFF.
    Hidden,
    /// PAM_PROMPT_ECHO_ON.
    Echoed,
    /// PAM_ERROR_MSG.
    Error,
    /// PAM_TEXT_INFO.
    Info,
}

/// What the person answers; wiped by whoever asked.
pub enum Reply {
    /// Nothing: the reply to a message.
    Heard,
    /// This, in memory of malloc(3) as PAM wants it.
    Typed(CBuffer),
}

/// Memory of malloc(3), filled in place: no copy of what was typed stays here.
pub struct CBuffer(*mut u8, usize);

impl CBuffer {
    /// Room for `length` bytes and a NUL behind them.
    pub fn new(length: usize) -> Self {
        // SAFETY: calloc(3) has no precondition.
        let start = unsafe { calloc(length + 1, 1) };
        assert!(!start.is_null(), "no memory");
        Self(start.cast(), length)
    }

    /// The room.
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: calloc gave that many bytes, zeroed, and nobody else has the pointer.
        unsafe { std::slice::from_raw_parts_mut(self.0, self.1) }
    }

    /// For PAM, which frees it.
    fn into_raw(self) -> *mut c_char {
        let start = self.0;
        std::mem::forget(self);
        start.cast()
    }
}

impl Drop for CBuffer {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(self.bytes());
        // SAFETY: from calloc, and freed once.
        unsafe { free(self.0.cast()) };
    }
}

/// A string item (pam_set_item(3)).
#[derive(Debug, Clone, Copy)]
pub enum Item {
    /// PAM_TTY.
    Tty = 3,
    /// PAM_RHOST.
    RHost = 4,
}

/// One PAM transaction with a private folder in place of /etc/pam.d.
pub struct Transaction<'a> {
    handle: *mut c_void,
    status: c_int,
    // The handle points at this box: PAM carries one pointer, and a reference
    // to a trait object is two.
    #[allow(clippy::redundant_allocation)]
    _person: Box<&'a dyn Person>,
}

impl<'a> Transaction<'a> {
    /// pam_start_confdir(3).
    ///
    /// # Errors
    /// PAM's code.
    pub fn start(folder: &Path, service: &str, user: &str, person: &'a dyn Person) -> Result<Self, c_int> {
        let text = |text: &str| CString::new(text).expect("no NUL");
        let (service, user, folder) = (text(service), text(user), text(folder.to_str().expect("a plain path")));
        let person = Box::new(person);
        let conversation = Conversation { call: converse, person: (&raw const *person).cast() };
        let mut handle = null_mut();
        // SAFETY: the strings end in NUL; libpam copies them and the
        // conversation; the person lives as long as the handle.
        let status = unsafe {
            pam_start_confdir(
                service.as_ptr(),
                user.as_ptr(),
                &raw const conversation,
                folder.as_ptr(),
                &raw mut handle,
            )
        };
        if status != 0 {
            return Err(status);
        }
        // SAFETY: PAM_FAIL_DELAY is this function itself (pam_fail_delay(3)), which stays.
        unsafe { pam_set_item(handle, FAIL_DELAY, waited as *const c_void) };
        Ok(Self { handle, status, _person: person })
    }

    /// pam_set_item(3).
    ///
    /// # Panics
    /// When libpam has no memory.
    pub fn set_item(&mut self, item: Item, value: &str) {
        let value = CString::new(value).expect("no NUL");
        // SAFETY: a string item, which libpam copies.
        let status = unsafe { pam_set_item(self.handle, item as c_int, value.as_ptr().cast()) };
        assert_eq!(status, 0, "pam_set_item");
    }

    /// pam_putenv(3): `NAME=VALUE`.
    ///
    /// # Panics
    /// When libpam refuses it.
    pub fn putenv(&mut self, pair: &str) {
        let pair = CString::new(pair).expect("no NUL");
        // SAFETY: a string that ends in NUL, which libpam copies.
        assert_eq!(unsafe { pam_putenv(self.handle, pair.as_ptr()) }, 0, "pam_putenv");
    }

    /// pam_authenticate(3).
    pub fn authenticate(&mut self, flags: c_int) -> c_int {
        // SAFETY: a handle that has not ended.
        self.status = unsafe { pam_authenticate(self.handle, flags) };
        self.status
    }

    /// pam_setcred(3).
    pub fn setcred(&mut self) -> c_int {
        const ESTABLISH: c_int = 2;
        // SAFETY: a handle that has not ended.
        self.status = unsafe { pam_setcred(self.handle, ESTABLISH) };
        self.status
    }

    /// pam_open_session(3).
    pub fn session(&mut self) -> c_int {
        // SAFETY: a handle that has not ended.
        self.status = unsafe { pam_open_session(self.handle, 0) };
        self.status
    }

    /// pam_chauthtok(3).
    pub fn password(&mut self) -> c_int {
        // SAFETY: a handle that has not ended.
        self.status = unsafe { pam_chauthtok(self.handle, 0) };
        self.status
    }

    /// pam_acct_mgmt(3).
    pub fn account(&mut self) -> c_int {
        // SAFETY: a handle that has not ended.
        self.status = unsafe { pam_acct_mgmt(self.handle, 0) };
        self.status
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle ends once; the person is dropped after it.
        unsafe { pam_end(self.handle, self.status) };
    }
}

/// PAM_FAIL_DELAY of pam_set_item(3).
const FAIL_DELAY: c_int = 10;

thread_local! {
    static DELAY: std::cell::Cell<c_uint> = const { std::cell::Cell::new(0) };
}

/// What PAM calls in the place of waiting.
extern "C" fn waited(_status: c_int, microseconds: c_uint, _person: *const c_void) {
    DELAY.set(microseconds);
}

/// How many microseconds PAM would have waited after the last call of this thread.
pub fn delay() -> u32 {
    DELAY.get()
}

extern "C" fn converse(
    count: c_int,
    messages: *mut *const Message,
    responses: *mut *mut Response,
    person: *const &dyn Person,
) -> c_int {
    const CONV_ERR: c_int = 19;
    if count != 1 {
        return CONV_ERR;
    }
    // SAFETY: pam_conv(3): `count` pointers to messages whose text ends in NUL,
    // and the pointer that was given to pam_start, whose target lives.
    let (message, person) = unsafe { (&**messages, &*person) };
    let style = match message.style {
        1 => Style::Hidden,
        2 => Style::Echoed,
        3 => Style::Error,
        _ => Style::Info,
    };
    // SAFETY: as above.
    let text = unsafe { CStr::from_ptr(message.text) }.to_string_lossy();
    let text = match person.hear(style, &text) {
        None => return CONV_ERR,
        Some(Reply::Heard) => null_mut(),
        Some(Reply::Typed(typed)) => typed.into_raw(),
    };
    // SAFETY: calloc gave room for one response, which the module frees, and
    // `responses` is where pam_conv(3) wants the pointer.
    unsafe {
        let response: *mut Response = calloc(1, size_of::<Response>()).cast();
        (*response).text = text;
        *responses = response;
    }
    0
}

/// A library by dlopen(3).
pub struct Library(*mut c_void);

impl Library {
    /// Loads it with all its symbols.
    ///
    /// # Errors
    /// What dlerror(3) says.
    pub fn open(path: &Path) -> Result<Self, String> {
        const NOW: c_int = 2;
        let path = CString::new(path.to_str().expect("a plain path")).expect("no NUL");
        // SAFETY: a path that ends in NUL; what runs on loading is our own library.
        let handle = unsafe { dlopen(path.as_ptr(), NOW) };
        if handle.is_null() { Err(last_error()) } else { Ok(Self(handle)) }
    }

    /// Calls `name` with four arguments that are all 0; no function of ours
    /// may do more then than say that it is nonsense.
    ///
    /// # Errors
    /// When there is no such function.
    pub fn call_with_zeros(&self, name: &str) -> Result<c_int, String> {
        type Function = extern "C" fn(*const c_void, c_uint, c_int, *const c_void) -> c_int;
        let c_name = CString::new(name).expect("no NUL");
        // SAFETY: an open library and a name that ends in NUL.
        let symbol = unsafe { dlsym(self.0, c_name.as_ptr()) };
        if symbol.is_null() {
            return Err(last_error());
        }
        // SAFETY: every function that is tested this way takes at most these
        // four integers or pointers (x86-64 and arm64 pass them in registers)
        // and returns an int, or nothing that is looked at.
        let function: Function = unsafe { std::mem::transmute(symbol) };
        Ok(function(null(), 0, 0, null()))
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: opened once, closed once.
        unsafe { dlclose(self.0) };
    }
}

fn last_error() -> String {
    // SAFETY: dlerror(3) returns null or a string that ends in NUL and stays until the next call.
    let text = unsafe { dlerror() };
    if text.is_null() {
        return "dlopen".to_owned();
    }
    // SAFETY: as above.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// The whole locale of the process (setlocale(3)).
pub fn locale() -> String {
    const LC_ALL: c_int = 6;
    // SAFETY: a null locale only asks; the result ends in NUL and stays until the next call.
    unsafe { CStr::from_ptr(setlocale(LC_ALL, null())) }.to_string_lossy().into_owned()
}

#[repr(C)]
struct Conversation<'a> {
    call: extern "C" fn(c_int, *mut *const Message, *mut *mut Response, *const &'a dyn Person) -> c_int,
    person: *const &'a dyn Person,
}

#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct Response {
    text: *mut c_char,
    unused: c_int,
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start_confdir(
        service: *const c_char,
        user: *const c_char,
        conversation: *const Conversation<'_>,
        folder: *const c_char,
        handle: *mut *mut c_void,
    ) -> c_int;
    fn pam_end(handle: *mut c_void, status: c_int) -> c_int;
    fn pam_set_item(handle: *mut c_void, item: c_int, value: *const c_void) -> c_int;
    fn pam_putenv(handle: *mut c_void, pair: *const c_char) -> c_int;
    fn pam_authenticate(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_setcred(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_acct_mgmt(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_open_session(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_chauthtok(handle: *mut c_void, flags: c_int) -> c_int;
}

unsafe extern "C" {
    fn calloc(count: usize, size: usize) -> *mut c_void;
    fn free(start: *mut c_void);
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlclose(library: *mut c_void) -> c_int;
    fn dlerror() -> *const c_char;
    fn setlocale(category: c_int, locale: *const c_char) -> *const c_char;
}
