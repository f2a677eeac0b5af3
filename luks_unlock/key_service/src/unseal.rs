//! Asks the verifier.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use otp_core::{Secret, Volume};
use otp_wire::message::{Outcome, Unseal};
use otp_wire::trust::system_uids;
use otp_wire::{Ask, DEADLINE, DisksOnly, Error, ROOT_SOCKET, Request, SecretText, SocketVerifier, Verifier};
use rustix::event::{Timespec, poll};

use crate::{Refused, refused};

/// How long the verifier may take to come up, and how often it is looked for.
const COMES_UP: Duration = Duration::from_secs(30);
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// What comes of a code.
pub enum Answer {
    /// The key of the key slot.
    Key(Secret),
    /// The line to show.
    No(String),
}

/// The verifier at `socket`, or at its usual place. Waits until somebody
/// listens there, so that no code is typed in vain.
///
/// # Errors
/// When it doesn't come up.
pub fn verifier(socket: Option<&Path>) -> Result<SocketVerifier, Refused> {
    let socket = socket.unwrap_or(Path::new(ROOT_SOCKET));
    let until = Instant::now() + COMES_UP;
    while let Err(why) = UnixStream::connect(socket) {
        if !is_starting(&why) || Instant::now() > until {
            let hint = "the verifier starts after the system's volumes: put _netdev into crypttab";
            return Err(refused(format!("{}: {why}; {hint}", socket.display())));
        }
        let _ = poll(&mut [], Some(&LOOK));
    }
    Ok(SocketVerifier::new(socket, system_uids()))
}

fn is_starting(why: &std::io::Error) -> bool {
    matches!(why.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

/// Has a code judged, or two in a row.
///
/// # Errors
/// When it could not be decided.
pub fn ask(verifier: &SocketVerifier, volume: &Volume, typed: &[u8]) -> Result<Answer, Refused> {
    let mut codes = typed.split(|byte| *byte == b' ').filter(|code| !code.is_empty());
    let code = SecretText::typed(codes.next().unwrap_or_default());
    let next = codes.next().map(SecretText::typed);
    let request: Request<DisksOnly> =
        Request::new(Ask::Unseal(Unseal { volume: volume.to_string(), code, next })).map_err(refused)?;
    let reply = verifier.ask(&request, Instant::now() + DEADLINE).map_err(|why| refused(undecided(&why)))?;
    match reply.outcome {
        Outcome::Unsealed(key) => Secret::from_base32(key.expose()).map(Answer::Key).map_err(refused),
        Outcome::Refused { line, .. } => Ok(Answer::No(line)),
        Outcome::Invalid(line) | Outcome::Denied(line) | Outcome::Undecided(line) => Err(refused(line)),
        _ => Err(refused("the verifier's answer is none to a code")),
    }
}

fn undecided(error: &Error) -> String {
    format!("the verifier can't be asked: {error}")
}
