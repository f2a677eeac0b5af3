//! Pictures of QR codes: their texts are URIs.

use zeroize::Zeroizing;

use super::uris;
use crate::{Error, Format, Parsed, Source};

pub(crate) struct Picture;

/// How the files begin that can be read: PNG, JPEG, GIF.
const BEGINNINGS: [&[u8]; 4] = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a"];

impl Format for Picture {
    fn name(&self) -> &'static str {
        "qr-image"
    }

    fn title(&self) -> &'static str {
        "A screenshot or photograph of QR codes"
    }

    fn recognises(&self, source: &Source) -> bool {
        let at = |place: usize, bytes: &[u8]| source.bytes.get(place..).is_some_and(|rest| rest.starts_with(bytes));
        let webp = at(0, b"RIFF") && at(8, b"WEBP");
        // Two letters alone may begin a secret; four zeros follow the size of the file.
        let bmp = at(0, b"BM") && at(6, &[0; 4]);
        webp || bmp || BEGINNINGS.iter().any(|beginning| source.bytes.starts_with(beginning))
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
    crate::qr::read(source.bytes).map_err(|why| source.error(why.to_string()))
}
