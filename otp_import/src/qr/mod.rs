//! QR codes (ISO/IEC 18004): the texts of all codes in a picture, and a text as
//! a code for a terminal or a file.
//!
//! What is found or written holds secrets and is wiped: pixels, modules, texts.
//! The copies that a decoder makes for itself are not.

mod code;
mod error;
mod pixels;
mod png;
mod search;
mod svg;
mod terminal;

use zeroize::Zeroizing;

pub use code::Code;
pub use error::Error;
pub use terminal::{Glyphs, Ink, Screen};

/// The texts of all codes in a picture, each once, in no particular order: PNG,
/// JPEG, WebP, GIF or BMP, recognised by content; of an animation the first
/// picture. Bytes that are no UTF-8 are read as ISO 8859-1.
///
/// # Errors
/// When it is no such picture, a broken one, too large, or has no code in it.
pub fn read(picture: &[u8]) -> Result<Vec<Zeroizing<String>>, Error> {
    let texts = search::texts(pixels::Grey::decode(picture)?);
    if texts.is_empty() { Err(Error::NoCode) } else { Ok(texts) }
}
