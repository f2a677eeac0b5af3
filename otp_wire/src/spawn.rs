//! The verifier as a program that is started for one request.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::frame::MAX_REPLY;
use crate::message::bulk::More;
use crate::socket::{converse, exchange, until_closed};
use crate::{Converse, DEADLINE, Error, Outcome, Reply, Request, Scope, Verifier};

/// Starts `oathgated --stdio` and asks it once.
pub struct SpawnVerifier {
    program: PathBuf,
    arguments: Vec<OsString>,
    max_reply: usize,
}

impl SpawnVerifier {
    /// The system's store, for root.
    #[must_use]
    pub fn system(program: &Path) -> Self {
        Self { program: program.to_owned(), arguments: vec!["--stdio".into()], max_reply: MAX_REPLY }
    }

    /// The store of the calling user, in the home directory `home`.
    #[must_use]
    pub fn user_store(program: &Path, home: &Path) -> Self {
        let arguments = vec!["--stdio".into(), "--user-store".into(), "--home".into(), home.into()];
        Self { program: program.to_owned(), arguments, max_reply: MAX_REPLY }
    }

    /// Reads replies of up to `bytes`, for listings.
    #[must_use]
    pub fn max_reply(mut self, bytes: usize) -> Self {
        self.max_reply = bytes;
        self
    }

    /// `oathgated` beside the calling program, or in `../libexec/oathgate`.
    ///
    /// # Errors
    /// When it is in neither place.
    pub fn beside_caller() -> io::Result<PathBuf> {
        beside_caller("oathgated")
    }

    fn start(&self) -> io::Result<(Started, OwnedFd)> {
        let (ours, theirs) = channel()?;
        // The child closes every other descriptor itself.
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs.try_clone()?))
            .stdout(Stdio::from(theirs))
            .stderr(Stdio::null())
            .spawn()?;
        Ok((Started(child), ours))
    }
}

/// The program called `name` beside the calling one, or in `../libexec/oathgate`.
///
/// # Errors
/// When it is in neither place.
pub fn beside_caller(name: &str) -> io::Result<PathBuf> {
    let caller = std::env::current_exe()?;
    let folder = caller.parent().ok_or(io::ErrorKind::NotFound)?;
    let places = [folder.join(name), folder.join("../libexec/oathgate").join(name)];
    places.into_iter().find(|place| place.is_file()).ok_or_else(|| {
        let text = format!("no {name} in {} or its ../libexec/oathgate", folder.display());
        io::Error::new(io::ErrorKind::NotFound, text)
    })
}

/// A connected pair of sockets: ours, which does not block, and the one that
/// becomes the started verifier's standard input and output.
///
/// # Errors
/// When the kernel has no descriptors left.
pub fn channel() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}

/// A started verifier. It is always ended and always waited for, also where
/// the host ignores SIGCHLD or reaps our children itself.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl<S: Scope> Verifier<S> for SpawnVerifier {
    fn ask(&self, request: &Request<S>, deadline: Instant) -> Result<Reply<S>, Error> {
        let absent = |error| Error::Absent(self.program.display().to_string(), error);
        let (started, socket) = self.start().map_err(absent)?;
        let reply = exchange(&socket, request, deadline, self.max_reply)?;
        until_closed(&socket, deadline);
        drop(started);
        Ok(reply)
    }
}

impl Converse for SpawnVerifier {
    fn converse(&self, request: &Request, next: &mut dyn FnMut(&Outcome) -> Option<More>) -> Result<Outcome, Error> {
        let absent = |error| Error::Absent(self.program.display().to_string(), error);
        let (_started, socket) = self.start().map_err(absent)?;
        let answer = converse(&socket, request, next, self.max_reply)?;
        until_closed(&socket, Instant::now() + DEADLINE);
        Ok(answer)
    }
}
