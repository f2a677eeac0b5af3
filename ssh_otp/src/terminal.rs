//! `/dev/tty`: where a code is asked for, never standard input or output,
//! which belong to the command that runs afterwards.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::time::Instant;

use otp_wire::socket::readable;
use otp_wire::syslog::escape;
use otp_wire::{Error, SecretText};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::gate::{Terminal, Typed};

/// The session's terminal, or standard error where there is none.
pub struct Console(Option<OwnedFd>);

impl Console {
    /// Opens the session's terminal, if it has one.
    pub fn open() -> Self {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        Self(rustix::fs::open("/dev/tty", flags, Mode::empty()).ok())
    }

    /// Whether there is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.0.is_some()
    }
}

impl Terminal for Console {
    fn tell(&mut self, line: &str) {
        let line = format!("{}\n", escape(line));
        match &self.0 {
            Some(tty) => write_all(tty, line.as_bytes()),
            // Nobody may be there to read it; that changes nothing.
            None => drop(io::stderr().write_all(line.as_bytes())),
        }
    }

    fn ask(&mut self, prompt: &str, deadline: Instant) -> Typed {
        let Some(tty) = &self.0 else { return Typed::NoTerminal };
        // Without control over the echo there is no asking.
        let Ok(_quiet) = Quiet::new(tty) else { return Typed::NoTerminal };
        let shown: Vec<String> = prompt.lines().map(escape).collect();
        write_all(tty, shown.join("\n").as_bytes());
        let typed = read_line(tty, deadline);
        write_all(tty, b"\n");
        typed
    }
}

fn write_all(tty: &OwnedFd, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match rustix::io::write(tty, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// The terminal without echo and with every key handled here, until dropped.
struct Quiet<'a> {
    tty: &'a OwnedFd,
    before: Termios,
}

impl<'a> Quiet<'a> {
    /// Drops what was typed too early: it was not meant as a code.
    fn new(tty: &'a OwnedFd) -> rustix::io::Result<Self> {
        let before = tcgetattr(tty)?;
        let mut quiet = before.clone();
        let keys = LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN;
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | keys);
        quiet.input_modes.insert(InputModes::ICRNL);
        // Ctrl-S would hold what we write, and us with it, for longer than we wait.
        quiet.input_modes.remove(InputModes::IXON);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(tty, OptionalActions::Flush, &quiet)?;
        Ok(Self { tty, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // What follows the code is for the command, so nothing is flushed.
        let _ = tcsetattr(self.tty, OptionalActions::Now, &self.before);
    }
}

fn read_line(tty: &OwnedFd, deadline: Instant) -> Typed {
    let mut line = Line::default();
    let mut byte = Zeroizing::new([0_u8; 1]);
    loop {
        match readable(tty, deadline) {
            Ok(()) => {}
            Err(Error::Late) => return Typed::Late,
            Err(_) => return Typed::Cancelled,
        }
        // One byte at a time: what is typed behind the code stays where it is.
        match rustix::io::read(tty, &mut byte[..]) {
            Err(Errno::INTR | Errno::AGAIN) => continue,
            Ok(0) | Err(_) => return Typed::Cancelled,
            Ok(_) => {}
        }
        match line.key(byte[0]) {
            Key::More => {}
            Key::Cancel => return Typed::Cancelled,
            Key::Enter => return Typed::Code(line.finish()),
        }
    }
}

/// More than any code or scratch code takes.
const MAX_LINE: usize = 128;

/// A line that is being typed, in a place that never moves and is wiped.
struct Line {
    bytes: Zeroizing<[u8; MAX_LINE]>,
    length: usize,
    too_long: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self { bytes: Zeroizing::new([0; MAX_LINE]), length: 0, too_long: false }
    }
}

/// What a key does.
#[derive(Debug, PartialEq, Eq)]
enum Key {
    More,
    Enter,
    Cancel,
}

impl Line {
    fn key(&mut self, byte: u8) -> Key {
        match byte {
            b'\r' | b'\n' => return Key::Enter,
            // ^C ^D ^Z ^\
            0x03 | 0x04 | 0x1a | 0x1c => return Key::Cancel,
            // Backspace, as terminals send it
            0x08 | 0x7f => self.length = self.length.saturating_sub(1),
            // ^U ^W
            0x15 | 0x17 => *self = Self::default(),
            byte => self.push(byte),
        }
        Key::More
    }

    fn push(&mut self, byte: u8) {
        match self.bytes.get_mut(self.length) {
            Some(place) => {
                *place = byte;
                self.length += 1;
            }
            None => self.too_long = true,
        }
    }

    /// What was typed. A part of too long a line must not count as a code.
    fn finish(&self) -> SecretText {
        let length = if self.too_long { 0 } else { self.length };
        SecretText::typed(self.bytes.get(..length).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> (Key, String) {
        let mut line = Line::default();
        for key in keys {
            match line.key(*key) {
                Key::More => {}
                end => return (end, line.finish().expose().to_owned()),
            }
        }
        (Key::More, line.finish().expose().to_owned())
    }

    #[test]
    fn keys() {
        let table: [(&[u8], Key, &str); 10] = [
            (b"123456\n99", Key::Enter, "123456"),
            (b"123456\r", Key::Enter, "123456"),
            (b"\n", Key::Enter, ""),
            (b"129\x7f\x083456\n", Key::Enter, "13456"),
            (b"\x7f\x7f1\n", Key::Enter, "1"),
            (b"999\x15123456\n", Key::Enter, "123456"),
            (b"12\x03", Key::Cancel, "12"),
            (b"\x04", Key::Cancel, ""),
            (b"1\x1a", Key::Cancel, "1"),
            (b"12\xff34\n", Key::Enter, ""),
        ];
        for (keys, end, text) in table {
            assert_eq!(typed(keys), (end, text.to_owned()), "{keys:?}");
        }
    }

    #[test]
    fn who_types_nothing_or_goes_away_gives_no_code() {
        let soon = || Instant::now() + std::time::Duration::from_millis(20);
        let (from, to) = rustix::pipe::pipe().unwrap();
        rustix::io::write(&to, b"123456").unwrap();
        assert!(matches!(read_line(&from, soon()), Typed::Late));
        drop(to);
        assert!(matches!(read_line(&from, soon()), Typed::Cancelled));
    }

    #[test]
    fn what_follows_the_code_is_left_for_the_command() {
        let (from, to) = rustix::pipe::pipe().unwrap();
        rustix::io::write(&to, b"123456\nls\n").unwrap();
        let soon = Instant::now() + std::time::Duration::from_secs(5);
        assert!(matches!(read_line(&from, soon), Typed::Code(code) if code.expose() == "123456"));
        let mut rest = [0; 9];
        assert_eq!(rustix::io::read(&from, &mut rest), Ok(3));
        assert_eq!(&rest[..3], b"ls\n");
    }

    #[test]
    fn too_long_a_line_is_no_code() {
        let mut keys = vec![b'1'; MAX_LINE];
        assert_eq!(typed(&[&keys[..], b"\n"].concat()).1.len(), MAX_LINE);
        keys.push(b'1');
        assert_eq!(typed(&[&keys[..], b"\n"].concat()), (Key::Enter, String::new()));
        assert_eq!(typed(&[&keys[..], b"\x15123456\n"].concat()), (Key::Enter, "123456".into()));
    }
}
