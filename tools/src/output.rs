//! What people and programs read. Everything goes out in one write, and leaves
//! no copy in a buffer: some of it is secret.

use std::io::{self, Write};

use otp_wire::frame::{self, MAX_LISTING};
use otp_wire::syslog::escape;
use rustix::stdio::stdout;
use rustix::termios::{isatty, tcgetwinsize};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::error::Failure;

/// Where output goes, and what may be done with it there.
pub struct Output<'a> {
    sink: Box<dyn Write + 'a>,
    /// What the place can show.
    pub style: Style,
}

/// What the place where output goes can show.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// Somebody looks at it.
    pub terminal: bool,
    /// Colours are wanted.
    pub colour: bool,
    /// Columns and rows, where there are such.
    pub size: Option<(usize, usize)>,
}

/// Standard output without a buffer, in which a secret would stay.
struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(stdout(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Style {
    /// The style that standard output wants.
    pub fn of_stdout() -> Self {
        let terminal = isatty(stdout());
        let size = tcgetwinsize(stdout()).ok().filter(|size| terminal && size.ws_col > 0);
        let size = size.map(|size| (usize::from(size.ws_col), usize::from(size.ws_row)));
        Self { terminal, colour: terminal && wants_colour(), size }
    }
}

/// Whether the person wants colours on terminals (no-color.org).
pub fn wants_colour() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

impl<'a> Output<'a> {
    /// Standard output.
    pub fn stdout() -> Self {
        Self { sink: Box::new(Stdout), style: Style::of_stdout() }
    }

    /// Somewhere else: a file, a test.
    pub fn to(sink: impl Write + 'a, style: Style) -> Self {
        Self { sink: Box::new(sink), style }
    }

    /// Prints `text` as it is.
    ///
    /// # Errors
    /// When nobody reads it; that is no news where a pipe was closed.
    pub fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.raw(text.as_bytes())
    }

    /// Writes `bytes` as they are, for another program.
    ///
    /// # Errors
    /// See [`Output::print`].
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.raw(bytes)
    }

    /// Prints `text` and a line break.
    ///
    /// # Errors
    /// See [`Output::print`].
    pub fn line(&mut self, text: impl AsRef<str>) -> Result<(), Failure> {
        self.raw(text.as_ref().as_bytes())?;
        self.raw(b"\n")
    }

    /// Prints `value` as one line of JSON; buffers are wiped.
    ///
    /// # Errors
    /// See [`Output::print`].
    pub fn json<T: Serialize>(&mut self, value: &T) -> Result<(), Failure> {
        let line = frame::encode(value, MAX_LISTING).map_err(Failure::undecided)?;
        self.raw(&line)
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.sink.write_all(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::no(""),
            _ => Failure::undecided(format!("can't write the output: {error}")),
        })
    }

    /// `text` in bold, where that can be seen.
    pub fn bold(&self, text: &str) -> String {
        paint(self.style.colour, "1", text)
    }

    /// `text` as a warning.
    pub fn warning(&self, text: &str) -> String {
        paint(self.style.colour, "1;33", text)
    }
}

/// `text` between colour codes, if `colour`.
pub fn paint(colour: bool, code: &str, text: &str) -> String {
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Columns under headings, each as wide as its widest cell. Cells may hold
/// text that others chose: what could speak to the terminal is escaped.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| escape(cell)).collect()).collect();
    let length = |text: &str| text.chars().count();
    let widths: Vec<usize> = (0..headings.len())
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| length(cell)).chain(headings.get(column).map(|text| length(text))).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    let headings = headings.iter().map(|&heading| heading.to_owned()).collect();
    for row in std::iter::once(&headings).chain(&rows) {
        let mut line = String::from("  ");
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width + 2 - length(cell).min(*width)));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `text` in groups of four, as one types it.
pub fn grouped(text: &str) -> Zeroizing<String> {
    let mut groups = Zeroizing::new(String::with_capacity(text.len() * 2));
    for (index, character) in text.chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            groups.push(' ');
        }
        groups.push(character);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_escapes() {
        let rows = [vec!["a".to_owned(), "\x1b[31mred".to_owned()], vec!["longer".to_owned(), "j\u{f8}".to_owned()]];
        assert_eq!(table(&["NAME", "NOTE"], &rows), "  NAME    NOTE\n  a       \\u{1b}[31mred\n  longer  j\u{f8}\n");
    }

    #[test]
    fn groups_of_four() {
        assert_eq!(grouped("JBSWY3DPEH").as_str(), "JBSW Y3DP EH");
    }
}
