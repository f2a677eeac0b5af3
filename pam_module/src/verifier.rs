//! Finds the verifier that the options name, and says whom to believe there.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use otp_wire::{LoginsOnly, PUBLIC_SOCKET, ROOT_SOCKET, SERVICE_USER, SocketVerifier, SpawnVerifier, Verifier};
use rustix::process::geteuid;

use crate::options::Via;

/// The verifier that `verifier=spawn` starts.
const PROGRAM: &str = match option_env!("OATHGATED") {
    Some(path) => path,
    None => "/usr/libexec/oathgate/oathgated",
};
/// So much of /etc/passwd is searched.
const MAX_PASSWD: u64 = 16 * 1024 * 1024;

/// The verifier, not yet asked.
///
/// # Errors
/// When it could only be started by root.
pub(crate) fn open(via: &Via) -> Result<Box<dyn Verifier<LoginsOnly>>, &'static str> {
    let euid = geteuid();
    Ok(match via {
        Via::Service => {
            let path = if euid.is_root() { ROOT_SOCKET } else { PUBLIC_SOCKET };
            Box::new(SocketVerifier::new(Path::new(path), trusted()))
        }
        // Who names a socket of their own may run the service there themselves.
        Via::Socket(path) => {
            let trusted = trusted().into_iter().chain([euid.as_raw()]).collect();
            Box::new(SocketVerifier::new(path, trusted))
        }
        Via::Spawn if euid.is_root() => Box::new(SpawnVerifier::system(Path::new(PROGRAM))),
        Via::Spawn => return Err("verifier=spawn works only in programs that run as root"),
    })
}

/// Root, and the service's user.
fn trusted() -> Vec<u32> {
    let passwd = File::open("/etc/passwd").map(|file| BufReader::new(file.take(MAX_PASSWD)));
    let service = passwd.ok().and_then(|passwd| uid_of(SERVICE_USER, passwd));
    [Some(0), service].into_iter().flatten().collect()
}

/// The uid of `name` (passwd(5)). Read from the file itself: the service's
/// user is a static one, and a directory server must not be able to name it.
fn uid_of(name: &str, passwd: impl BufRead) -> Option<u32> {
    passwd.split(b'\n').map_while(Result::ok).find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        if fields.next() != Some(name.as_bytes()) {
            return None;
        }
        std::str::from_utf8(fields.nth(1)?).ok()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uid_is_the_third_field() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n_oathgate2:x:5:5::/:\n+_oathgate:x:6:6::/:\n\
                      _oathgate:x:997:997::/nonexistent:/usr/sbin/nologin\n_oathgate:x:0:0::/:\n";
        assert_eq!(uid_of("_oathgate", passwd.as_bytes()), Some(997));
        assert_eq!(uid_of("nobody", passwd.as_bytes()), None);
    }

    #[test]
    fn a_broken_line_names_nobody() {
        for passwd in ["_oathgate", "_oathgate:x", "_oathgate:x::", "_oathgate:x:-1:", "_oathgate:x:99999999999:", "\0"]
        {
            assert_eq!(uid_of("_oathgate", passwd.as_bytes()), None, "{passwd}");
        }
    }

    #[test]
    fn root_is_always_believed() {
        assert!(trusted().contains(&0));
        assert!(!trusted().contains(&65534));
    }
}
