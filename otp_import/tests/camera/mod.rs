//! A camera: pictures of codes as a photograph has them, and what is found in them.

// Each test needs another part of it.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use otp_import::qr::{self, Code};

/// What a photograph is like.
#[derive(Debug, Clone, Copy)]
pub struct Shot {
    pub width: usize,
    pub height: usize,
    /// Pixels of a module in the middle of the picture.
    pub module: f64,
    /// Turned by so many degrees.
    pub turn: f64,
    /// How much smaller the far end is: 0 is seen from the front.
    pub tilt: f64,
    /// The largest error of a pixel.
    pub noise: u8,
    /// How much darker the lower right corner is: 1 is black.
    pub shadow: f64,
    /// Pixels that flow into each other, along a side.
    pub blur: usize,
    /// Light modules on a dark ground.
    pub inverted: bool,
}

impl Shot {
    pub const PLAIN: Self = Self {
        width: 640,
        height: 480,
        module: 5.0,
        turn: 0.0,
        tilt: 0.0,
        noise: 0,
        shadow: 0.0,
        blur: 1,
        inverted: false,
    };

    /// What a phone takes on a bad day.
    pub const TWELVE_MEGAPIXELS: Self = Self {
        width: 4000,
        height: 3000,
        module: 20.0,
        turn: 23.0,
        tilt: 0.1,
        noise: 40,
        shadow: 0.6,
        blur: 3,
        inverted: false,
    };

    /// Takes it; grey pixels, row by row.
    pub fn take(&self, code: &Code) -> Vec<u8> {
        let (sin, cos) = self.turn.to_radians().sin_cos();
        let (half_width, half_height) = (self.width as f64 / 2.0, self.height as f64 / 2.0);
        let side = code.side() as f64;
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut pixels = Vec::with_capacity(self.width * self.height);
        for y in 0..self.height {
            for x in 0..self.width {
                let (dx, dy) = (x as f64 + 0.5 - half_width, y as f64 + 0.5 - half_height);
                let far = 1.0 + self.tilt * dy / half_height;
                let (across, down) = (dx / far / self.module, dy / far / self.module);
                let (column, row) = (across * cos + down * sin + side / 2.0, down * cos - across * sin + side / 2.0);
                let on_paper = column >= 0.0 && row >= 0.0 && column < side && row < side;
                let dark = on_paper && code.is_dark(column as usize, row as usize);
                let ink = match (on_paper, dark != self.inverted) {
                    (false, _) => 110.0,
                    (true, true) => 35.0,
                    (true, false) => 225.0,
                };
                let corner = (x as f64 / self.width as f64 + y as f64 / self.height as f64) / 2.0;
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let noise = (random % (2 * u64::from(self.noise) + 1)) as f64 - f64::from(self.noise);
                pixels.push((ink * (1.0 - self.shadow * corner) + noise).clamp(0.0, 255.0) as u8);
            }
        }
        blurred(pixels, self.width, self.blur)
    }
}

fn blurred(pixels: Vec<u8>, width: usize, reach: usize) -> Vec<u8> {
    if reach < 2 {
        return pixels;
    }
    let mean = |window: &mut dyn Iterator<Item = u8>| {
        let (sum, count) = window.fold((0_u32, 0_u32), |(sum, count), pixel| (sum + u32::from(pixel), count + 1));
        (sum / count.max(1)) as u8
    };
    let along: Vec<u8> = (0..pixels.len())
        .map(|at| mean(&mut pixels[at..(at + reach).min((at / width + 1) * width)].iter().copied()))
        .collect();
    (0..along.len()).map(|at| mean(&mut along[at..].iter().step_by(width).take(reach).copied())).collect()
}

/// Grey pixels as a PNG.
pub fn png(pixels: &[u8], width: usize) -> Vec<u8> {
    let mut png = Vec::new();
    let height = pixels.len() / width;
    PngEncoder::new(&mut png).write_image(pixels, width as u32, height as u32, ExtendedColorType::L8).unwrap();
    png
}

/// What we find in a picture, sorted.
pub fn ours(picture: &[u8]) -> Vec<String> {
    let mut texts: Vec<String> = qr::read(picture).unwrap().iter().map(|text| text.to_string()).collect();
    texts.sort();
    texts
}
