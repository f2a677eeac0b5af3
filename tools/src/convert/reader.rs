//! Having files read by `oathgate-import`, which has no rights and little memory.

use std::fs::File;
use std::io::{ErrorKind, IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use otp_import::format::MAX_FILES;
use otp_import::pipe::{self, Answer, MAX_ANSWER, MEMORY, SECONDS};
use otp_import::{Error, Parsed};
use otp_wire::frame::reserve;
use otp_wire::socket::timespec;
use otp_wire::spawn::beside_caller;
use otp_wire::syslog::escape;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg, socketpair,
};
use zeroize::Zeroizing;

use super::arguments::Locked;
use super::open::{self, Opened};
use super::password::{self, Password};
use crate::error::Failure;
use crate::progress::{Progress, STEP};
use crate::terminal;

/// Reads files; all of them, or none.
///
/// # Errors
/// When one can't be read, which is named, or the program is missing.
pub fn read(paths: &[PathBuf], locked: &Locked) -> Result<Parsed, Failure> {
    if paths.len() > MAX_FILES {
        return Err(Failure::usage(format!("{} files; at most {MAX_FILES} are read at once", paths.len())));
    }
    let begun = |password: Option<&Password>| {
        begin(paths.iter().map(|path| open::open(path)).collect::<Result<_, _>>()?, password)
    };
    let given = locked.password_file.as_deref().map(password::of_file).transpose()?;
    let (file, failure) = match begun(given.as_ref())?.end()? {
        Came::Parsed(parsed) => return Ok(parsed),
        Came::Locked(file, failure) => (file, failure),
    };
    // What came through a pipe has gone by.
    let again = !paths.iter().any(|path| path == Path::new("-"));
    let typed = again.then(|| terminal::secret(&format!("Password for {}: ", escape(&file)))).and_then(Result::ok);
    begun(Some(&typed.ok_or(failure)?))?.all()
}

/// What is said where nobody can be asked for a password.
const WHERE: &str = "type the password at a terminal, or name a file that holds it with --password-file";

/// What came of reading.
enum Came {
    Parsed(Parsed),
    /// This file is locked, and there was no password.
    Locked(String, Failure),
}

/// Files that are being read.
pub struct Reading(Started);

/// Begins to read files, without waiting for what comes of it.
///
/// # Errors
/// When the program is missing.
pub fn begin(opened: Vec<Opened>, password: Option<&Password>) -> Result<Reading, Failure> {
    let (child, socket) = start()?;
    let password = password.map(password::piped).transpose()?;
    for file in password.into_iter().chain(opened) {
        match send(&socket, file) {
            Ok(()) => {}
            // It has said why by now.
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => break,
            Err(error) => return Err(Failure::undecided(format!("can't pass a file on: {error}"))),
        }
    }
    Ok(Reading(child))
}

impl Reading {
    /// Waits for all that is in them.
    ///
    /// # Errors
    /// When one can't be read, which is named.
    pub fn all(self) -> Result<Parsed, Failure> {
        match self.end()? {
            Came::Parsed(parsed) => Ok(parsed),
            Came::Locked(_, failure) => Err(failure),
        }
    }

    /// Waits for what comes of it.
    fn end(self) -> Result<Came, Failure> {
        match answer(self.0)? {
            Answer::Parsed(parsed) => Ok(Came::Parsed(parsed)),
            Answer::Error(Error { file, reason, hint, locked }) => {
                let failure = Failure::no(format!("{file}: {reason}"));
                match hint {
                    _ if locked => Ok(Came::Locked(file, failure.hint(WHERE))),
                    Some(hint) => Err(failure.hint(hint)),
                    None => Err(failure),
                }
            }
        }
    }
}

/// A started program, which is always ended and waited for.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start() -> Result<(Started, OwnedFd), Failure> {
    let failed = |error: std::io::Error| Failure::undecided(format!("can't start oathgate-import: {error}"));
    let program = beside_caller("oathgate-import").map_err(|error| {
        Failure::undecided(error).hint("install oathgate-import beside oathgate, or into ../libexec/oathgate")
    })?;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(|errno| failed(errno.into()))?;
    let child = Command::new(program)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    Ok((Started(child), ours))
}

fn send(socket: &OwnedFd, file: Opened) -> std::io::Result<()> {
    let (parts, descriptors): (Vec<_>, Vec<File>) = file.parts.into_iter().unzip();
    let message = serde_json::to_vec(&pipe::File { name: file.name, parts })?;
    let borrowed: Vec<BorrowedFd> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&borrowed)) {
        return Err(ErrorKind::InvalidInput.into());
    }
    sendmsg(socket, &[IoSlice::new(&message)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn answer(mut child: Started) -> Result<Answer, Failure> {
    let broken = |error: std::io::Error| Failure::undecided(format!("oathgate-import can't be understood: {error}"));
    let stdout = child.0.stdout.take().ok_or_else(|| broken(ErrorKind::BrokenPipe.into()))?;
    let bytes = all(stdout).map_err(broken)?;
    let status = child.0.wait().map_err(broken)?;
    if status.success() {
        return pipe::receive(&bytes).map_err(broken);
    }
    let (megabytes, nothing) = (MEMORY >> 20, "nothing was read");
    Err(match status.signal() {
        Some(_) => Failure::no(format!(
            "reading it takes more than {megabytes} MB of memory or {SECONDS} s, which is not allowed; {nothing}"
        ))
        .hint("is it really what an authenticator wrote? if so, give it in smaller pieces"),
        None => match pipe::receive(&bytes) {
            Ok(Answer::Error(error)) => Failure::undecided(format!("{error}; {nothing}")),
            _ => Failure::undecided(format!("oathgate-import failed ({status}); {nothing}"))
                .hint("are oathgate and oathgate-import of the same version?"),
        },
    })
}

/// Everything it says; what moves is wiped where it was.
fn all(mut stdout: ChildStdout) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    let mut chunk = Zeroizing::new([0; 64 * 1024]);
    let progress = Progress::begin("reading");
    loop {
        while poll(&mut [PollFd::new(&stdout, PollFlags::IN)], Some(&timespec(STEP))) == Ok(0) {
            progress.wait();
        }
        let count = stdout.read(&mut chunk[..])?;
        if count == 0 {
            return Ok(bytes);
        }
        reserve(&mut bytes, count, MAX_ANSWER)?;
        bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
    }
}
