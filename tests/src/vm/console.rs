//! On the host: somebody at the guest's console, who knows what to type.

#![allow(clippy::expect_used)]

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use oathgate_tests::process::{Running, Stream};
use serde::{Deserialize, Serialize};

/// A start of the guest with somebody at its console.
#[derive(Debug, Serialize, Deserialize)]
pub struct Attended {
    /// What the machine's clock shows when it is turned on, as `2026-11-21T12:00:00`.
    pub clock: String,
    /// What is to be seen on the console, and the line that is typed then, if any.
    pub dialogue: Vec<(String, Option<String>)>,
}

impl Attended {
    /// With this to be seen next.
    pub fn sees(mut self, shown: &str) -> Self {
        self.dialogue.push((shown.to_owned(), None));
        self
    }

    /// With `line` typed where this is seen next.
    pub fn types(mut self, shown: &str, line: &str) -> Self {
        self.dialogue.push((shown.to_owned(), Some(line.to_owned())));
        self
    }
}

/// QEMU's words for a serial port that [`converse`] has in hand, copied into
/// the file `log`.
pub fn port(log: &str) -> [String; 4] {
    let socket = format!("socket,id=console,fd=0,logfile={log},logappend=on");
    ["-chardev", &socket, "-serial", "chardev:console"].map(str::to_owned)
}

/// Starts QEMU and types what is to be typed; what came instead of something
/// that was to be seen is the error, or that the console shows what was typed.
pub fn converse(command: &mut Command, attended: &Attended, limit: Duration) -> (Running, Result<(), String>) {
    let (mut types, theirs) = UnixStream::pair().expect("sockets");
    let guest = Running::start_with_input(command, Stdio::from(OwnedFd::from(theirs)));
    let shows = Stream::of(types.try_clone().expect("a descriptor"));
    let typed = attended.dialogue.iter().try_for_each(|(shown, typed)| {
        shows.wait_for(shown, limit).map_err(|said| format!("no {shown:?} on the console, but {said:?}"))?;
        let Some(line) = typed else { return Ok(()) };
        types.write_all(format!("{line}\n").as_bytes()).map_err(|error| format!("nothing can be typed: {error}"))
    });
    let lines = attended.dialogue.iter().filter_map(|(_, typed)| typed.as_deref());
    let unseen = typed.and_then(|()| none_of(lines, &shows.so_far()));
    (guest, unseen)
}

fn none_of<'a>(mut lines: impl Iterator<Item = &'a str>, shown: &str) -> Result<(), String> {
    let line = lines.find(|line| !line.is_empty() && shown.contains(line));
    line.map_or(Ok(()), |line| Err(format!("the console shows {line:?}, which was typed")))
}
