//! A code as characters.

use zeroize::Zeroizing;

use super::{Code, Error};

/// What the code is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyphs {
    /// Half blocks in UTF-8: two modules in each character, one above the other.
    Blocks,
    /// Plain ASCII: two characters a module.
    Ascii,
}

/// What dark and light come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Black and white are asked for by name (xterm's 256 colours), so that the
    /// terminal's own colours don't matter.
    Named,
    /// Characters are lighter than what is behind them: most terminals.
    Light,
    /// Characters are darker than what is behind them: paper.
    Dark,
}

/// What the code is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// How many columns there are; `None` where nothing limits them.
    pub columns: Option<usize>,
    /// What the code is drawn with.
    pub glyphs: Glyphs,
    /// What dark and light come from.
    pub ink: Ink,
}

/// Black on white, the two of the colour cube: themes leave these alone.
const BLACK_ON_WHITE: &str = "\x1b[38;5;16;48;5;231m";
const ON_BLACK: &str = "\x1b[48;5;16m";
const ON_WHITE: &str = "\x1b[48;5;231m";
const PLAIN: &str = "\x1b[0m";
/// The longest module in bytes: ASCII with a colour before it.
const MODULE: usize = ON_WHITE.len() + 2;

impl Code {
    /// The code as lines of characters.
    ///
    /// # Errors
    /// When the screen is too narrow.
    pub fn terminal(&self, screen: Screen) -> Result<Zeroizing<String>, Error> {
        let needs = match screen.glyphs {
            Glyphs::Blocks => self.side(),
            Glyphs::Ascii => 2 * self.side(),
        };
        if let Some(has) = screen.columns.filter(|&has| has < needs) {
            return Err(Error::Narrow { needs, has });
        }
        // Large enough that it never moves: what moves leaves a copy behind.
        let line = self.side() * MODULE + BLACK_ON_WHITE.len() + PLAIN.len() + 1;
        let mut text = Zeroizing::new(String::with_capacity(self.side() * line));
        match screen.glyphs {
            Glyphs::Blocks => self.blocks(screen.ink, &mut text),
            Glyphs::Ascii => self.ascii(screen.ink, &mut text),
        }
        Ok(text)
    }

    fn blocks(&self, ink: Ink, text: &mut String) {
        let (start, end) = if ink == Ink::Named { (BLACK_ON_WHITE, PLAIN) } else { ("", "") };
        let inked = |column, row| row < self.side() && self.is_dark(column, row) != (ink == Ink::Light);
        for row in (0..self.side()).step_by(2) {
            text.push_str(start);
            text.extend((0..self.side()).map(|column| match (inked(column, row), inked(column, row + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            }));
            text.push_str(end);
            text.push('\n');
        }
    }

    fn ascii(&self, ink: Ink, text: &mut String) {
        for row in 0..self.side() {
            for column in 0..self.side() {
                text.push_str(match (ink, self.is_dark(column, row)) {
                    (Ink::Named, dark) => self.ground(column, row, dark),
                    (Ink::Light, dark) => {
                        if dark {
                            "  "
                        } else {
                            "##"
                        }
                    }
                    (Ink::Dark, dark) => {
                        if dark {
                            "##"
                        } else {
                            "  "
                        }
                    }
                });
                if ink == Ink::Named {
                    text.push_str("  ");
                }
            }
            text.push_str(if ink == Ink::Named { "\x1b[0m\n" } else { "\n" });
        }
    }

    /// The colour behind a module, where it is another than before.
    fn ground(&self, column: usize, row: usize, dark: bool) -> &'static str {
        match column.checked_sub(1).map(|before| self.is_dark(before, row)) {
            Some(before) if before == dark => "",
            _ if dark => ON_BLACK,
            _ => ON_WHITE,
        }
    }
}
