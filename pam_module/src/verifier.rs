//! Finds the verifier that the options name, and says whom to believe there.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Instant;

use otp_wire::frame::MAX_REPLY;
use otp_wire::socket::{exchange, until_closed};
use otp_wire::spawn::channel;
use otp_wire::trust::system_uids;
use otp_wire::{Error, LoginsOnly, PUBLIC_SOCKET, ROOT_SOCKET, Reply, Request, SocketVerifier, Verifier};
use rustix::process::geteuid;

use crate::ffi::Child;
use crate::options::Via;

/// The verifier that `verifier=spawn` starts.
const PROGRAM: &str = match option_env!("OATHGATED") {
    Some(path) => path,
    None => "/usr/libexec/oathgate/oathgated",
};

/// The verifier, not yet asked.
///
/// # Errors
/// When it could only be started by root.
pub(crate) fn open(via: &Via) -> Result<Box<dyn Verifier<LoginsOnly>>, &'static str> {
    let euid = geteuid();
    Ok(match via {
        Via::Service => {
            let path = if euid.is_root() { ROOT_SOCKET } else { PUBLIC_SOCKET };
            Box::new(SocketVerifier::new(Path::new(path), system_uids()))
        }
        // Who names a socket of their own may run the service there themselves.
        Via::Socket(path) => {
            let trusted = system_uids().into_iter().chain([euid.as_raw()]).collect();
            Box::new(SocketVerifier::new(path, trusted))
        }
        Via::Spawn if euid.is_root() => Box::new(Spawned),
        Via::Spawn => return Err("verifier=spawn works only in programs that run as root"),
    })
}

/// `oathgated --stdio`, started for one request.
struct Spawned;

impl Verifier<LoginsOnly> for Spawned {
    fn ask(&self, request: &Request<LoginsOnly>, deadline: Instant) -> Result<Reply<LoginsOnly>, Error> {
        let absent = |error| Error::Absent(PROGRAM.to_owned(), error);
        let program = CString::new(PROGRAM).map_err(|error| absent(error.into()))?;
        let (ours, theirs) = channel().map_err(absent)?;
        let child = Child::start(&program, theirs.as_fd()).map_err(absent)?;
        drop(theirs);
        let reply = exchange(&ours, request, deadline, MAX_REPLY)?;
        until_closed(&ours, deadline);
        drop(child);
        Ok(reply)
    }
}
