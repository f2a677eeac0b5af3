//! Space that is kept free for the day the disk is full.
//!
//! A file of real blocks beside the store. It is cut shorter step by step when
//! a commit finds no room, and made whole again when there is plenty.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, OFlags, fallocate, fstatvfs};

use crate::Error;

/// Bytes that are kept: twice what 1,000 logins and the longest write-ahead log take.
pub const RESERVE: u64 = 16 * 1024 * 1024;
/// Bytes that are given up at once. Not all: whoever filled the disk may go on.
const STEP: u64 = 4 * 1024 * 1024;
/// With so many bytes free, the reserve is made whole again.
const PLENTY: u64 = 2 * RESERVE;
/// With less than this, an error of the disk counts as a full one.
const NOTHING: u64 = 256 * 1024;

/// The reserve of one store.
pub(crate) struct Reserve {
    path: PathBuf,
    /// `None` where this store has none.
    file: Option<File>,
    bytes: u64,
}

impl Reserve {
    /// The reserve beside the store at `path`, as it is; made if there is room.
    /// That there is none is no reason not to decide.
    pub(crate) fn open(store: &Path) -> Self {
        let path = store.with_extension("reserve");
        let mut options = OpenOptions::new();
        let nofollow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(nofollow);
        let file = options.open(&path).ok();
        let bytes = file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |metadata| metadata.len());
        let mut reserve = Self { path, file, bytes };
        reserve.refill();
        reserve
    }

    /// None, for stores that are not worth one.
    pub(crate) fn none(store: &Path) -> Self {
        Self { path: store.with_extension("reserve"), file: None, bytes: 0 }
    }

    /// Gives up a part, if `error` says that the disk is full and there is
    /// something left. Then it is worth trying again.
    pub(crate) fn frees_for(&mut self, error: &rusqlite::Error) -> bool {
        self.is_full(error) && self.free()
    }

    /// The same for an error of the store.
    pub(crate) fn frees_for_store(&mut self, error: &Error) -> bool {
        matches!(error, Error::Sqlite(error) if self.frees_for(error))
    }

    fn is_full(&self, error: &rusqlite::Error) -> bool {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => true,
            // SQLite's shared memory and a new journal fail this way.
            Some(rusqlite::ErrorCode::SystemIoFailure | rusqlite::ErrorCode::CannotOpen) => {
                self.available().is_some_and(|bytes| bytes < NOTHING)
            }
            _ => false,
        }
    }

    fn free(&mut self) -> bool {
        let Some(file) = &self.file else { return false };
        if self.bytes == 0 {
            return false;
        }
        let left = self.bytes.saturating_sub(STEP);
        // Some file systems hand the blocks out again only after a sync.
        let freed = file.set_len(left).and_then(|()| file.sync_all());
        self.bytes = left;
        freed.is_ok()
    }

    /// Makes the reserve whole, where something is missing and there is plenty.
    pub(crate) fn refill(&mut self) {
        let Some(file) = &self.file else { return };
        if self.bytes >= RESERVE || !self.has_plenty() {
            return;
        }
        // Where blocks can't be had in advance, an empty promise would help nobody.
        if fallocate(file, FallocateFlags::empty(), 0, RESERVE).is_ok() {
            self.bytes = RESERVE;
        }
    }

    /// Whether there is room for more than logins.
    pub(crate) fn has_plenty(&self) -> bool {
        self.available().is_some_and(|bytes| bytes >= PLENTY)
    }

    /// Bytes that are free for us.
    fn available(&self) -> Option<u64> {
        let status = match &self.file {
            Some(file) => fstatvfs(file).ok()?,
            None => rustix::fs::statvfs(self.path.parent()?).ok()?,
        };
        status.f_bavail.checked_mul(status.f_frsize)
    }
}

/// Bytes in the reserve of the store at `path`.
pub(crate) fn bytes(store: &Path) -> u64 {
    std::fs::symlink_metadata(store.with_extension("reserve")).map_or(0, |metadata| metadata.len())
}
