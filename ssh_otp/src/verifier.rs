//! Whom to ask. The line in authorized_keys says it, nothing else does.

use std::fs;
use std::path::Path;

use otp_wire::{Error, LoginsOnly, PUBLIC_SOCKET, ROOT_SOCKET, SERVICE_USER, SocketVerifier, SpawnVerifier, Verifier};

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

/// The uids that may answer for the system: root and the service's user.
/// Only the local file is read, because a directory service must not be able
/// to say who the verifier is.
fn system_uids() -> Vec<u32> {
    let users = fs::read("/etc/passwd").unwrap_or_default();
    let mut uids = vec![0];
    uids.extend(local_uid(&users, SERVICE_USER));
    uids
}

/// A user's uid in the text of passwd(5).
fn local_uid(users: &[u8], name: &str) -> Option<u32> {
    let mut lines = users.split(|byte| *byte == b'\n').map(|line| line.split(|byte| *byte == b':'));
    lines.find_map(|mut fields| {
        let found = fields.next() == Some(name.as_bytes());
        found.then(|| fields.nth(1).and_then(|uid| std::str::from_utf8(uid).ok()?.parse().ok())).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_uid_is_read_from_the_local_file() {
        let users = b"root:x:0:0::/root:/bin/sh\nj\xf8rn:x:7:7:::\n_oathgate:x:998:998::/:/x\n_oathgate2:x:5:5:::\n";
        assert_eq!(local_uid(users, "_oathgate"), Some(998));
        for odd in [&b""[..], b"_oathgate", b"_oathgate:x:", b"_oathgate:x:-1:0:::", b"_oathgate:x:many:0:::"] {
            assert_eq!(local_uid(odd, "_oathgate"), None, "{odd:?}");
        }
    }
}
