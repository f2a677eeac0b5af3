//! Whether the files are still the ones that were opened.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::{Error, place};

/// Device and inode.
type File = (u64, u64);

/// The store's files, by what the names stood for when they were opened.
pub(super) struct Identity {
    path: PathBuf,
    log_path: PathBuf,
    store: File,
    /// The write-ahead log comes with the first commit, and then stays as long
    /// as the store is open.
    log: Mutex<Option<File>>,
}

impl Identity {
    pub(super) fn of(path: &Path) -> Result<Self, Error> {
        let store = file(path).ok_or_else(|| replaced(path))?;
        Ok(Self { path: path.to_owned(), log_path: place::beside(path, "-wal"), store, log: Mutex::new(None) })
    }

    /// Checks that nobody put other files in the place of ours. What is spent
    /// in ours would not be spent in those.
    pub(super) fn check(&self) -> Result<(), Error> {
        if file(&self.path) != Some(self.store) {
            return Err(replaced(&self.path));
        }
        let mut known = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let now = file(&self.log_path);
        if known.is_some() && *known != now {
            return Err(replaced(&self.log_path));
        }
        *known = now;
        Ok(())
    }
}

fn file(path: &Path) -> Option<File> {
    fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

fn replaced(path: &Path) -> Error {
    Error::Place(path.to_owned(), "was replaced or removed under the running verifier; restart it".to_owned())
}
