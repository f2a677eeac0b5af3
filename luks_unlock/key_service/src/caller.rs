//! Who is at the other end of the connection, and which volume they open.

use std::os::fd::AsFd;

use otp_wire::socket::peer_uid;
use rustix::io::Errno;
use rustix::net::{SendFlags, SocketAddrUnix, getpeername, send};

use crate::{Refused, refused};

/// The name of the volume, from the abstract name that systemd-cryptsetup
/// gives its end: `RANDOM/cryptsetup/VOLUME`.
///
/// # Errors
/// When the peer is not root, or its name is another one.
pub fn volume(connection: &impl AsFd) -> Result<String, Refused> {
    match peer_uid(connection) {
        Ok(0) => {}
        Ok(uid) => return Err(refused(format!("uid {uid} wants a key; only root's systemd-cryptsetup gets one"))),
        Err(why) => return Err(refused(format!("standard input is no connection of systemd's ({why})"))),
    }
    let name = getpeername(connection).map_err(refused)?;
    let name = name.and_then(|name| SocketAddrUnix::try_from(name).ok());
    let name = name.as_ref().and_then(SocketAddrUnix::abstract_name).unwrap_or_default();
    of_peer(name).ok_or_else(|| refused("the peer is not systemd-cryptsetup: its name is another one"))
}

fn of_peer(name: &[u8]) -> Option<String> {
    let mut parts = std::str::from_utf8(name).ok()?.split('/');
    let (random, program, volume) = (parts.next()?, parts.next()?, parts.next()?);
    let plain = (1..=128).contains(&volume.len()) && volume.bytes().all(|byte| byte.is_ascii_graphic());
    (parts.next().is_none() && !random.is_empty() && program == "cryptsetup" && plain).then(|| volume.to_owned())
}

/// Writes the key; the end of the connection ends it.
///
/// # Errors
/// When the peer is gone.
pub fn give(connection: &impl AsFd, mut key: &[u8]) -> Result<(), Errno> {
    while !key.is_empty() {
        match send(connection, key, SendFlags::NOSIGNAL) {
            Ok(sent) => key = key.get(sent..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(why) => return Err(why),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemds_name_tells_the_volume() {
        assert_eq!(of_peer(b"d1f2a3/cryptsetup/data").as_deref(), Some("data"));
        let long = [b"x/cryptsetup/".as_slice(), &[b'v'; 129]].concat();
        for other in [
            &b""[..],
            b"d1/cryptsetup/",
            b"/cryptsetup/data",
            b"d1/veritysetup/data",
            b"d1/cryptsetup/a/b",
            b"\xff",
            &long,
        ] {
            assert_eq!(of_peer(other), None, "{other:?}");
        }
    }
}
