//! Asks people who are at no terminal of ours: by systemd's agents, by plymouth,
//! or by the askpass of Debian's cryptsetup.
//!
//! Each of them is a program that gets the question as an argument and writes
//! the answer into a pipe. Where they are is fixed, and they get no environment.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use otp_wire::socket::readable;
use otp_wire::syslog::escape;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use zeroize::Zeroizing;

use crate::answer::MAX_ANSWER;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long a program may take beside that, to start and to end.
const GRACE: Duration = Duration::from_secs(5);

/// Somebody who asks for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// systemd-ask-password(1), or what takes its arguments: on the console, or by an agent.
    Systemd(PathBuf),
    /// plymouth(1), which draws the screen at boot.
    Plymouth(PathBuf),
    /// askpass of Debian's cryptsetup: on the console, or by its pipe.
    Askpass(PathBuf),
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// Nobody gave one, in time.
    Nobody,
    /// It has more bytes than any answer, and was thrown away.
    TooLong,
    /// The program that asks can't be used.
    Unusable(PathBuf, io::Error),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("nobody answered"),
            Self::TooLong => write!(f, "an answer has at most {MAX_ANSWER} bytes"),
            Self::Unusable(program, why) => write!(f, "{}: {why}", program.display()),
        }
    }
}

impl Asker {
    /// Whoever can ask here: systemd where it runs, plymouth where it has the
    /// screen, otherwise askpass.
    #[must_use]
    pub fn find() -> Option<Self> {
        Self::below(Path::new("/"))
    }

    fn below(root: &Path) -> Option<Self> {
        let there = |path: &str| Some(root.join(path)).filter(|path| path.is_file());
        let systemd = || there("usr/bin/systemd-ask-password").filter(|_| root.join("run/systemd/system").is_dir());
        let plymouth = || there("usr/bin/plymouth").filter(|program| has_the_screen(program));
        let askpass = || there("lib/cryptsetup/askpass");
        systemd().map(Self::Systemd).or_else(|| plymouth().map(Self::Plymouth)).or_else(|| askpass().map(Self::Askpass))
    }

    /// What a person answers to `question`, without a line break; `id` says to
    /// agents what it is about. Waits for three minutes.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(&self, id: &str, question: &str) -> Result<Zeroizing<Vec<u8>>, Unanswered> {
        self.ask_within(PATIENCE, id, question)
    }

    fn ask_within(&self, limit: Duration, id: &str, question: &str) -> Result<Zeroizing<Vec<u8>>, Unanswered> {
        let (program, mut command) = self.command(limit, &escape(id), &escape(question));
        let unusable = |why: io::Error| Unanswered::Unusable(program.to_owned(), why);
        let until = Instant::now() + limit + GRACE;
        let mut asking = Running(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(unusable)?);
        let said = asking.0.stdout.take().ok_or(Unanswered::Nobody)?;
        let answer = answer(&said, until, unusable)?;
        match asking.end(until) {
            Some(status) if status.success() => Ok(answer),
            _ => Err(Unanswered::Nobody),
        }
    }

    fn command(&self, limit: Duration, id: &str, question: &str) -> (&Path, Command) {
        let (Self::Systemd(program) | Self::Plymouth(program) | Self::Askpass(program)) = self;
        let mut command = Command::new(program);
        command.env_clear();
        match self {
            Self::Systemd(_) => command
                .args(["--icon=drive-harddisk".to_owned(), format!("--timeout={}", limit.as_secs())])
                .args([format!("--id=oathgate:{id}"), "--".to_owned(), question.to_owned()]),
            Self::Plymouth(_) => command.arg("ask-for-password").arg(format!("--prompt={question}")),
            Self::Askpass(_) => command.arg(question),
        };
        (program, command)
    }
}

/// plymouth is there on many a machine, and runs while it starts.
fn has_the_screen(plymouth: &Path) -> bool {
    let mut ping = Command::new(plymouth);
    ping.arg("--ping").env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let ended = ping.spawn().ok().and_then(|child| Running(child).end(Instant::now() + GRACE));
    ended.is_some_and(|status| status.success())
}

/// What is written until the end, cut at a line break.
fn answer(
    said: &impl AsFd,
    until: Instant,
    unusable: impl Fn(io::Error) -> Unanswered,
) -> Result<Zeroizing<Vec<u8>>, Unanswered> {
    // Never grown, so no copy is left behind.
    let mut answer = Zeroizing::new(vec![0; MAX_ANSWER + 2]);
    let mut length = 0;
    loop {
        let place = answer.get_mut(length..).filter(|place| !place.is_empty()).ok_or(Unanswered::TooLong)?;
        readable(said, until).map_err(|_| Unanswered::Nobody)?;
        match rustix::io::read(said, place) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(Errno::INTR) => {}
            Err(why) => return Err(unusable(why.into())),
        }
    }
    answer.truncate(length);
    let end = answer.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(length);
    answer.truncate(end);
    if end > MAX_ANSWER { Err(Unanswered::TooLong) } else { Ok(answer) }
}

/// A program that is ended when nobody waits for it any more.
struct Running(Child);

impl Running {
    /// Waits for its end; none where it is not over by then.
    fn end(&mut self, until: Instant) -> Option<ExitStatus> {
        let handle = pidfd_open(Pid::from_child(&self.0), PidfdFlags::empty()).ok()?;
        readable(&handle, until).ok().and_then(|()| self.0.wait().ok())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Without effect on one that was waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests;
