//! Files and folders that must be nobody else's.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::Error;

fn refuse<T>(path: &Path, what: &str) -> Result<T, Error> {
    Err(Error::Place(path.to_owned(), what.to_owned()))
}

/// Checks that `folder` is a folder of root's or our own that nobody else may
/// write to.
///
/// # Errors
/// [`Error::Place`] with what to do about it.
pub fn check_folder(folder: &Path) -> Result<(), Error> {
    let metadata = match fs::metadata(folder) {
        Err(why) if why.kind() == ErrorKind::NotFound => {
            return refuse(folder, "not there; make it with: sudo oathgate init, or oathgate --user-store enrol");
        }
        other => other.map_err(|why| Error::Io(folder.to_owned(), why))?,
    };
    if !metadata.is_dir() {
        return refuse(folder, "not a folder");
    }
    check_owner(folder, &metadata)?;
    if metadata.mode() & 0o022 != 0 {
        return refuse(folder, "others may write to this folder; chmod 0700 it");
    }
    Ok(())
}

/// Checks that `path` is a plain file of root's or our own that nobody else
/// may read or write, under no second name.
///
/// # Errors
/// [`Error::Place`] with what to do about it.
pub fn check_file(path: &Path) -> Result<(), Error> {
    let metadata = match fs::symlink_metadata(path) {
        Err(why) if why.kind() == ErrorKind::NotFound => {
            return refuse(path, "not there; restore it from a back-up, or make a new one with: sudo oathgate init");
        }
        other => other.map_err(|why| Error::Io(path.to_owned(), why))?,
    };
    if !metadata.is_file() {
        return refuse(path, "not a plain file");
    }
    check_owner(path, &metadata)?;
    if metadata.mode() & 0o077 != 0 {
        return refuse(path, "others may read this file; chmod 0600 it");
    }
    if metadata.nlink() != 1 {
        return refuse(path, "this file has a second name (hard link); remove that");
    }
    Ok(())
}

fn check_owner(path: &Path, metadata: &fs::Metadata) -> Result<(), Error> {
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != own && metadata.uid() != 0 {
        return refuse(path, &format!("belongs to uid {}, not to uid {own} or root; chown it", metadata.uid()));
    }
    Ok(())
}

/// Makes `folder` and what is missing above it, mode 0700.
///
/// # Errors
/// When it can't be made.
pub fn make_folder(folder: &Path) -> Result<(), Error> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|why| Error::Io(folder.to_owned(), why))
}

/// Writes a file that did not exist before, durably, and as a whole or not at all:
/// half a key or half a store would be in the way of every later start.
///
/// # Errors
/// When it exists or can't be written.
pub fn write_new(path: &Path, content: &[u8], mode: u32) -> Result<(), Error> {
    make_new(path, mode, |new| {
        let mut file = OpenOptions::new().write(true).open(new).map_err(|why| Error::Io(path.to_owned(), why))?;
        file.write_all(content).and_then(|()| file.sync_all()).map_err(|why| Error::Io(path.to_owned(), why))
    })
}

/// The same with a file that `write` fills, and leaves durable.
pub(crate) fn make_new(path: &Path, mode: u32, write: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
    let io = |why| Error::Io(path.to_owned(), why);
    let new = &beside(path, ".new");
    // Of somebody who was cut short.
    fs::remove_file(new).or_else(|why| if why.kind() == ErrorKind::NotFound { Ok(()) } else { Err(io(why)) })?;
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new);
    let written = made.map_err(io).and_then(|file| {
        write(new)?;
        file.set_permissions(fs::Permissions::from_mode(mode)).and_then(|()| name(new, path)).map_err(io)
    });
    if written.is_err() {
        let _ = fs::remove_file(new);
    }
    written
}

/// The file beside `path` under the same name with `end`.
pub(crate) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Gives a file its name where nothing has it, durably.
fn name(new: &Path, path: &Path) -> std::io::Result<()> {
    match renameat_with(CWD, new, CWD, path, RenameFlags::NOREPLACE) {
        // Not every file system can: NFS can't.
        Err(Errno::INVAL) => fs::hard_link(new, path).and_then(|()| fs::remove_file(new))?,
        done => done?,
    }
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Whether `path` lies on a file system that other hosts write to as well,
/// where locks can't be relied on (statfs(2)).
///
/// # Errors
/// When the file system can't be asked.
pub fn is_on_network(path: &Path) -> Result<bool, Error> {
    const NETWORK: [u64; 8] = [
        0x6969,      // NFS
        0xff53_4d42, // CIFS
        0xfe53_4d42, // SMB2
        0x517b,      // SMB
        0x5346_414f, // AFS
        0x7461_636f, // OCFS2
        0x0bd0_0bd0, // Lustre
        0x00c3_6400, // Ceph
    ];
    let status = rustix::fs::statfs(path).map_err(|why| Error::Io(path.to_owned(), why.into()))?;
    Ok(u64::try_from(status.f_type).is_ok_and(|kind| NETWORK.contains(&kind)))
}
