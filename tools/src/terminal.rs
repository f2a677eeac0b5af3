//! The person at `/dev/tty`: where codes are asked for, so that they are never
//! an argument and never in a pipe.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;

use otp_wire::SecretText;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// The longest answer in bytes, its line break included.
const MAX_ANSWER: u64 = 4096;
/// A terminal that is opened does not become the controlling one.
const O_NOCTTY: i32 = OFlags::NOCTTY.bits().cast_signed();

/// What came of asking for a code.
pub enum Typed {
    /// This was typed.
    Code(SecretText),
    /// ^C, ^D, or the terminal went away.
    Cancelled,
    /// There is nobody to ask.
    NoTerminal,
}

/// Somebody who can be asked.
pub trait Person {
    /// Asks for a code, without echo.
    fn code(&self, prompt: &str) -> Typed;

    /// Asks for something that is no secret; none where nobody is there, or
    /// nothing is answered.
    fn answer(&self, question: &str) -> Option<String>;
    /// Asks a question that `y` answers with yes, and whatever else with no;
    /// `None` where there is nobody to ask.
    fn agrees(&self, question: &str) -> Option<bool>;
}

/// Whoever sits at the controlling terminal.
pub struct Console;

impl Person for Console {
    fn code(&self, prompt: &str) -> Typed {
        match asked(prompt) {
            None => Typed::NoTerminal,
            Some(None) => Typed::Cancelled,
            Some(Some(line)) => Typed::Code(line.text()),
        }
    }

    fn answer(&self, question: &str) -> Option<String> {
        // A program's input is nobody who answers.
        if !isatty(rustix::stdio::stdin()) {
            return None;
        }
        let tty = OpenOptions::new().read(true).write(true).custom_flags(O_NOCTTY).open("/dev/tty").ok()?;
        (&tty).write_all(question.as_bytes()).ok()?;
        let mut line = String::new();
        BufReader::new((&tty).take(MAX_ANSWER)).read_line(&mut line).ok()?;
        line.ends_with('\n').then(|| line.trim().to_owned())
    }

    fn agrees(&self, question: &str) -> Option<bool> {
        let tty = open()?;
        let _quiet = Quiet::new(&tty).ok()?;
        write(&tty, question);
        let mut key = [0_u8; 1];
        let agreed = rustix::io::read(&tty, &mut key) == Ok(1) && key[0].eq_ignore_ascii_case(&b'y');
        write(&tty, if agreed { "yes\n" } else { "no\n" });
        Some(agreed)
    }
}

/// Why there is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSecret {
    /// It was broken off, or is too long.
    Cancelled,
    /// There is nobody to ask.
    NoTerminal,
}

/// A PIN or a password, of whatever bytes, without echo.
///
/// # Errors
/// When there is none.
pub fn secret(prompt: &str) -> Result<Zeroizing<Vec<u8>>, NoSecret> {
    let line = asked(prompt).ok_or(NoSecret::NoTerminal)?.filter(|line| !line.overfull);
    line.map(|line| Zeroizing::new(line.bytes().to_vec())).ok_or(NoSecret::Cancelled)
}

/// Asks without echo: `None` where there is nobody, and within that where it
/// is cancelled.
fn asked(prompt: &str) -> Option<Option<Line>> {
    let tty = open()?;
    // Without control over the echo there is no asking.
    let _quiet = Quiet::new(&tty).ok()?;
    write(&tty, prompt);
    let typed = read_line(&tty);
    write(&tty, "\n");
    Some(typed)
}

fn open() -> Option<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open("/dev/tty", flags, Mode::empty()).ok()
}

fn write(tty: &OwnedFd, text: &str) {
    // A terminal that is gone shows in the reading that follows.
    let _ = rustix::io::write(tty, text.as_bytes());
}

/// The terminal without echo, and with ^C read here as a key: so that it is
/// never left without echo. Put back when dropped.
struct Quiet<'a> {
    tty: &'a OwnedFd,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn new(tty: &'a OwnedFd) -> rustix::io::Result<Self> {
        let before = tcgetattr(tty)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(tty, OptionalActions::Flush, &quiet)?;
        Ok(Self { tty, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.tty, OptionalActions::Flush, &self.before);
    }
}

fn read_line(tty: &OwnedFd) -> Option<Line> {
    let mut byte = Zeroizing::new([0_u8; 1]);
    let mut line = Line::default();
    loop {
        match rustix::io::read(tty, &mut byte[..]) {
            Err(Errno::INTR) => continue,
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
        match byte[0] {
            b'\r' | b'\n' => return Some(line),
            // ^C ^D ^Z ^\
            0x03 | 0x04 | 0x1a | 0x1c => return None,
            key => line.key(key),
        }
    }
}

/// A line that is being typed, in a place that never moves and is wiped.
struct Line {
    bytes: Zeroizing<[u8; 256]>,
    length: usize,
    /// More was typed than there is room for.
    overfull: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self { bytes: Zeroizing::new([0; 256]), length: 0, overfull: false }
    }
}

impl Line {
    fn key(&mut self, key: u8) {
        match (key, self.bytes.get_mut(self.length)) {
            // Backspace, as terminals send it
            (0x08 | 0x7f, _) => self.length = self.length.saturating_sub(1),
            // ^U ^W
            (0x15 | 0x17, _) => self.length = 0,
            (key, Some(place)) => {
                *place = key;
                self.length += 1;
            }
            // Full: longer than any code and what we take for a password, so whatever else is typed it is none.
            (_, None) => self.overfull = true,
        }
    }

    fn text(&self) -> SecretText {
        SecretText::typed(self.bytes())
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let long = [b'1'; 300];
        let table: [(&[u8], &str); 5] = [
            (b"123456", "123456"),
            (b"12\x7f\x08\x08345", "345"),
            (b"999\x15123", "123"),
            (b"12\xff", ""),
            (&long, &"1".repeat(256)),
        ];
        for (keys, text) in table {
            let mut line = Line::default();
            keys.iter().for_each(|key| line.key(*key));
            assert_eq!(line.text().expose(), text, "{keys:?}");
        }
    }
}
