//! An authorized_keys file: read with care, replaced as a whole or not at all.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use crate::error::Failure;

/// The largest file that is read, in bytes.
const MAX_FILE: usize = 4 * 1024 * 1024;

/// A file of keys that nobody but its owner may change.
#[derive(Debug)]
pub struct KeysFile {
    folder: OwnedFd,
    name: OsString,
    path: PathBuf,
    found: Stat,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl KeysFile {
    /// Reads `path`.
    ///
    /// # Errors
    /// When it is a symbolic link, belongs to somebody else, or others may
    /// write to it or to its folder: sshd would refuse it too, and to edit it
    /// would be to trust them.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let bad = |what: &str| Failure::no(format!("{} {what}", path.display()));
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Err(bad("is not a file")) };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = rustix::fs::open(folder, flags, Mode::empty()).map_err(|errno| missing(path, errno))?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&open, name, flags, Mode::empty()).map_err(|errno| missing(path, errno))?;
        check(&rustix::fs::fstat(&open).map_err(|errno| missing(path, errno))?, folder, FileType::Directory)?;
        let found = rustix::fs::fstat(&file).map_err(|errno| missing(path, errno))?;
        check(&found, path, FileType::RegularFile)?;
        if found.st_nlink != 1 {
            return Err(bad("has a second name (a hard link)").hint("edit it by hand"));
        }
        let mut bytes = Vec::new();
        let mut limited = File::from(file).take(u64::try_from(MAX_FILE + 1).unwrap_or(u64::MAX));
        limited.read_to_end(&mut bytes).map_err(|error| Failure::undecided(format!("{}: {error}", path.display())))?;
        if bytes.len() > MAX_FILE || bytes.contains(&0) {
            return Err(bad("is not a text file of at most 4 MB"));
        }
        Ok(Self { folder: open, name: name.to_owned(), path: path.to_owned(), found, bytes })
    }

    /// Writes a copy beside it, and returns where. An older copy is never
    /// overwritten.
    ///
    /// # Errors
    /// When that fails.
    pub fn back_up(&self, stamp: &str) -> Result<PathBuf, Failure> {
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
        self.write_new(&free, &self.bytes)?;
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
        let key = |stat: &Stat| (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
        if key(&now) == key(&self.found) {
            return Ok(());
        }
        Err(Failure::no(format!("{} was changed in the meantime", self.path.display())).hint("try again"))
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

fn missing(path: &Path, errno: Errno) -> Failure {
    let failure = Failure::no(format!("can't open {}: {errno}", path.display()));
    match errno {
        Errno::NOENT => failure.hint("add the key first (ssh-copy-id does), or name the file with --file"),
        Errno::LOOP => {
            Failure::no(format!("{} is a symbolic link", path.display())).hint("name the real file with --file")
        }
        _ => failure,
    }
}

fn check(stat: &Stat, path: &Path, wanted: FileType) -> Result<(), Failure> {
    let bad = |what: &str| Failure::no(format!("{} {what}", path.display()));
    let me = rustix::process::geteuid();
    if FileType::from_raw_mode(stat.st_mode) != wanted {
        return Err(bad("is not a file"));
    }
    // A folder of root's is as good: AuthorizedKeysFile may lie in /etc.
    if stat.st_uid != me.as_raw() && !(stat.st_uid == 0 && wanted == FileType::Directory) {
        return Err(bad("belongs to somebody else").hint("run this as the user whose keys they are"));
    }
    if stat.st_mode & 0o022 != 0 {
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
            let keys = KeysFile::open(&path).unwrap();
            let stamp = format!("{mode:o}");
            let backup = keys.back_up(&stamp).unwrap();
            keys.replace(b"new\n").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new\n");
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode);
            assert_eq!(fs::read(&backup).unwrap(), b"old\n");
            assert!(backup.ends_with(format!("authorized_keys.oathgate-{stamp}")));
            assert_eq!(fs::metadata(&backup).unwrap().mode() & 0o7777, mode);
            let second = KeysFile::open(&path).unwrap().back_up(&stamp).unwrap();
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
            assert!(KeysFile::open(&file(folder.path(), mode)).unwrap_err().what.contains("written by others"));
        }
        let path = file(folder.path(), 0o600);
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(KeysFile::open(&link).unwrap_err().what.contains("symbolic link"));
        fs::hard_link(&path, folder.path().join("second")).unwrap();
        assert!(KeysFile::open(&path).unwrap_err().what.contains("second name"));
        fs::remove_file(folder.path().join("second")).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(KeysFile::open(&path).unwrap_err().what.contains("written by others"));
        assert!(KeysFile::open(&folder.path().join("missing")).unwrap_err().hint.unwrap().contains("ssh-copy-id"));
        assert!(KeysFile::open(folder.path()).is_err());
        assert!(KeysFile::open(Path::new("/")).is_err());
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
        assert!(KeysFile::open(&path).unwrap_err().what.contains("belongs to somebody else"));
    }

    #[test]
    fn a_change_in_between_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), 0o600);
        let keys = KeysFile::open(&path).unwrap();
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
        assert!(KeysFile::open(&path).is_err());
        fs::write(&path, vec![b'x'; MAX_FILE + 1]).unwrap();
        assert!(KeysFile::open(&path).is_err());
    }
}
