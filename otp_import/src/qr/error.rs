//! Why a picture can't be read, or a text can't be drawn.

use std::fmt;

/// What is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// No bytes at all.
    Empty,
    /// None of the formats that are read.
    Unknown,
    /// More bytes than are looked at.
    Long,
    /// More pixels than are decoded.
    Large,
    /// It can't be decoded, and the decoder says why.
    Broken(String),
    /// No code was found.
    NoCode,
    /// A text of more bytes than any code holds.
    Text(usize),
    /// The terminal is narrower than the code.
    Narrow {
        /// Columns that the code needs.
        needs: usize,
        /// Columns that there are.
        has: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the picture is empty: was it copied as a whole?"),
            Self::Unknown => f.write_str("no picture that can be read: save it as PNG, JPEG, WebP, GIF or BMP"),
            Self::Long => f.write_str("the picture has more than 32 MiB: crop it to the code"),
            Self::Large => f.write_str("the picture has more than 24 million pixels: crop it to the code"),
            Self::Broken(why) => write!(f, "the picture is damaged ({why}): copy or save it once more"),
            Self::NoCode => f.write_str(
                "no QR code can be read in the picture: take it again, sharp, the whole code with the margin around it",
            ),
            Self::Text(bytes) => {
                write!(
                    f,
                    "{bytes} bytes are too many for a QR code: take fewer entries, or another form than a picture"
                )
            }
            Self::Narrow { needs, has } => write!(
                f,
                "the QR code needs {needs} columns, and the terminal has {has}: widen it, or write a picture with --to png"
            ),
        }
    }
}

impl std::error::Error for Error {}
