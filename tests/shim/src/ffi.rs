//! The functions. None of them allocates: some of them are the allocator.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering::SeqCst};

use crate::{ALLOCATIONS, ERRNO, FAILED, FILES, FIRST, LAST, SEEN, SHORT, SYNCS, UNSYNCED, WHAT, WORDS};

static TABLE: AtomicPtr<AtomicU64> = AtomicPtr::new(null_mut());
static FOLDER: AtomicPtr<c_char> = AtomicPtr::new(null_mut());

/// Runs before main: until then nothing fails.
#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;

extern "C" fn start() {
    // SAFETY: names that end in NUL; what getenv(3) returns stays, as nobody
    // changes the environment of the programs under test. mmap(2) shares a
    // file that is as long as the table; it is never unmapped.
    unsafe {
        let (folder, faults) =
            (libc::getenv(c"OATHGATE_TEST_FOLDER".as_ptr()), libc::getenv(c"OATHGATE_TEST_FAULTS".as_ptr()));
        if folder.is_null() || faults.is_null() {
            return;
        }
        let file = libc::syscall(libc::SYS_openat, libc::AT_FDCWD, faults, libc::O_RDWR | libc::O_CLOEXEC);
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let table = libc::syscall(libc::SYS_mmap, 0_usize, WORDS * 8, protection, libc::MAP_SHARED, file, 0_usize);
        libc::syscall(libc::SYS_close, file);
        if table > 0 {
            FOLDER.store(folder, SeqCst);
            TABLE.store(table as *mut AtomicU64, SeqCst);
        }
    }
}

fn word(index: usize) -> Option<&'static AtomicU64> {
    let table = TABLE.load(SeqCst);
    // SAFETY: null, or the mapping, which holds that many words and stays.
    (!table.is_null() && index < WORDS).then(|| unsafe { &*table.add(index) })
}

fn number(index: usize) -> u64 {
    word(index).map_or(0, |word| word.load(SeqCst))
}

enum Fate {
    Goes,
    Fails(c_int),
    /// Half of it is written.
    Short,
}

/// Counts a call, and says what becomes of it.
fn fate(what: u64, writes: bool) -> Fate {
    let (Some(seen), Some(failed)) = (word(SEEN), word(FAILED)) else { return Fate::Goes };
    if number(WHAT) != what {
        return Fate::Goes;
    }
    let call = seen.fetch_add(1, SeqCst) + 1;
    if call < number(FIRST) || call > number(LAST) {
        return Fate::Goes;
    }
    let before = failed.fetch_add(1, SeqCst);
    match (number(ERRNO), before, writes) {
        (SHORT, 0, true) => Fate::Short,
        (SHORT, 0, false) => {
            // Not a write: the next one is the short one.
            failed.store(0, SeqCst);
            Fate::Goes
        }
        (SHORT, _, true) => Fate::Fails(libc::ENOSPC),
        (SHORT, _, false) => Fate::Goes,
        (errno, _, _) => Fate::Fails(c_int::try_from(errno).unwrap_or(libc::EIO)),
    }
}

fn fail(errno: c_int) -> c_long {
    // SAFETY: this thread's errno(3).
    unsafe { *libc::__errno_location() = errno };
    -1
}

/// Makes the call unless it is to fail.
fn unless_it_fails(concerned: bool, call: impl FnOnce() -> c_long) -> c_long {
    match concerned.then(|| fate(FILES, false)) {
        Some(Fate::Fails(errno)) => fail(errno),
        _ => call(),
    }
}

/// Whether `path`, which ends in NUL, lies in the folder.
fn is_ours(path: *const c_char) -> bool {
    let folder = FOLDER.load(SeqCst);
    if folder.is_null() || path.is_null() {
        return false;
    }
    // SAFETY: both end in NUL.
    let (folder, path) = unsafe { (CStr::from_ptr(folder), CStr::from_ptr(path)) };
    path.to_bytes().starts_with(folder.to_bytes())
}

/// Which file a descriptor stands for.
struct File {
    ours: bool,
    /// Its bit in the table; none for files that need not be synced.
    bit: u64,
}

fn file(descriptor: c_int) -> File {
    let mut link = [0_u8; 40];
    let mut target = [0_u8; 4096];
    // SAFETY: room for any number, and for any path with a NUL behind it.
    let length = unsafe {
        libc::snprintf(link.as_mut_ptr().cast(), link.len(), c"/proc/self/fd/%d".as_ptr(), descriptor);
        let room = target.len() - 1;
        libc::syscall(libc::SYS_readlinkat, libc::AT_FDCWD, link.as_ptr(), target.as_mut_ptr(), room)
    };
    let name = target.get(..usize::try_from(length).unwrap_or(0)).unwrap_or_default();
    let bits: [(&[u8], u64); 3] = [(b".db", 1), (b"-wal", 2), (b"-journal", 4)];
    let bit = bits.iter().find(|(end, _)| name.ends_with(end)).map_or(0, |(_, bit)| *bit);
    File { ours: is_ours(target.as_ptr().cast()), bit }
}

/// A write of `count` bytes, made by `call` with the count that it is given.
fn written(descriptor: c_int, count: usize, call: impl Fn(usize) -> c_long) -> isize {
    let file = file(descriptor);
    let result = match file.ours.then(|| fate(FILES, true)) {
        Some(Fate::Fails(errno)) => fail(errno),
        Some(Fate::Short) => call(count / 2),
        _ => call(count),
    };
    if file.ours
        && result > 0
        && let Some(unsynced) = word(UNSYNCED)
    {
        unsynced.fetch_or(file.bit, SeqCst);
    }
    result as isize
}

fn synced(descriptor: c_int, call: c_long) -> c_int {
    let file = file(descriptor);
    // SAFETY: a system call with a descriptor.
    let result = unless_it_fails(file.ours, || unsafe { libc::syscall(call, descriptor) });
    if file.ours
        && result == 0
        && let (Some(unsynced), Some(syncs)) = (word(UNSYNCED), word(SYNCS))
    {
        unsynced.fetch_and(!file.bit, SeqCst);
        syncs.fetch_add(1, SeqCst);
    }
    result as c_int
}

fn on_descriptor(descriptor: c_int, call: impl FnOnce() -> c_long) -> c_long {
    unless_it_fails(file(descriptor).ours, call)
}

/// Functions under two names: with and without 64, which are the same here.
macro_rules! both {
    ($($short:ident $long:ident ($($name:ident: $type:ty),*) -> $result:ty $body:block)*) => { $(
        #[unsafe(no_mangle)]
        extern "C" fn $short($($name: $type),*) -> $result $body
        #[unsafe(no_mangle)]
        extern "C" fn $long($($name: $type),*) -> $result { $short($($name),*) }
    )* };
}

// SAFETY of the calls below: each hands on what the caller gave to the C
// function of its name, to the system call that this function makes.
both! {
    open open64(path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
        openat(libc::AT_FDCWD, path, flags, mode)
    }
    openat openat64(folder: c_int, path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
        unless_it_fails(is_ours(path), || unsafe { libc::syscall(libc::SYS_openat, folder, path, flags, mode) }) as c_int
    }
    pread pread64(descriptor: c_int, buffer: *mut c_void, count: usize, at: libc::off_t) -> isize {
        on_descriptor(descriptor, || unsafe { libc::syscall(libc::SYS_pread64, descriptor, buffer, count, at) }) as isize
    }
    pwrite pwrite64(descriptor: c_int, buffer: *const c_void, count: usize, at: libc::off_t) -> isize {
        written(descriptor, count, |count| unsafe { libc::syscall(libc::SYS_pwrite64, descriptor, buffer, count, at) })
    }
    ftruncate ftruncate64(descriptor: c_int, length: libc::off_t) -> c_int {
        on_descriptor(descriptor, || unsafe { libc::syscall(libc::SYS_ftruncate, descriptor, length) }) as c_int
    }
    mmap mmap64(
        at: *mut c_void, length: usize, protection: c_int, flags: c_int, descriptor: c_int, offset: libc::off_t
    ) -> *mut c_void {
        let call = || unsafe { libc::syscall(libc::SYS_mmap, at, length, protection, flags, descriptor, offset) };
        (if descriptor < 0 { call() } else { on_descriptor(descriptor, call) }) as *mut c_void
    }
}

/// Functions with one name.
macro_rules! one {
    ($($name:ident ($($argument:ident: $type:ty),*) -> $result:ty $body:block)*) => { $(
        #[unsafe(no_mangle)]
        extern "C" fn $name($($argument: $type),*) -> $result $body
    )* };
}

// SAFETY of the calls below: as above.
one! {
    read(descriptor: c_int, buffer: *mut c_void, count: usize) -> isize {
        on_descriptor(descriptor, || unsafe { libc::syscall(libc::SYS_read, descriptor, buffer, count) }) as isize
    }
    write(descriptor: c_int, buffer: *const c_void, count: usize) -> isize {
        written(descriptor, count, |count| unsafe { libc::syscall(libc::SYS_write, descriptor, buffer, count) })
    }
    fsync(descriptor: c_int) -> c_int { synced(descriptor, libc::SYS_fsync) }
    fdatasync(descriptor: c_int) -> c_int { synced(descriptor, libc::SYS_fdatasync) }
    unlink(path: *const c_char) -> c_int {
        let call = || unsafe { libc::syscall(libc::SYS_unlinkat, libc::AT_FDCWD, path, 0) };
        unless_it_fails(is_ours(path), call) as c_int
    }
    malloc(size: usize) -> *mut c_void {
        if memory_fails() { null_mut() } else { unsafe { __libc_malloc(size) } }
    }
    calloc(count: usize, size: usize) -> *mut c_void {
        if memory_fails() { null_mut() } else { unsafe { __libc_calloc(count, size) } }
    }
    realloc(start: *mut c_void, size: usize) -> *mut c_void {
        if memory_fails() { null_mut() } else { unsafe { __libc_realloc(start, size) } }
    }
    posix_memalign(place: *mut *mut c_void, alignment: usize, size: usize) -> c_int {
        if memory_fails() {
            return libc::ENOMEM;
        }
        let start = unsafe { __libc_memalign(alignment, size) };
        if start.is_null() {
            return libc::ENOMEM;
        }
        unsafe { *place = start };
        0
    }
}

fn memory_fails() -> bool {
    let fails = matches!(fate(ALLOCATIONS, false), Fate::Fails(_));
    if fails {
        fail(libc::ENOMEM);
    }
    fails
}

// The allocator under the names that glibc keeps for those who stand before it.
unsafe extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(start: *mut c_void, size: usize) -> *mut c_void;
    fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
}
