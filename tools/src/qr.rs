//! QR codes: in the terminal, and as a picture to hand over.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use qrcode::{Color, EcLevel, QrCode};
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::output::Style;

/// Light modules around the code (ISO/IEC 18004).
const QUIET: usize = 4;
/// Pixels of a module in a picture.
const SCALE: usize = 8;

/// A QR code with its quiet zone. Holds a secret, and is wiped.
pub struct Picture {
    dark: Zeroizing<Vec<bool>>,
    /// Modules on a side.
    pub side: usize,
}

impl Picture {
    /// The QR code of `text`.
    ///
    /// # Errors
    /// When the text is too long for one.
    pub fn of(text: &str) -> Result<Self, Failure> {
        // A screen is flat and clean: the lowest correction makes the largest modules.
        let code = QrCode::with_error_correction_level(text, EcLevel::L)
            .map_err(|error| Failure::undecided(format!("can't make a QR code: {error}")))?;
        let inner = code.width();
        let mut colours = code.into_colors();
        let side = inner + 2 * QUIET;
        let mut dark = Zeroizing::new(vec![false; side * side]);
        for (index, colour) in colours.iter_mut().enumerate() {
            let place = (index / inner + QUIET) * side + index % inner + QUIET;
            if let Some(place) = dark.get_mut(place) {
                *place = *colour == Color::Dark;
            }
            *colour = Color::Light;
        }
        Ok(Self { dark, side })
    }

    fn is_dark(&self, column: usize, row: usize) -> bool {
        self.dark.get(row * self.side + column).copied().unwrap_or(false)
    }

    /// Two modules in each character, or nothing where the terminal is too
    /// narrow. On a terminal black and white are asked for by name, so that
    /// its own colours don't matter.
    pub fn to_text(&self, style: Style) -> Option<Zeroizing<String>> {
        if style.size.is_some_and(|(columns, _)| columns < self.side) {
            return None;
        }
        let (start, end) = if style.colour { ("\x1b[38;5;16;48;5;231m", "\x1b[0m\n") } else { ("", "\n") };
        // Without colours most terminals are dark; files and pipes end on paper.
        let inverted = style.terminal && !style.colour;
        let mut text = Zeroizing::new(String::with_capacity((self.side * 3 + 40) * (self.side / 2 + 1)));
        for row in (0..self.side).step_by(2) {
            text.push_str(start);
            for column in 0..self.side {
                let upper = self.is_dark(column, row) != inverted;
                let lower = (row + 1 < self.side) && self.is_dark(column, row + 1) != inverted;
                text.push(match (upper, lower) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            }
            text.push_str(end);
        }
        Some(text)
    }

    /// Writes a PNG into `file`.
    ///
    /// # Errors
    /// When that fails.
    pub fn write_png(&self, mut file: &File) -> Result<(), Failure> {
        let side = self.side * SCALE;
        let mut pixels = Zeroizing::new(vec![0xff_u8; side * side]);
        for (index, pixel) in pixels.iter_mut().enumerate() {
            if self.is_dark(index % side / SCALE, index / side / SCALE) {
                *pixel = 0;
            }
        }
        // Large enough that it never moves: what moves leaves a copy behind.
        let mut png = Zeroizing::new(Vec::with_capacity(side * side + 4096));
        let width = u32::try_from(side).map_err(Failure::undecided)?;
        let encoded = PngEncoder::new(&mut *png).write_image(&pixels, width, width, ExtendedColorType::L8);
        encoded.map_err(|error| Failure::undecided(format!("can't make a PNG: {error}")))?;
        file.write_all(&png)
            .and_then(|()| file.sync_all())
            .map_err(|error| Failure::undecided(format!("can't write the picture: {error}")))
    }
}

/// Makes a new file that only its owner may read. What is there already, a
/// symbolic link too, is left alone.
///
/// # Errors
/// When there is something, or it can't be made.
pub fn new_file(path: &Path) -> Result<File, Failure> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| {
        let failure = Failure::usage(format!("can't make {}: {error}", path.display()));
        match error.kind() {
            std::io::ErrorKind::AlreadyExists => failure.hint("it is never overwritten; choose another name"),
            _ => failure.hint("choose a folder that you may write to"),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const URI: &str = "otpauth://totp/host:alice?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=host&algorithm=SHA1&digits=6&period=30";

    /// What an independent reader finds in a picture.
    fn read_back(path: &Path) -> Option<String> {
        let output = match Command::new("zbarimg").args(["--raw", "-q"]).arg(path).output() {
            Ok(output) => output,
            Err(_) => {
                eprintln!("skipped: no zbarimg here");
                return None;
            }
        };
        Some(String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
    }

    #[test]
    fn a_picture_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qr.png");
        Picture::of(URI).unwrap().write_png(&new_file(&path).unwrap()).unwrap();
        if let Some(text) = read_back(&path) {
            assert_eq!(text, URI);
        }
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        assert!(new_file(&path).is_err(), "never overwritten");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), folder.path().join("link")).unwrap();
        assert!(new_file(&folder.path().join("link")).is_err());
        assert!(!folder.path().join("elsewhere").exists());
    }

    /// Paints the characters as a terminal would, on a theme of its own.
    fn paint(text: &str, coloured: bool, ink: u8, paper: u8) -> (Vec<u8>, usize, usize) {
        let (ink, paper) = if coloured { (0, 255) } else { (ink, paper) };
        let lines: Vec<String> = text
            .lines()
            .map(|line| line.trim_start_matches("\x1b[38;5;16;48;5;231m").trim_end_matches("\x1b[0m").to_owned())
            .collect();
        let (columns, rows) = (lines[0].chars().count(), lines.len() * 2);
        assert!(lines.iter().all(|line| line.chars().count() == columns));
        let mut pixels = vec![paper; columns * rows * SCALE * SCALE];
        for (index, pixel) in pixels.iter_mut().enumerate() {
            let (x, y) = (index % (columns * SCALE) / SCALE, index / (columns * SCALE) / SCALE);
            let character = lines[y / 2].chars().nth(x).unwrap();
            let dark = match character {
                '█' => true,
                '▀' => y % 2 == 0,
                '▄' => y % 2 == 1,
                ' ' => false,
                other => panic!("{other:?}"),
            };
            if dark {
                *pixel = ink;
            }
        }
        (pixels, columns * SCALE, rows * SCALE)
    }

    #[test]
    fn the_terminals_form_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let styles = [
            ("dark theme", Style { terminal: true, colour: true, size: Some((80, 24)) }, 255, 0),
            ("light theme", Style { terminal: true, colour: true, size: Some((80, 24)) }, 0, 255),
            ("no colour, dark theme", Style { terminal: true, colour: false, size: Some((80, 24)) }, 255, 0),
            ("a file, printed", Style::default(), 0, 255),
        ];
        for (name, style, ink, paper) in styles {
            let text = Picture::of(URI).unwrap().to_text(style).unwrap();
            let (pixels, width, height) = paint(&text, style.colour, ink, paper);
            let path = folder.path().join("terminal.png");
            image::save_buffer(&path, &pixels, width as u32, height as u32, image::ColorType::L8).unwrap();
            if let Some(text) = read_back(&path) {
                assert_eq!(text, URI, "{name}");
            }
        }
    }

    #[test]
    fn never_wider_than_the_terminal() {
        let picture = Picture::of(URI).unwrap();
        for (columns, fits) in [(picture.side - 1, false), (picture.side, true)] {
            let style = Style { terminal: true, colour: true, size: Some((columns, 24)) };
            assert_eq!(picture.to_text(style).is_some(), fits);
        }
        assert!(picture.side < 80, "{}", picture.side);
    }

    #[test]
    fn too_long_a_text_is_no_panic() {
        assert!(Picture::of(&"x".repeat(5000)).is_err());
    }
}
