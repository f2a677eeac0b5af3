//! A no that SFTP clients can read: sshd throws a subsystem's standard error
//! away, so `scp` and `sftp` would only say that the connection was closed.
//!
//! Speaks as much of draft-ietf-secsh-filexfer-02 as is needed to refuse
//! everything, and neither opens nor looks at any file.

use std::time::{Duration, Instant};

use otp_wire::socket::timespec;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::BorrowedFd;
use rustix::io::{Errno, read, write};
use rustix::stdio::{stdin, stdout};

/// How long the client may keep asking.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many requests are answered.
const REQUESTS: usize = 64;
/// The longest packet that is read over (the protocol's servers take 34,000 bytes at least).
const MAX_PACKET: u32 = 256 * 1024;

const INIT: u8 = 1;
const VERSION: u8 = 2;
const LSTAT: u8 = 7;
const FSTAT: u8 = 8;
const STAT: u8 = 17;
const STATUS: u8 = 101;
const ATTRS: u8 = 105;

/// Refuses what the client on standard input asks for, until it goes away.
pub fn answer(line: &str) {
    let deadline = Instant::now() + PATIENCE;
    for _ in 0..REQUESTS {
        let Some((kind, id)) = next_packet(stdin(), deadline) else { return };
        if put(stdout(), &reply(kind, id, line), deadline).is_none() {
            return;
        }
    }
}

/// The answer to a packet. A plain file stands at every path, because `scp`
/// shows no message for a target that it can't look at.
fn reply(kind: u8, id: u32, line: &str) -> Vec<u8> {
    let mut body = Vec::with_capacity(line.len() + 32);
    match kind {
        INIT => {
            body.push(VERSION);
            body.extend(3_u32.to_be_bytes());
        }
        LSTAT | FSTAT | STAT => {
            body.push(ATTRS);
            // SSH_FILEXFER_ATTR_PERMISSIONS: a regular file.
            for number in [id, 4, 0o100_600] {
                body.extend(number.to_be_bytes());
            }
        }
        _ => {
            body.push(STATUS);
            // SSH_FX_PERMISSION_DENIED
            for number in [id, 3, length(line.as_bytes())] {
                body.extend(number.to_be_bytes());
            }
            body.extend(line.as_bytes());
            body.extend(0_u32.to_be_bytes());
        }
    }
    let mut packet = length(&body).to_be_bytes().to_vec();
    packet.extend(body);
    packet
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(0)
}

/// A packet's type and request id; the rest of it is read and dropped.
fn next_packet(from: BorrowedFd<'_>, deadline: Instant) -> Option<(u8, u32)> {
    let mut head = [0; 9];
    take(from, &mut head, deadline)?;
    let [l0, l1, l2, l3, kind, i0, i1, i2, i3] = head;
    let length = u32::from_be_bytes([l0, l1, l2, l3]);
    let mut rest = length.checked_sub(5).filter(|_| length <= MAX_PACKET)? as usize;
    let mut dropped = [0; 4096];
    while rest > 0 {
        let count = rest.min(dropped.len());
        take(from, dropped.get_mut(..count)?, deadline)?;
        rest -= count;
    }
    Some((kind, u32::from_be_bytes([i0, i1, i2, i3])))
}

fn take(from: BorrowedFd<'_>, place: &mut [u8], deadline: Instant) -> Option<()> {
    let mut filled = 0;
    while filled < place.len() {
        wait(from, PollFlags::IN, deadline)?;
        match read(from, place.get_mut(filled..)?) {
            Ok(0) => return None,
            Ok(count) => filled += count,
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return None,
        }
    }
    Some(())
}

fn put(to: BorrowedFd<'_>, mut bytes: &[u8], deadline: Instant) -> Option<()> {
    while !bytes.is_empty() {
        wait(to, PollFlags::OUT, deadline)?;
        match write(to, bytes) {
            Ok(count) => bytes = bytes.get(count..)?,
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return None,
        }
    }
    Some(())
}

fn wait(fd: BorrowedFd<'_>, what: PollFlags, deadline: Instant) -> Option<()> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match poll(&mut [PollFd::from_borrowed_fd(fd, what)], Some(&timespec(left))) {
            Ok(0) => return None,
            Ok(_) => return Some(()),
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn everything_is_refused_with_the_line() {
        assert_eq!(reply(INIT, 3, "no"), [0, 0, 0, 5, VERSION, 0, 0, 0, 3]);
        for kind in [0, 2, 3, 5, 6, 9, 11, 13, 14, 16, 18, 19, 20, 200, 255] {
            let packet = reply(kind, 7, "no");
            assert_eq!(
                packet,
                b"\x00\x00\x00\x13\x65\x00\x00\x00\x07\x00\x00\x00\x03\x00\x00\x00\x02no\x00\x00\x00\x00"
            );
        }
        assert_eq!(reply(STAT, 7, "no")[4..9], [ATTRS, 0, 0, 0, 7]);
    }

    fn packets(bytes: &[u8]) -> Option<(u8, u32)> {
        let (from, to) = rustix::pipe::pipe().unwrap();
        write(&to, bytes).unwrap();
        drop(to);
        next_packet(from.as_fd(), Instant::now() + PATIENCE)
    }

    #[test]
    fn packets_are_read_whole_or_not_at_all() {
        assert_eq!(packets(b"\x00\x00\x00\x05\x01\x00\x00\x00\x03"), Some((INIT, 3)));
        assert_eq!(packets(b"\x00\x00\x00\x07\x11\x00\x00\x00\x09ab"), Some((STAT, 9)));
        for bad in
            [&b""[..], b"\x00\x00", b"\x00\x00\x00\x04\x01\x00\x00\x00\x03", b"\xff\xff\xff\xff\x01\x00\x00\x00\x03"]
        {
            assert_eq!(packets(bad), None, "{bad:?}");
        }
        assert_eq!(packets(b"\x00\x00\x00\x07\x11\x00\x00\x00\x09a"), None);
    }
}
