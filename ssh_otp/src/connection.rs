//! Which SSH connection this session belongs to.
//!
//! The sshd that serves a connection starts every session on it: it is the
//! parent of the session's leader. Its process id and start time name it until
//! the next boot, which the verifier knows; SSH_CONNECTION alone comes again.

use std::fs;
use std::os::unix::fs::MetadataExt;

/// The name of the connection, or none where it can't be told for sure: then
/// every session asks for a code of its own.
pub fn name(ssh_connection: &str) -> Option<String> {
    let this = Process::read(rustix::process::getpid().as_raw_nonzero().get())?;
    // Not by getsid(2): of a leader outside this PID namespace it tells 0
    // (pid_namespaces(7)), which is no process id.
    let leader = Process::read(this.session)?;
    let sshd = Process::read(leader.parent)?;
    let own = rustix::process::geteuid().as_raw();
    // Nobody else's process can speak for this uid's connections.
    let trusted = matches!(sshd.uid, 0) || sshd.uid == own;
    let plain = ssh_connection.split(' ').count() == 4 && ssh_connection.len() <= 120;
    let name = || format!("{}.{} {ssh_connection}", sshd.id, sshd.started);
    (trusted && plain && matches!(sshd.command.as_str(), "sshd" | "sshd-session")).then(name)
}

/// What proc(5) says of a process in `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    id: i32,
    uid: u32,
    command: String,
    parent: i32,
    /// The process that leads its session; 0 where that can't be seen from here.
    session: i32,
    /// Clock ticks after boot.
    started: u64,
}

impl Process {
    /// `None` where it is hidden (hidepid, proc(5)).
    fn read(id: i32) -> Option<Self> {
        let path = format!("/proc/{id}/stat");
        let uid = fs::metadata(&path).ok()?.uid();
        Self::parse(id, uid, &fs::read_to_string(path).ok()?)
    }

    /// Fields are numbered from 1; the second is in parentheses and may itself
    /// hold blanks and parentheses.
    fn parse(id: i32, uid: u32, stat: &str) -> Option<Self> {
        let (command, rest) = (stat.split_once('(')?.1, stat.rsplit_once(')')?.1);
        let command = command.rsplit_once(')')?.0.to_owned();
        let mut fields = rest.split_ascii_whitespace();
        let parent = fields.nth(4 - 3)?.parse().ok()?;
        let session = fields.nth(6 - 5)?.parse().ok()?;
        let started = fields.nth(22 - 7)?.parse().ok()?;
        Some(Self { id, uid, command, parent, session, started })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_by_its_fields() {
        let stat = "77 (a) b (c) S 12 76 75 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 50 18446744073709551615";
        let process = Process::parse(77, 0, stat).unwrap();
        let expected = Process { id: 77, uid: 0, command: "a) b (c".into(), parent: 12, session: 75, started: 987_654 };
        assert_eq!(process, expected);
        for broken in ["", "77", "77 (sshd", "77 (sshd) S 12", "77 (sshd) S x 77"] {
            assert_eq!(Process::parse(77, 0, broken), None, "{broken}");
        }
    }

    #[test]
    fn the_own_process_is_found() {
        let own = Process::read(rustix::process::getpid().as_raw_nonzero().get()).unwrap();
        assert_eq!(own.uid, rustix::process::geteuid().as_raw());
        assert_eq!(Some(own.parent), rustix::process::getppid().map(|id| id.as_raw_nonzero().get()));
        assert!(own.started > 0);
    }

    #[test]
    fn without_an_sshd_there_is_no_connection() {
        assert_eq!(name("192.0.2.1 1 192.0.2.2 22"), None);
    }
}
