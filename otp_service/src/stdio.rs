//! One request from standard input, one reply on standard output.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use otp_wire::frame::{self, MAX_LISTING, MAX_REQUEST};
use otp_wire::message::{Outcome, Reply, Request, VERSION};
use otp_wire::socket::{read_line, write_line};

use crate::access::Peer;
use crate::listen::Wire;
use crate::service::Service;
use crate::{Failure, now};

/// How long the caller may take for its line, and for reading the reply.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads a line from standard input before anything else is done, so that
/// whoever sends nothing costs nothing.
///
/// # Errors
/// When there is no line in time.
pub fn read() -> Result<zeroize::Zeroizing<Vec<u8>>, Failure> {
    let stdin = std::io::stdin();
    rustix::io::ioctl_fionbio(stdin.as_fd(), true).map_err(|why| Failure::at("standard input", why))?;
    read_line(&stdin.as_fd(), MAX_REQUEST, Instant::now() + PATIENCE).map_err(|why| Failure::at("standard input", why))
}

/// Answers `line`.
///
/// # Errors
/// When it was not a request, or the reply can't be written.
pub fn answer(service: &Service, peer: Peer, line: &[u8]) -> Result<(), Failure> {
    let reply = service.answer(peer, line, now()).ok_or_else(|| Failure::at("standard input", "not a request"))?;
    send(&reply)?;
    if matches!(reply.outcome, Outcome::Staged(_)) {
        // Standard input and output are one socket here.
        let stdin = std::io::stdin();
        service.converse(peer, &reply.id, &mut Wire { socket: &stdin, line: PATIENCE }, now());
    }
    Ok(())
}

/// Says why nothing can be decided. The caller may know: it is root, or the
/// store is its own.
///
/// # Errors
/// Always `failure`, for the log and the exit code.
pub fn refuse(line: &[u8], failure: Failure) -> Result<(), Failure> {
    if let Ok(request) = frame::decode::<Request>(line) {
        send(&Reply { v: VERSION, id: request.id, outcome: Outcome::Undecided(failure.to_string()) })?;
    }
    Err(failure)
}

fn send(reply: &Reply) -> Result<(), Failure> {
    let line = frame::encode(reply, MAX_LISTING).map_err(|why| Failure::at("reply", why))?;
    let stdout = std::io::stdout();
    write_line(&stdout.as_fd(), &line, Instant::now() + PATIENCE).map_err(|why| Failure::at("standard output", why))
}
