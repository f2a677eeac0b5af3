//! The command of a line, tried before the line is changed: run as sshd would
//! run it, by a child that is the person and has no terminal.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use otp_wire::socket::timespec;
use otp_wire::{NO_TERMINAL, SecretText};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::as_person::{self, Person};
use crate::error::Failure;
use crate::output::Output;

/// How long shell, start files and verifier may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The most that is kept of what is said, in bytes.
const MAX_SAID: usize = 16 * 1024;

/// What the login asks to run; the quotes keep what it prints out of what it is.
const REQUEST: &str = "echo oathgate-''came-in";
const CAME_IN: &[u8] = b"oathgate-came-in\n";

/// What sshd gives a person without settings of their own (sshd(8), LOGIN PROCESS).
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/games";

/// What came of the command.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tried {
    /// The login came in; with what was printed before, by start files.
    CameIn(String),
    /// It did not, and this was said.
    Refused(String),
}

impl Tried {
    /// Whether the gate was reached and wants a code.
    pub fn wants_code(&self) -> bool {
        matches!(self, Self::Refused(said) if said.contains(NO_TERMINAL))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    tried: Tried,
}

/// Runs `command` through the login shell of `person`, with `code` where
/// there is one.
///
/// # Errors
/// When it can't be run at all.
pub fn run(person: &Person, command: &str, code: Option<&SecretText>) -> Result<Tried, Failure> {
    let path = |path: &Path| path.to_str().map(str::to_owned);
    let (Some(home), Some(shell)) = (path(&person.home), path(&person.shell)) else {
        return Err(Failure::no("the home directory or the login shell has a path that is not UTF-8"));
    };
    let code = code.map_or(&b""[..], |code| code.expose().as_bytes());
    let answer = person.ask(&["try", &home, &shell, command], code)?;
    let answer: Answer = otp_wire::frame::decode(&answer).map_err(Failure::undecided)?;
    Ok(answer.tried)
}

/// The child's part; `name` is the person.
///
/// # Errors
/// When the shell can't be started.
pub fn task(name: &str, home: &Path, shell: &Path, command: &str, out: &mut Output) -> Result<(), Failure> {
    let code = as_person::input()?;
    let code = SecretText::typed(&code);
    let base = shell.file_name().ok_or_else(|| Failure::no("the login shell is not a file"))?;
    let mut shell_command = Command::new(shell);
    // As session.c of OpenSSH does for a forced command.
    shell_command.arg0(base).args(["-c", command]).env_clear().current_dir(home).process_group(0);
    let (address, client) = ("127.0.0.1 0 127.0.0.1 22", "127.0.0.1 0 22");
    shell_command.envs([("USER", name), ("LOGNAME", name), ("PATH", PATH), ("SSH_ORIGINAL_COMMAND", REQUEST)]);
    shell_command.envs([("SSH_CONNECTION", address), ("SSH_CLIENT", client)]).env("HOME", home).env("SHELL", shell);
    if !code.expose().is_empty() {
        shell_command.env("LC_OTP", code.expose());
    }
    shell_command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = shell_command.spawn().map_err(|error| {
        Failure::no(format!("the login shell {} can't be started in {}: {error}", shell.display(), home.display()))
    })?;
    let tried = watch(child).map_err(Failure::undecided)?;
    out.json(&Answer { tried })
}

/// Reads what the shell and its children say until the login came in, all are
/// done, or their time is over; then ends whatever is left.
fn watch(mut child: Child) -> io::Result<Tried> {
    let group = Pid::from_child(&child);
    let mut streams = [child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)]
        .map(|stream| Said { stream, text: vec![] });
    let deadline = Instant::now() + PATIENCE;
    let heard = loop {
        let [out, errors] = &mut streams;
        if out.stream.is_none() && errors.stream.is_none() || came_in(&out.text).is_some() {
            break Ok(true);
        }
        match listen(&mut streams, deadline) {
            Ok(true) => {}
            other => break other,
        }
    };
    let _ = kill_process_group(group, Signal::KILL);
    child.wait()?;
    let [out, errors] = streams;
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match (came_in(&out.text), heard?) {
        (Some(before), _) => Ok(Tried::CameIn(lossy(before))),
        (None, true) => Ok(Tried::Refused(lossy(&errors.text))),
        (None, false) => Ok(Tried::Refused(format!("nothing happened within {} s", PATIENCE.as_secs()))),
    }
}

/// What was printed before the login's own line, if that is there.
fn came_in(text: &[u8]) -> Option<&[u8]> {
    let found = text.windows(CAME_IN.len()).position(|line| line == CAME_IN)?;
    text.get(..found)
}

/// A stream and what came out of it.
struct Said {
    stream: Option<OwnedFd>,
    text: Vec<u8>,
}

/// Waits for one of the streams and reads from it. `false` when it is late.
fn listen(streams: &mut [Said], deadline: Instant) -> io::Result<bool> {
    let left = deadline.saturating_duration_since(Instant::now());
    let mut open: Vec<&mut Said> = streams.iter_mut().filter(|said| said.stream.is_some()).collect();
    let ready: Vec<bool> = {
        let fds = open.iter().filter_map(|said| said.stream.as_ref());
        let mut fds: Vec<PollFd<'_>> = fds.map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        match poll(&mut fds, Some(&timespec(left))) {
            Ok(0) => return Ok(false),
            Err(Errno::INTR) => return Ok(true),
            other => other?,
        };
        fds.iter().map(|fd| !fd.revents().is_empty()).collect()
    };
    for (said, _) in open.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
        said.hear()?;
    }
    Ok(true)
}

impl Said {
    fn hear(&mut self) -> io::Result<()> {
        let mut chunk = [0; 4096];
        let count = self.stream.as_ref().map_or(Ok(0), |stream| rustix::io::read(stream, &mut chunk))?;
        if count == 0 {
            self.stream = None;
        }
        // The end matters: it is where the login's own line is.
        self.text.extend_from_slice(chunk.get(..count).unwrap_or_default());
        let over = self.text.len().saturating_sub(MAX_SAID);
        self.text.drain(..over);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(script: &str) -> Tried {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).process_group(0).stdin(Stdio::null());
        watch(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).unwrap()
    }

    #[test]
    fn only_the_logins_own_line_is_coming_in() {
        assert_eq!(tried(REQUEST), Tried::CameIn(String::new()));
        assert_eq!(tried(&format!("echo hello; {REQUEST}")), Tried::CameIn("hello".into()));
        assert_eq!(tried("echo 'no code' >&2; exit 1"), Tried::Refused("no code".into()));
        assert_eq!(tried("echo hello"), Tried::Refused(String::new()));
        let quoted = REQUEST.replace('\'', "'\\''");
        assert_eq!(tried(&format!("echo '{quoted}'; exit 1")), Tried::Refused(String::new()), "printed, not run");
        assert!(matches!(tried(&format!("head -c 1000000 /dev/zero; {REQUEST}")), Tried::CameIn(_)));
    }

    #[test]
    fn what_start_files_leave_running_is_not_waited_for() {
        let start = Instant::now();
        assert_eq!(tried(&format!("sleep 600 & {REQUEST}")), Tried::CameIn(String::new()));
        assert!(start.elapsed() < PATIENCE);
    }

    #[test]
    fn the_gates_own_line_is_recognised() {
        assert!(Tried::Refused(format!("motd\n{NO_TERMINAL}")).wants_code());
        assert!(!Tried::Refused("oathgate: cannot check codes right now".into()).wants_code());
        assert!(!Tried::CameIn(NO_TERMINAL.into()).wants_code());
    }
}
