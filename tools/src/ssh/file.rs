//! An authorized_keys file: read with care, replaced as a whole or not at all.
//! All of it is done by whoever the file belongs to; see `keys`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::Failure;

/// The largest file that is read, in bytes.
pub const MAX_FILE: usize = 4 * 1024 * 1024;

/// A file of keys that nobody but its owner may change.
#[derive(Debug)]
pub struct KeysFile {
    folder: OwnedFd,
    name: OsString,
    path: PathBuf,
    found: Stat,
    /// What is in it.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// Which file was read, and as of when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    dev: u64,
    ino: u64,
    size: i64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl From<&Stat> for Identity {
    #[allow(clippy::useless_conversion)] // the types differ between architectures
    fn from(stat: &Stat) -> Self {
        Self {
            dev: stat.st_dev.into(),
            ino: stat.st_ino.into(),
            size: stat.st_size.into(),
            modified: (stat.st_mtime.into(), stat.st_mtime_nsec.into()),
            changed: (stat.st_ctime.into(), stat.st_ctime_nsec.into()),
        }
    }
}

impl KeysFile {
    /// Reads `path`, the file of somebody whose home is `home`; `None` where
    /// there is no such file.
    ///
    /// # Errors
    /// When it is reached by a symbolic link below the home directory, has a
    /// second name, belongs to somebody else, or others may write to it or to
    /// a folder above it: sshd would refuse it too, and to edit it would be to
    /// trust them.
    pub fn open(path: &Path, home: &Path) -> Result<Option<Self>, Failure> {
        let bad = |what: &str| Failure::no(format!("{} {what}", path.display()));
        let Some((folder, name)) = folder_of(path, home)? else { return Ok(None) };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&folder, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            other => other.map_err(|errno| unopened(path, errno))?,
        };
        let found = rustix::fs::fstat(&file).map_err(|errno| unopened(path, errno))?;
        check(&found, path, FileType::RegularFile)?;
        if found.st_nlink != 1 {
            return Err(bad("has a second name (a hard link)").hint("edit it by hand"));
        }
        let mut bytes =
            Zeroizing::new(Vec::with_capacity(usize::try_from(found.st_size).unwrap_or(0).min(MAX_FILE) + 1));
        let mut limited = File::from(file).take(u64::try_from(MAX_FILE + 1).unwrap_or(u64::MAX));
        limited.read_to_end(&mut bytes).map_err(|error| Failure::undecided(format!("{}: {error}", path.display())))?;
        if bytes.len() > MAX_FILE || bytes.contains(&0) {
            return Err(bad("is not a text file of at most 4 MB"));
        }
        Ok(Some(Self { folder, name: name.to_owned(), path: path.to_owned(), found, bytes }))
    }

    /// Which file this is.
    pub fn identity(&self) -> Identity {
        Identity::from(&self.found)
    }

    /// The failure of an edit whose file is not the one that was read.
    pub fn changed(&self) -> Failure {
        Failure::no(format!("{} was changed in the meantime; it stays as it is", self.path.display())).hint("try again")
    }

    /// Writes `bytes` beside it as its back-up, and returns where. An older
    /// one is never overwritten.
    ///
    /// # Errors
    /// When that fails.
    pub fn back_up(&self, bytes: &[u8], stamp: &str) -> Result<PathBuf, Failure> {
        let mut name = self.name.clone();
        name.push(format!(".oathgate-{stamp}"));
        let exists = |name: &OsString| rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
        // Several within one second: a number each.
        let numbered = (2..100).map(|number| {
            let mut name = name.clone();
            name.push(format!("-{number}"));
            name
        });
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !exists(name)).unwrap_or(name);
        self.write_new(&free, bytes)?;
        Ok(self.path.with_file_name(free))
    }

    /// Puts `bytes` in its place, with the same mode and group.
    ///
    /// # Errors
    /// When that fails; the file is then as it was.
    pub fn replace(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut name = self.name.clone();
        name.push(format!(".oathgate-new-{}", std::process::id()));
        self.write_new(&name, bytes)?;
        let replaced = self.check_unchanged().and_then(|()| {
            rustix::fs::renameat_with(&self.folder, &name, &self.folder, &self.name, RenameFlags::empty())
                .map_err(|errno| self.failed(errno))
        });
        if replaced.is_err() {
            let _ = rustix::fs::unlinkat(&self.folder, &name, AtFlags::empty());
        }
        replaced?;
        rustix::fs::fsync(&self.folder).map_err(|errno| self.failed(errno))
    }

    fn check_unchanged(&self) -> Result<(), Failure> {
        let now = rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        let now = now.map_err(|errno| self.failed(errno))?;
        if Identity::from(&now) == self.identity() { Ok(()) } else { Err(self.changed()) }
    }

    fn write_new(&self, name: &OsString, bytes: &[u8]) -> Result<(), Failure> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let new = rustix::fs::openat(&self.folder, name, flags, Mode::RUSR | Mode::WUSR);
        let new = new.map_err(|errno| self.failed(errno))?;
        let written = self.fill(new, bytes);
        if written.is_err() {
            let _ = rustix::fs::unlinkat(&self.folder, name, AtFlags::empty());
        }
        written
    }

    fn fill(&self, new: OwnedFd, bytes: &[u8]) -> Result<(), Failure> {
        let made = rustix::fs::fstat(&new).map_err(|errno| self.failed(errno))?;
        if made.st_gid != self.found.st_gid {
            let group = rustix::fs::Gid::from_raw(self.found.st_gid);
            rustix::fs::fchown(&new, None, Some(group)).map_err(|errno| {
                let own = format!("chgrp \"$(id -gn)\" {}", self.path.display());
                self.failed(format!("its group is not yours ({errno})")).hint(own)
            })?;
        }
        rustix::fs::fchmod(&new, Mode::from_raw_mode(self.found.st_mode)).map_err(|errno| self.failed(errno))?;
        let mut new = File::from(new);
        new.write_all(bytes).and_then(|()| new.sync_all()).map_err(|error| self.failed(error))
    }

    fn failed(&self, why: impl std::fmt::Display) -> Failure {
        Failure::undecided(format!("can't write beside {}: {why}; nothing was changed", self.path.display()))
    }
}

/// The folder of `path`, reached from `home` or else from the root without
/// following a link, and the name in it. `None` where a folder is missing.
fn folder_of<'a>(path: &'a Path, home: &Path) -> Result<Option<(OwnedFd, &'a OsStr)>, Failure> {
    let bad = |path: &Path, what: &str| Failure::no(format!("{} {what}", path.display()));
    let base = if path.starts_with(home) { home } else { Path::new("/") };
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return Err(bad(path, "is not a file")) };
    let above = above.strip_prefix(base).map_err(|_| bad(path, "is not an absolute path"))?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = base.to_owned();
    let mut folder = rustix::fs::open(base, flags, Mode::empty()).map_err(|errno| unopened(base, errno))?;
    check_folder(&folder, &here)?;
    for component in above.components() {
        let Component::Normal(name) = component else { return Err(bad(path, "leads upwards (..)")) };
        here.push(name);
        folder = match rustix::fs::openat(&folder, name, flags | OFlags::NOFOLLOW, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            // What a link is to O_DIRECTORY with O_NOFOLLOW (open(2)).
            Err(Errno::NOTDIR) => return Err(unopened(&here, Errno::LOOP)),
            other => other.map_err(|errno| unopened(&here, errno))?,
        };
        check_folder(&folder, &here)?;
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let readable = rustix::fs::openat(&folder, ".", flags, Mode::empty()).map_err(|errno| unopened(&here, errno))?;
    Ok(Some((readable, name)))
}

fn check_folder(folder: &OwnedFd, path: &Path) -> Result<(), Failure> {
    check(&rustix::fs::fstat(folder).map_err(|errno| unopened(path, errno))?, path, FileType::Directory)
}

fn unopened(path: &Path, errno: Errno) -> Failure {
    match errno {
        Errno::LOOP => Failure::no(format!("{} is a symbolic link, or no folder", path.display()))
            .hint("name the real file with --file"),
        _ => Failure::no(format!("can't open {}: {errno}", path.display())),
    }
}

fn check(stat: &Stat, path: &Path, wanted: FileType) -> Result<(), Failure> {
    let bad = |what: &str| Failure::no(format!("{} {what}", path.display()));
    let (me, folder) = (rustix::process::geteuid(), wanted == FileType::Directory);
    if FileType::from_raw_mode(stat.st_mode) != wanted {
        return Err(bad("is not a file"));
    }
    // A folder of root's is as good: AuthorizedKeysFile may lie in /etc.
    if stat.st_uid != me.as_raw() && !(stat.st_uid == 0 && folder) {
        return Err(bad("belongs to somebody else").hint("run this as the user whose keys they are"));
    }
    // In a sticky folder (/tmp) nobody moves what is somebody else's.
    let sticky = folder && stat.st_mode & 0o1000 != 0;
    if stat.st_mode & 0o022 != 0 && !sticky {
        return Err(bad("can be written by others, and sshd does not trust it then")
            .hint(format!("chmod go-w {}", path.display())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    /// Nobody's home: files are reached from the root.
    const HOME: &str = "/nonexistent";

    fn file(folder: &Path, mode: u32) -> PathBuf {
        let path = folder.join("authorized_keys");
        fs::write(&path, "old\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn it_is_replaced_as_a_whole_and_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o600, 0o644, 0o400] {
            let path = file(folder.path(), mode);
            let keys = KeysFile::open(&path, Path::new(HOME)).unwrap().unwrap();
            let stamp = format!("{mode:o}");
            let backup = keys.back_up(&keys.bytes, &stamp).unwrap();
            keys.replace(b"new\n").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new\n");
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode);
            assert_eq!(fs::read(&backup).unwrap(), b"old\n");
            assert!(backup.ends_with(format!("authorized_keys.oathgate-{stamp}")));
            assert_eq!(fs::metadata(&backup).unwrap().mode() & 0o7777, mode);
            let second = KeysFile::open(&path, Path::new(HOME)).unwrap().unwrap().back_up(b"old\n", &stamp).unwrap();
            assert!(second.ends_with(format!("authorized_keys.oathgate-{stamp}-2")));
            assert_eq!(fs::read(&backup).unwrap(), b"old\n", "an older copy is never overwritten");
            fs::remove_file(&path).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6, "nothing else is left behind");
    }

    #[test]
    fn what_others_could_turn_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o620, 0o602] {
            assert!(
                KeysFile::open(&file(folder.path(), mode), Path::new(HOME))
                    .unwrap_err()
                    .what
                    .contains("written by others")
            );
        }
        let path = file(folder.path(), 0o600);
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(KeysFile::open(&link, Path::new(HOME)).unwrap_err().what.contains("symbolic link"));
        fs::hard_link(&path, folder.path().join("second")).unwrap();
        assert!(KeysFile::open(&path, Path::new(HOME)).unwrap_err().what.contains("second name"));
        fs::remove_file(folder.path().join("second")).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(KeysFile::open(&path, Path::new(HOME)).unwrap_err().what.contains("written by others"));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        for missing in ["missing", "missing/authorized_keys"] {
            assert!(KeysFile::open(&folder.path().join(missing), Path::new(HOME)).unwrap().is_none());
        }
        assert!(KeysFile::open(folder.path(), Path::new(HOME)).is_err());
        assert!(KeysFile::open(Path::new("/"), Path::new(HOME)).is_err());
    }

    #[test]
    fn somebody_elses_file_is_refused() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: needs root");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), 0o600);
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
        assert!(KeysFile::open(&path, Path::new(HOME)).unwrap_err().what.contains("belongs to somebody else"));
    }

    #[test]
    fn a_change_in_between_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), 0o600);
        let keys = KeysFile::open(&path, Path::new(HOME)).unwrap().unwrap();
        fs::write(&path, "somebody else's\n").unwrap();
        assert!(keys.replace(b"new\n").unwrap_err().what.contains("meantime"));
        assert_eq!(fs::read(&path).unwrap(), b"somebody else's\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), 0o600);
        fs::write(&path, b"a\0b").unwrap();
        assert!(KeysFile::open(&path, Path::new(HOME)).is_err());
        fs::write(&path, vec![b'x'; MAX_FILE + 1]).unwrap();
        assert!(KeysFile::open(&path, Path::new(HOME)).is_err());
    }
}
