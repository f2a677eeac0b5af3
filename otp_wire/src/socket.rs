//! The verifier behind a Unix socket.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send, socket_with,
};
use zeroize::Zeroizing;

use crate::frame::{self, MAX_REPLY, MAX_REQUEST};
use crate::message::VERSION;
use crate::message::bulk::{MAX_LINE, More};
use crate::{Converse, DEADLINE, Error, Outcome, Reply, Request, Scope, Verifier};

/// How long a verifier that hangs up is tried again.
const BUSY: Duration = Duration::from_secs(1);

/// The uid at the other end of a Unix socket (SO_PEERCRED, unix(7)): of whoever
/// connected, or called listen(2) there.
///
/// # Errors
/// What getsockopt(2) says.
pub fn peer_uid(socket: &impl AsFd) -> Result<u32, Errno> {
    getsockopt(socket, PeerCredentials).map(|peer| peer.uid()).map_err(|errno| Errno::from_raw_os_error(errno as i32))
}

/// Asks the service that listens at a path.
pub struct SocketVerifier {
    path: PathBuf,
    trusted: Vec<u32>,
    max_reply: usize,
}

impl SocketVerifier {
    /// A service at `path` that must run under one of the uids in `trusted`.
    #[must_use]
    pub fn new(path: &Path, trusted: Vec<u32>) -> Self {
        Self { path: path.to_owned(), trusted, max_reply: MAX_REPLY }
    }

    /// Reads replies of up to `bytes`, for listings.
    #[must_use]
    pub fn max_reply(mut self, bytes: usize) -> Self {
        self.max_reply = bytes;
        self
    }

    fn connect(&self, deadline: Instant) -> Result<OwnedFd, Error> {
        let absent = |errno: Errno| Error::Absent(self.path.display().to_string(), errno.into());
        let address = SocketAddrUnix::new(&self.path).map_err(absent)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(absent)?;
        loop {
            match connect(&socket, &address) {
                Ok(()) => break,
                Err(Errno::INTR) => {}
                // The queue of connections is full: a moment later it may not be.
                Err(Errno::AGAIN) if Instant::now() < deadline => pause(),
                Err(errno) => return Err(absent(errno)),
            }
        }
        // Whoever called listen(2) there.
        let peer = peer_uid(&socket).map_err(absent)?;
        if self.trusted.contains(&peer) { Ok(socket) } else { Err(Error::Impostor(peer)) }
    }
}

impl<S: Scope> Verifier<S> for SocketVerifier {
    fn ask(&self, request: &Request<S>, deadline: Instant) -> Result<Reply<S>, Error> {
        let patience = Instant::now() + BUSY;
        loop {
            let socket = self.connect(deadline)?;
            match exchange(&socket, request, deadline, self.max_reply) {
                // Hung up on: too many of this uid at once. The id makes it the same request.
                Err(Error::Broken(_)) if Instant::now() < patience.min(deadline) => pause(),
                answer => return answer,
            }
        }
    }
}

impl Converse for SocketVerifier {
    fn converse(&self, request: &Request, next: &mut dyn FnMut(&Outcome) -> Option<More>) -> Result<Outcome, Error> {
        converse(&self.connect(Instant::now() + DEADLINE)?, request, next, self.max_reply)
    }
}

/// Sends `request` and reads the reply, over a connected socket that does not block.
///
/// # Errors
/// [`Error`] when there is no answer to this request.
pub fn exchange<S: Scope>(
    socket: &impl AsFd,
    request: &Request<S>,
    deadline: Instant,
    max_reply: usize,
) -> Result<Reply<S>, Error> {
    let line = frame::encode(request, MAX_REQUEST).map_err(|_| Error::Garbage("the request is too long"))?;
    write_line(socket, &line, deadline)?;
    reply(socket, request, deadline, max_reply)
}

/// Asks, and then says what `next` makes of each answer, until it has no more
/// to say; the last answer. Each takes as long as [`DEADLINE`] at most.
///
/// # Errors
/// [`Error`] when there is no answer.
pub fn converse(
    socket: &impl AsFd,
    request: &Request,
    next: &mut dyn FnMut(&Outcome) -> Option<More>,
    max_reply: usize,
) -> Result<Outcome, Error> {
    let mut answer = exchange(socket, request, Instant::now() + DEADLINE, max_reply)?.outcome;
    while let Some(more) = next(&answer) {
        let line = frame::encode(&more, MAX_LINE).map_err(|_| Error::Garbage("the line is too long"))?;
        let deadline = Instant::now() + DEADLINE;
        write_line(socket, &line, deadline)?;
        answer = reply(socket, request, deadline, max_reply)?.outcome;
    }
    Ok(answer)
}

fn reply<S: Scope>(
    socket: &impl AsFd,
    request: &Request<S>,
    deadline: Instant,
    max_reply: usize,
) -> Result<Reply<S>, Error> {
    let line = read_line(socket, max_reply, deadline)?;
    let reply: Reply<S> = frame::decode(&line).map_err(|_| Error::Garbage("not a reply of this version"))?;
    if reply.v != VERSION || reply.id != request.id {
        return Err(Error::Garbage("the reply to another request"));
    }
    Ok(reply)
}

/// Writes a whole line.
///
/// # Errors
/// [`Error::Late`] or [`Error::Broken`].
pub fn write_line(socket: &impl AsFd, line: &[u8], deadline: Instant) -> Result<(), Error> {
    let mut rest = line;
    while !rest.is_empty() {
        // NOSIGNAL: a verifier that went away must not end the host by SIGPIPE.
        match send(socket, rest, SendFlags::NOSIGNAL) {
            Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(socket, PollFlags::OUT, deadline)?,
            Err(errno) => return Err(Error::Broken(errno.into())),
        }
    }
    Ok(())
}

/// Reads up to and with the first line break; what comes together with it and
/// belongs to a further line is an error.
///
/// # Errors
/// [`Error::Late`], [`Error::Broken`], or [`Error::Garbage`] for a line longer than `limit`.
pub fn read_line(socket: &impl AsFd, limit: usize, deadline: Instant) -> Result<Zeroizing<Vec<u8>>, Error> {
    // Hardly any line is longer, and wiping takes its time for each byte.
    let mut line = Zeroizing::new(Vec::with_capacity(512));
    loop {
        let before = line.len();
        if before == line.capacity() {
            // One byte more than there may be: then it is known to be too long.
            frame::reserve(&mut line, 1, limit.saturating_add(1)).map_err(|_| Error::Garbage("line too long"))?;
        }
        match recv(socket, spare_capacity(&mut line), RecvFlags::empty()) {
            Ok((0, _)) => return Err(Error::Broken(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) if line.len() > limit => return Err(Error::Garbage("line too long")),
            Ok(_) => {
                let received = line.get(before..).unwrap_or_default();
                match received.iter().position(|byte| *byte == b'\n') {
                    Some(end) if end + 1 == received.len() => return Ok(line),
                    Some(_) => return Err(Error::Garbage("more than one line")),
                    None => {}
                }
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => readable(socket, deadline)?,
            Err(errno) => return Err(Error::Broken(errno.into())),
        }
    }
}

/// Waits until there is something to read from `from`, or the end of it.
///
/// # Errors
/// When there is neither by `deadline`, or it can't be waited for.
pub fn readable(from: &impl AsFd, deadline: Instant) -> Result<(), Error> {
    wait(from, PollFlags::IN, deadline)
}

/// Waits until the other side is gone, so that it may end in order.
pub fn until_closed(socket: &impl AsFd, deadline: Instant) {
    let _ = read_line(socket, 0, deadline);
}

fn wait(socket: &impl AsFd, what: PollFlags, deadline: Instant) -> Result<(), Error> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::Late);
        }
        let left = timespec(left);
        match poll(&mut [PollFd::new(socket, what)], Some(&left)) {
            Ok(0) => return Err(Error::Late),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::Broken(errno.into())),
        }
    }
}

/// Gives a busy verifier a moment.
fn pause() {
    let _ = poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 10_000_000 }));
}

/// A span of time as poll(2) wants it.
#[must_use]
pub fn timespec(span: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX), tv_nsec: span.subsec_nanos().into() }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;
    use crate::{Ask, LoginsOnly};

    #[test]
    fn a_verifier_that_hangs_up_is_asked_again_with_the_same_id() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let verifier = std::thread::spawn(move || {
            drop(listener.accept().unwrap());
            let (mut connection, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&connection).read_line(&mut line).unwrap();
            let request: Request = frame::decode(line.as_bytes()).unwrap();
            let reply: Reply = Reply { v: VERSION, id: request.id, outcome: Outcome::Pass {} };
            connection.write_all(&frame::encode(&reply, MAX_REPLY).unwrap()).unwrap();
        });
        let own = rustix::process::geteuid().as_raw();
        let request = Request::<LoginsOnly>::new(Ask::Status {}).unwrap();
        let reply = SocketVerifier::new(&path, vec![own]).ask(&request, Instant::now() + DEADLINE).unwrap();
        assert_eq!(reply.outcome, Outcome::Pass {});
        verifier.join().unwrap();
    }

    #[test]
    fn a_line_may_be_as_long_as_it_may_be() {
        let soon = || Instant::now() + DEADLINE;
        for length in [1, 2, 511, 512, 513, 1024, 1025, 5000] {
            let line = [vec![b'x'; length - 1], vec![b'\n']].concat();
            for limit in [length - 1, length, length + 1] {
                let (one, other) = UnixStream::pair().unwrap();
                write_line(&one, &line, soon()).unwrap();
                let read = read_line(&other, limit, soon());
                match limit < length {
                    true => assert!(matches!(read, Err(Error::Garbage("line too long"))), "{length} of {limit}"),
                    false => assert_eq!(*read.unwrap(), line, "{length} of {limit}"),
                }
            }
        }
    }

    #[test]
    fn what_follows_a_line_is_an_error() {
        for more in ["\n\n", "{}\n{", &format!("{}\n\n", "x".repeat(512))] {
            let (one, other) = UnixStream::pair().unwrap();
            write_line(&one, more.as_bytes(), Instant::now() + DEADLINE).unwrap();
            let read = read_line(&other, 5000, Instant::now() + DEADLINE);
            assert!(matches!(read, Err(Error::Garbage("more than one line"))), "{more:?}");
        }
    }
}
