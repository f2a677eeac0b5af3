//! The store gate: the verifier keeps the key of the keyslot, and gives it away
//! for an accepted code of the volume's own. It does the judging; here it is
//! only asked, over root's socket.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use otp_core::{Secret, Volume};
use otp_wire::message::{Outcome, Unseal};
use otp_wire::trust::system_uids;
use otp_wire::{Ask, DEADLINE, DisksOnly, Request, SecretText, SocketVerifier, Verifier};

use crate::key::{SLOT_KEY, SlotKey};

/// Where the system's verifier answers root.
pub const SOCKET: &str = otp_wire::ROOT_SOCKET;

/// What the verifier says to a code.
#[derive(Debug)]
pub enum Unsealed {
    /// The code was right, and is spent.
    Key(SlotKey),
    /// It was not; the line says why.
    No(String),
    /// Nobody could say.
    Unasked(String),
}

/// Whether somebody listens at the verifier's `socket`.
///
/// # Errors
/// Why not.
pub fn reach(socket: &Path) -> std::io::Result<()> {
    UnixStream::connect(socket).map(drop)
}

/// Asks for the key of the volume with this UUID. Two codes in a row have a
/// blank between them: the device is followed then.
#[must_use]
pub fn unseal(socket: &Path, uuid: &str, typed: &[u8]) -> Unsealed {
    ask(socket, uuid, typed).unwrap_or_else(Unsealed::Unasked)
}

fn ask(socket: &Path, uuid: &str, typed: &[u8]) -> Result<Unsealed, String> {
    let volume: Volume = uuid.to_ascii_lowercase().parse().map_err(|error| format!("{uuid}: {error}"))?;
    let mut codes = typed.split(|byte| *byte == b' ').filter(|code| !code.is_empty());
    let code = SecretText::typed(codes.next().unwrap_or_default());
    let next = codes.next().map(SecretText::typed);
    let unseal = Ask::Unseal(Unseal { volume: volume.to_string(), code, next });
    let request: Request<DisksOnly> = Request::new(unseal).map_err(|error| error.to_string())?;
    let verifier = SocketVerifier::new(socket, system_uids());
    let reply = verifier.ask(&request, Instant::now() + DEADLINE);
    match reply.map_err(|error| format!("the verifier can't be asked: {error}"))?.outcome {
        Outcome::Unsealed(key) => slot_key(&key).map(Unsealed::Key),
        Outcome::Refused { line, .. } => Ok(Unsealed::No(line)),
        Outcome::Invalid(line) | Outcome::Denied(line) | Outcome::Undecided(line) => Err(line),
        _ => Err("the verifier's answer is none to a code".to_owned()),
    }
}

fn slot_key(text: &SecretText) -> Result<SlotKey, String> {
    let secret = Secret::from_base32(text.expose()).map_err(|error| error.to_string())?;
    SlotKey::fill(|place| match secret.expose() {
        bytes if bytes.len() == place.len() => {
            place.copy_from_slice(bytes);
            Ok(())
        }
        bytes => Err(format!("the verifier keeps a key of {} bytes, not {SLOT_KEY}", bytes.len())),
    })
}
