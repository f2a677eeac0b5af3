//! Pictures of QR codes: their texts are URIs.

use zeroize::Zeroizing;

use super::uris;
use crate::{Error, Format, Parsed, Source};

pub(crate) struct Picture;

/// How the files begin that can be read: PNG, JPEG, GIF, BMP.
const BEGINNINGS: [&[u8]; 4] = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM"];

impl Format for Picture {
    fn name(&self) -> &'static str {
        "qr-image"
    }

    fn title(&self) -> &'static str {
        "A screenshot or photograph of QR codes"
    }

    fn recognises(&self, source: &Source) -> bool {
        let webp = source.bytes.starts_with(b"RIFF") && source.bytes.get(8..12) == Some(b"WEBP");
        webp || BEGINNINGS.iter().any(|beginning| source.bytes.starts_with(beginning))
    }

    fn parse(&self, source: &Source, parsed: &mut Parsed) -> Result<(), Error> {
        for (row, text) in (1..).zip(texts(source)?) {
            uris::line(source, row, &text, parsed);
        }
        Ok(())
    }
}

/// The texts of all codes in the picture.
fn texts(source: &Source) -> Result<Vec<Zeroizing<String>>, Error> {
    Err(source.error("it is a picture, and this version reads none").hint("read its QR code as text, with zbarimg"))
}
