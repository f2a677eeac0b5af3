//! Lines in the system's log.

use std::fmt::Write;
use std::os::unix::net::UnixDatagram;

/// Writes `text` to syslog, if there is a log: once, or seldom.
pub fn authpriv(program: &str, text: &str) {
    Log::open().authpriv(program, text);
}

/// The way to syslog, kept open. Only for a process that owns all of its file
/// descriptors: in others somebody may close it and open something else there.
#[derive(Debug)]
pub struct Log {
    socket: Option<UnixDatagram>,
    process: u32,
}

impl Log {
    /// Opens it. Without a descriptor to be had nothing is ever logged.
    #[must_use]
    pub fn open() -> Self {
        let socket = UnixDatagram::unbound().ok();
        let socket = socket.filter(|socket| socket.set_nonblocking(true).is_ok());
        Self { socket, process: std::process::id() }
    }

    /// Writes `text` as authpriv.notice (RFC 3164 §4.1.1), if there is a log.
    /// Control characters are escaped, and the line is cut at 1,000 bytes.
    pub fn authpriv(&self, program: &str, text: &str) {
        let Some(socket) = &self.socket else { return };
        let mut line = String::with_capacity(text.len() + 64);
        let _ = write!(line, "<85>{program}[{}]: ", self.process);
        add_escaped(&mut line, text);
        let end = (0..=line.len().min(1000)).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
        line.truncate(end);
        let _ = socket.send_to(line.as_bytes(), "/dev/log");
    }
}

/// `text` with control characters and line separators written as `\u{…}`, so
/// that no name can forge a second line or speak to a terminal.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    add_escaped(&mut escaped, text);
    escaped
}

fn add_escaped(line: &mut String, text: &str) {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        line.push_str(text); // as nearly every one
        return;
    }
    for character in text.chars() {
        if character.is_control()
            || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            line.extend(character.escape_unicode());
        } else {
            line.push(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_forges_a_line() {
        assert_eq!(escape("a\nroot logged in\x1b[31m"), "a\\u{a}root logged in\\u{1b}[31m");
        assert_eq!(escape("a\u{2067}b\u{202e}c"), "a\\u{2067}b\\u{202e}c");
        assert_eq!(escape("j\u{f8}rgen"), "j\u{f8}rgen");
    }
}
