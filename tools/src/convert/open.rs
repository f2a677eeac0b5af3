//! Opening what the person named: regular files, never waiting for anything,
//! and as root never along a link that somebody else may have laid.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use otp_import::pipe::Part;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::error::Failure;

/// A file with those that belong to it.
pub struct Opened {
    /// What to call it.
    pub name: String,
    /// The descriptors; the first one is the file itself.
    pub parts: Vec<(Part, File)>,
}

/// Where the database lies in what one copies from a phone.
const IN_FOLDERS: [&str; 4] = [
    "databases",
    "databases/databases",
    "com.google.android.apps.authenticator2/databases/databases",
    "com.google.android.apps.authenticator/databases/databases",
];

/// So many symbolic links are followed on the way, as by the kernel.
const MAX_LINKS: usize = 40;

/// What SQLite keeps beside a database.
const BESIDE: [(&str, Part); 3] = [("-wal", Part::Wal), ("-shm", Part::Shm), ("-journal", Part::Journal)];

/// Opens `path`, `-` for standard input, or the database in a folder.
///
/// # Errors
/// When it isn't there, or is none of these.
pub fn open(path: &Path) -> Result<Opened, Failure> {
    if path == Path::new("-") {
        let stdin = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).map_err(Failure::undecided)?;
        return Ok(Opened { name: "standard input".to_owned(), parts: vec![(Part::Main, File::from(stdin))] });
    }
    let file = open_one(path).map_err(|why| failure(path, &why))?;
    let metadata = file.metadata().map_err(|why| failure(path, &why))?;
    if metadata.is_dir() {
        return open_folder(path);
    }
    check(&metadata).map_err(|(what, hint)| {
        let failure = Failure::no(format!("{}: {what}", path.display()));
        if hint.is_empty() { failure } else { failure.hint(hint) }
    })?;
    let mut parts = vec![(Part::Main, file)];
    for (suffix, part) in BESIDE {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        let beside = PathBuf::from(beside);
        match open_one(&beside) {
            Ok(file) if file.metadata().is_ok_and(|metadata| check(&metadata).is_ok()) => parts.push((part, file)),
            Err(why) if why.kind() == io::ErrorKind::NotFound => {}
            // Without it rows would be missing, and nobody would know.
            Ok(_) => return Err(Failure::no(format!("{}: not a file of its own", beside.display()))),
            Err(why) => return Err(failure(&beside, &why)),
        }
    }
    Ok(Opened { name: path.display().to_string(), parts })
}

fn open_folder(folder: &Path) -> Result<Opened, Failure> {
    let candidates = IN_FOLDERS.iter().map(|place| folder.join(place));
    match candidates.into_iter().find(|path| path.is_file()) {
        Some(path) => open(&path),
        None => Err(Failure::no(format!("{}: a folder without a database of Google Authenticator", folder.display()))
            .hint(
                "name a file, or the folder /data/data/com.google.android.apps.authenticator2 as copied from the phone",
            )),
    }
}

fn open_one(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    if !geteuid().is_root() {
        return Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?));
    }
    let path = without_links(path)?;
    Ok(File::from(openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?))
}

/// The same place by a path without symbolic links, if those on the way are
/// root's own. One that is laid meanwhile is refused when it is opened.
fn without_links(path: &Path) -> io::Result<PathBuf> {
    let mut found = PathBuf::new();
    let mut rest = std::path::absolute(path)?;
    for _ in 0..MAX_LINKS {
        let mut link = None;
        let mut components = rest.components();
        for component in components.by_ref() {
            match component {
                Component::ParentDir => drop(found.pop()),
                component => found.push(component),
            }
            let metadata = std::fs::symlink_metadata(&found)?;
            if metadata.is_symlink() {
                link = Some(metadata);
                break;
            }
        }
        match link {
            None => return Ok(found),
            Some(link) if link.uid() != 0 => break,
            Some(_) => {
                let target = std::fs::read_link(&found)?;
                found.pop();
                // An absolute target begins anew by itself.
                rest = target.join(components.as_path());
            }
        }
    }
    Err(Errno::LOOP.into())
}

/// What may be read, or what it is instead, and what to do.
fn check(metadata: &std::fs::Metadata) -> Result<(), (&'static str, &'static str)> {
    let kind = metadata.file_type();
    if kind.is_fifo() {
        return Err(("a FIFO (named pipe), not a file", "for a pipe take - and standard input"));
    }
    if kind.is_socket() || kind.is_char_device() || kind.is_block_device() || !kind.is_file() {
        return Err(("not a file", ""));
    }
    // Another name of it may lie where its owner could not have put it.
    if geteuid().is_root() && metadata.nlink() > 1 && metadata.uid() != 0 {
        return Err(("it has another name elsewhere (a hard link)", "copy it first, and import the copy"));
    }
    Ok(())
}

fn failure(path: &Path, why: &io::Error) -> Failure {
    let failure = |what: &str| Failure::no(format!("{}: {what}", path.display()));
    match Errno::from_io_error(why) {
        Some(Errno::LOOP) => failure("a symbolic link of somebody else is on the way, and root does not follow it")
            .hint("give the path itself, as realpath prints it"),
        Some(Errno::NOENT) => failure("no such file"),
        Some(Errno::ACCESS | Errno::PERM) => failure("you may not read it"),
        _ => failure(&why.to_string()),
    }
}
