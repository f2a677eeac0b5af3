//! A terminal, and a person at it.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::process::{PATIENCE, Stream};

/// A new terminal: the person's side, and the program's.
///
/// # Panics
/// When the system has none.
pub fn open() -> (OwnedFd, OwnedFd) {
    let far = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&far).and_then(|()| unlockpt(&far)).expect("a terminal");
    let path = ptsname(&far, Vec::new()).expect("a terminal");
    let near = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty());
    (far, near.expect("a terminal"))
}

/// A program in a session of its own, on a terminal of its own; ended when dropped.
pub struct Terminal {
    child: Child,
    typed: File,
    shown: Stream,
}

impl Terminal {
    /// Starts `command`, with its environment.
    ///
    /// # Panics
    /// When it can't be started.
    pub fn start(command: &Command) -> Self {
        let (far, near) = open();
        // Only a child can take a terminal as its own; setsid(1) does.
        let mut session = Command::new("setsid");
        session.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        session.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("TERM", "dumb");
        let same = |near: &OwnedFd| Stdio::from(near.try_clone().expect("a descriptor"));
        session.stdin(same(&near)).stdout(same(&near)).stderr(near);
        let child = session.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        // This side's copies of the program's end go with it.
        drop(session);
        let typed = File::from(far);
        let shown = Stream::of(typed.try_clone().expect("a descriptor"));
        Self { child, typed, shown }
    }

    /// Waits for `text`; what was shown before it.
    ///
    /// # Panics
    /// When it doesn't come.
    pub fn expect(&self, text: &str) -> String {
        self.shown.expect(text, PATIENCE)
    }

    /// Types a line.
    ///
    /// # Panics
    /// When nobody has the terminal any more.
    pub fn answer(&mut self, line: &str) {
        self.typed.write_all(format!("{line}\n").as_bytes()).expect("somebody reads");
    }

    /// Waits for the end; the exit code, and everything that was shown.
    ///
    /// # Panics
    /// When it doesn't end.
    pub fn wait(mut self) -> (Option<i32>, String) {
        let shown = self.shown.to_end(PATIENCE);
        let status = self.child.wait().expect("a child of ours");
        (status.code(), String::from_utf8_lossy(&shown).into_owned())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
