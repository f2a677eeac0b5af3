//! QR codes in pictures: any file, and any pixels of a file.

#![no_main]

use std::io::Cursor;

use image::{GrayImage, ImageFormat};
use libfuzzer_sys::fuzz_target;
use otp_import::qr;

fuzz_target!(|bytes: &[u8]| {
    let _ = qr::read(bytes);
    // The bytes as pixels, so that the search is reached too.
    let Some((&width, pixels)) = bytes.split_first() else { return };
    let width = usize::from(width.max(1));
    let height = pixels.len() / width;
    let Some(grey) = GrayImage::from_raw(width as u32, height as u32, pixels[..width * height].to_vec()) else {
        return;
    };
    let mut file = Cursor::new(Vec::new());
    if height > 0 && grey.write_to(&mut file, ImageFormat::Bmp).is_ok() {
        let _ = qr::read(file.get_ref());
    }
});
