//! A code as a PNG.

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use zeroize::Zeroizing;

use super::{Code, Error};

/// Pixels of a module.
const SCALE: usize = 8;

impl Code {
    /// The code as a PNG, black on white, eight pixels a module.
    ///
    /// # Errors
    /// When the encoder fails.
    pub fn png(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let side = self.side() * SCALE;
        let mut pixels = Zeroizing::new(vec![u8::MAX; side * side]);
        for (index, pixel) in pixels.iter_mut().enumerate() {
            if self.is_dark(index % side / SCALE, index / side / SCALE) {
                *pixel = 0;
            }
        }
        // Large enough that it never moves: what moves leaves a copy behind.
        let mut png = Zeroizing::new(Vec::with_capacity(side * side + 4096));
        let width = u32::try_from(side).unwrap_or(u32::MAX);
        let encoded = PngEncoder::new(&mut *png).write_image(&pixels, width, width, ExtendedColorType::L8);
        encoded.map_err(|error| Error::Broken(error.to_string()))?;
        Ok(png)
    }
}
