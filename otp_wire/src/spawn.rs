//! The verifier as a program that is started for one request.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::frame::MAX_REPLY;
use crate::socket::exchange;
use crate::{Error, Reply, Request, Scope, Verifier};

/// Starts `oathgated --stdio` and asks it once.
pub struct SpawnVerifier {
    program: PathBuf,
    arguments: Vec<OsString>,
    max_reply: usize,
}

impl SpawnVerifier {
    /// The system's store, for a front end that runs as root.
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
        let caller = std::env::current_exe()?;
        let folder = caller.parent().ok_or(io::ErrorKind::NotFound)?;
        let places = [folder.join("oathgated"), folder.join("../libexec/oathgate/oathgated")];
        places.into_iter().find(|place| place.is_file()).ok_or_else(|| {
            let text = format!("no oathgated in {} or its ../libexec/oathgate", folder.display());
            io::Error::new(io::ErrorKind::NotFound, text)
        })
    }

    fn start(&self) -> io::Result<(Started, std::os::fd::OwnedFd)> {
        let pair = |flags| socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None);
        let (ours, theirs) = pair(SocketFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        // The child closes every other descriptor and resets its signals itself.
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
    fn ask(&self, request: &Request, deadline: Instant) -> Result<Reply<S>, Error> {
        let absent = |error| Error::Absent(self.program.display().to_string(), error);
        let (mut started, socket) = self.start().map_err(absent)?;
        let reply = exchange(&socket, request, deadline, self.max_reply);
        // It ends when it has answered; to kill it then could only disturb it.
        if reply.is_ok() {
            drop(socket);
            let _ = started.0.wait();
        }
        reply
    }
}
