//! The files, as they come through the socket.

use std::fs::{File as Descriptor, Metadata};
use std::io::{self, ErrorKind, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use otp_import::format::{MAX_FILE, MAX_FILES};
use otp_import::pipe::{self, MAX_MESSAGE, MAX_PASSWORD, Part};
use otp_import::{Error, Source, Zone};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};
use zeroize::Zeroizing;

/// Where a database's writers put their locks (SQLite file format §2, "os.h"):
/// pending, reserved and shared.
const DATABASE_LOCKS: (i64, i64) = (0x4000_0000, 512);
/// And in the shared memory of a write-ahead log: write, checkpoint, recover.
const LOG_LOCKS: (i64, i64) = (120, 3);

/// A file and what belongs to it, in memory.
pub struct File {
    name: String,
    bytes: Zeroizing<Vec<u8>>,
    wal: Option<Zeroizing<Vec<u8>>>,
    journal: Option<Zeroizing<Vec<u8>>>,
}

impl File {
    /// The same for the parsers.
    pub fn source<'a>(&'a self, password: Option<&'a [u8]>, zone: &'a Zone) -> Source<'a> {
        Source {
            name: &self.name,
            bytes: &self.bytes,
            wal: self.wal.as_ref().map(|bytes| bytes.as_slice()),
            journal: self.journal.as_ref().map(|bytes| bytes.as_slice()),
            password,
            zone: Some(zone),
        }
    }
}

/// All that came.
#[derive(Default)]
pub struct Received {
    pub files: Vec<File>,
    /// For those that are locked.
    pub password: Option<Zeroizing<Vec<u8>>>,
}

/// Receives every file.
///
/// # Errors
/// The outer one when the caller makes no sense; the inner one is about a file.
pub fn files(socket: impl AsFd) -> io::Result<Result<Received, Error>> {
    let mut received = Received::default();
    while let Some((message, descriptors)) = message(&socket)? {
        if let ([Part::Password], [descriptor]) = (&message.parts[..], &descriptors[..]) {
            received.password = Some(password(descriptor)?);
            continue;
        }
        if received.files.len() == MAX_FILES {
            return Ok(Err(Error::new(message.name, format!("more than {MAX_FILES} files at once"))));
        }
        match file(message, descriptors) {
            Ok(file) => received.files.push(file),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(received))
}

fn password(descriptor: &OwnedFd) -> io::Result<Zeroizing<Vec<u8>>> {
    let bytes = all(&Descriptor::from(descriptor.try_clone()?), MAX_PASSWORD)?;
    if bytes.len() > MAX_PASSWORD { Err(bad("the password is too long")) } else { Ok(bytes) }
}

fn message(socket: &impl AsFd) -> io::Result<Option<(pipe::File, Vec<OwnedFd>)>> {
    let mut bytes = [0; MAX_MESSAGE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for ancillary in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = ancillary {
            descriptors.extend(rights);
        }
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    let whole = !received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
    let text = bytes.get(..received.bytes).filter(|_| whole).unwrap_or_default();
    let file: pipe::File = serde_json::from_slice(text).map_err(|_| bad("a message is not about a file"))?;
    if file.parts.len() != descriptors.len() || !matches!(file.parts[..], [Part::Main, ..] | [Part::Password]) {
        return Err(bad("a message does not have the descriptors that it speaks of"));
    }
    Ok(Some((file, descriptors)))
}

fn bad(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

fn file(message: pipe::File, descriptors: Vec<OwnedFd>) -> Result<File, Error> {
    let mut file = File { name: message.name, bytes: Zeroizing::default(), wal: None, journal: None };
    let parts: Vec<(Part, Descriptor)> =
        message.parts.into_iter().zip(descriptors.into_iter().map(Descriptor::from)).collect();
    unlocked(&parts).map_err(|reason| {
        Error::new(&file.name, reason).hint("close the program that writes it, or copy it from the phone again")
    })?;
    for (part, descriptor) in &parts {
        let place = match part {
            Part::Main => &mut file.bytes,
            Part::Wal => file.wal.get_or_insert_default(),
            Part::Journal => file.journal.get_or_insert_default(),
            Part::Shm => continue,
            Part::Password => return Err(Error::new(&file.name, "a password in the place of a file")),
        };
        *place = content(descriptor).map_err(|reason| Error::new(&file.name, reason))?;
    }
    // Bytes of two moments make no database.
    unlocked(&parts).map_err(|reason| Error::new(&file.name, reason).hint("try again when it is not in use"))?;
    Ok(file)
}

/// All of it, if it isn't too much and nobody writes it meanwhile.
fn content(descriptor: &Descriptor) -> Result<Zeroizing<Vec<u8>>, String> {
    let unreadable = |error: io::Error| format!("can't be read: {error}");
    let before = descriptor.metadata().map_err(unreadable)?;
    if before.is_dir() {
        return Err("it is a folder".to_owned());
    }
    if before.len() > MAX_FILE {
        return Err(format!("it has {} MB; at most {} MB are read", before.len() >> 20, MAX_FILE >> 20));
    }
    let bytes = all(descriptor, usize::try_from(before.len()).unwrap_or(0)).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("it is larger than {} MB", MAX_FILE >> 20));
    }
    let after = descriptor.metadata().map_err(unreadable)?;
    let state = |metadata: &Metadata| (metadata.len(), metadata.mtime(), metadata.mtime_nsec());
    if before.is_file() && state(&before) != state(&after) {
        return Err("it was written while it was read; try again".to_owned());
    }
    Ok(bytes)
}

fn all(mut descriptor: &Descriptor, expected: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected.max(16 * 1024)));
    let mut chunk = Zeroizing::new([0; 16 * 1024]);
    while bytes.len() as u64 <= MAX_FILE {
        let count = match descriptor.read(&mut chunk[..]) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if bytes.len() + count > bytes.capacity() {
            // What moves is wiped where it was.
            let mut larger = Zeroizing::new(Vec::with_capacity(bytes.capacity() * 2));
            larger.extend_from_slice(&bytes);
            bytes = larger;
        }
        bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
    }
    Ok(bytes)
}

/// Whether nobody is about to write the database.
fn unlocked(parts: &[(Part, Descriptor)]) -> Result<(), String> {
    for (part, descriptor) in parts {
        let (start, length) = match part {
            Part::Main => DATABASE_LOCKS,
            Part::Shm => LOG_LOCKS,
            Part::Wal | Part::Journal | Part::Password => continue,
        };
        let mut lock = libc::flock {
            l_type: libc::F_RDLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: start,
            l_len: length,
            l_pid: 0,
        };
        // Pipes have no locks, and some file systems neither.
        if fcntl(descriptor, FcntlArg::F_GETLK(&mut lock)).is_ok() && lock.l_type != libc::F_UNLCK as libc::c_short {
            return Err(format!("process {} is writing it at this moment", lock.l_pid));
        }
    }
    Ok(())
}
