//! Whom to ask. The line in authorized_keys says it, nothing else does.

use std::path::Path;

use otp_wire::trust::system_uids;
use otp_wire::{Error, LoginsOnly, PUBLIC_SOCKET, ROOT_SOCKET, SocketVerifier, SpawnVerifier, Verifier};

use crate::arguments::Arguments;

/// The verifier that the arguments name; `home` is where a per-user store is.
///
/// # Errors
/// [`Error::Absent`] when the program that opens a per-user store is missing.
pub fn named(arguments: &Arguments, home: &Path) -> Result<Box<dyn Verifier<LoginsOnly>>, Error> {
    let uid = rustix::process::getuid();
    match (arguments.user_store, &arguments.socket) {
        (true, None) => {
            let program = SpawnVerifier::beside_caller().map_err(|error| Error::Absent("oathgated".into(), error))?;
            Ok(Box::new(SpawnVerifier::user_store(&program, home)))
        }
        // The owner's own verifier, kept running: only there may the own uid answer.
        (true, Some(socket)) => Ok(Box::new(SocketVerifier::new(socket, vec![uid.as_raw()]))),
        (false, Some(socket)) => Ok(Box::new(SocketVerifier::new(socket, system_uids()))),
        (false, None) => {
            let socket = if uid.is_root() { ROOT_SOCKET } else { PUBLIC_SOCKET };
            Ok(Box::new(SocketVerifier::new(Path::new(socket), system_uids())))
        }
    }
}
