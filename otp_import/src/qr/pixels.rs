//! From a picture's bytes to grey pixels, within bounds.

use std::io::Cursor;

use image::{ColorType, ImageDecoder, ImageError, ImageReader, Limits};
use zeroize::Zeroizing;

use super::Error;

/// The longest picture in bytes.
const MAX_BYTES: usize = 32 << 20;
/// The most pixels on a side: beyond any camera, and any screenshot that scrolls.
const MAX_SIDE: u32 = 20_000;
/// The most pixels in all. A progressive JPEG of three full channels needs nine
/// bytes a pixel: this many keep the process below 300 MB.
const MAX_PIXELS: u64 = 24_000_000;
/// The most bytes that a picture decodes to.
const MAX_DECODED: u64 = 4 * MAX_PIXELS;

/// Grey pixels, row by row; 0 is black.
pub struct Grey {
    pub width: usize,
    pub height: usize,
    pub pixels: Zeroizing<Vec<u8>>,
}

impl Grey {
    /// Decodes a picture; its size is judged before anything is decoded.
    pub fn decode(picture: &[u8]) -> Result<Self, Error> {
        if picture.is_empty() {
            return Err(Error::Empty);
        }
        if picture.len() > MAX_BYTES {
            return Err(Error::Long);
        }
        let mut reader = ImageReader::new(Cursor::new(picture)).with_guessed_format().map_err(|_| Error::Unknown)?;
        let mut limits = Limits::default();
        limits.max_alloc = Some(MAX_DECODED);
        reader.limits(limits);
        let decoder = reader.into_decoder().map_err(told)?;
        let (width, height) = decoder.dimensions();
        let decoded = decoder.total_bytes();
        let pixels = u64::from(width) * u64::from(height);
        if width.max(height) > MAX_SIDE || pixels > MAX_PIXELS || decoded > MAX_DECODED {
            return Err(Error::Large);
        }
        let colour = decoder.color_type();
        let room = usize::try_from(decoded).map_err(|_| Error::Large)?;
        let mut bytes = Zeroizing::new(vec![0; room]);
        decoder.read_image(&mut bytes).map_err(told)?;
        let pixels = Zeroizing::new(greys(&bytes, colour));
        Ok(Self { width: width as usize, height: height as usize, pixels })
    }

    /// One pixel for each square of `times` on a side: its mean.
    pub fn shrink(&self, times: usize) -> Self {
        let (width, height) = (self.width / times, self.height / times);
        let mut pixels = Zeroizing::new(Vec::with_capacity(width * height));
        let mut sums = vec![0_usize; width];
        for rows in self.pixels.chunks_exact(self.width * times) {
            sums.fill(0);
            for row in rows.chunks_exact(self.width) {
                for (sum, square) in sums.iter_mut().zip(row.chunks_exact(times)) {
                    *sum += square.iter().map(|&pixel| usize::from(pixel)).sum::<usize>();
                }
            }
            pixels.extend(sums.iter().map(|sum| u8::try_from(sum / (times * times)).unwrap_or(u8::MAX)));
        }
        Self { width, height, pixels }
    }

    /// Makes dark light.
    pub fn invert(&mut self) {
        self.pixels.iter_mut().for_each(|pixel| *pixel = 255 - *pixel);
    }
}

/// The decoder's words, which never quote the picture.
fn told(error: ImageError) -> Error {
    match error {
        ImageError::Unsupported(_) => Error::Unknown,
        ImageError::Limits(_) => Error::Large,
        other => Error::Broken(other.to_string()),
    }
}

/// What is seen of each pixel on white paper.
fn greys(bytes: &[u8], colour: ColorType) -> Vec<u8> {
    let channels = usize::from(colour.channel_count()).max(1);
    let size = usize::from(colour.bytes_per_pixel()).max(1);
    // Of wider samples the upper byte is enough.
    let (depth, upper) = (size / channels, if cfg!(target_endian = "little") { size / channels - 1 } else { 0 });
    let sample = |pixel: &[u8], channel: usize| u32::from(pixel.get(channel * depth + upper).copied().unwrap_or(0));
    let grey = |pixel: &[u8]| match channels {
        1 | 2 => sample(pixel, 0),
        // ITU-R BT.601
        _ => (299 * sample(pixel, 0) + 587 * sample(pixel, 1) + 114 * sample(pixel, 2)) / 1000,
    };
    let seen = |pixel: &[u8]| match channels {
        2 | 4 => {
            let alpha = sample(pixel, channels - 1);
            (grey(pixel) * alpha + 255 * (255 - alpha)) / 255
        }
        _ => grey(pixel),
    };
    bytes.chunks_exact(size).map(|pixel| u8::try_from(seen(pixel)).unwrap_or(u8::MAX)).collect()
}
