//! Looks for codes at several sizes, dark on light and light on dark.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rxing::common::HybridBinarizer;
use rxing::multi::MultipleBarcodeReader;
use rxing::qrcode::cpp_port::QrReader;
use rxing::{BarcodeFormat, BinaryBitmap, DecodeHints, Luma8Source, RXingResult};
use zeroize::Zeroizing;

use super::pixels::Grey;

/// How often a picture is made smaller: noise, ripples and the gaps between round
/// modules go away, while small codes are lost.
const SHRINK: [usize; 5] = [1, 2, 3, 4, 6];

/// The texts of all codes in `picture`, each once.
pub fn texts(mut picture: Grey) -> Vec<Zeroizing<String>> {
    let mut found = Vec::new();
    for _ in 0..2 {
        for times in SHRINK {
            match times {
                1 => at_one_size(&picture, &mut found),
                _ => at_one_size(&picture.shrink(times), &mut found),
            }
        }
        picture.invert();
    }
    found
}

fn at_one_size(picture: &Grey, found: &mut Vec<Zeroizing<String>>) {
    // Nothing smaller is a code.
    if picture.width.min(picture.height) < 21 {
        return;
    }
    // It stands on somebody else's geometry: should that panic on an odd picture,
    // nothing was found at this size.
    let codes = catch_unwind(AssertUnwindSafe(|| codes(picture))).unwrap_or_default();
    for code in codes {
        let text = Zeroizing::new(code.getText().to_owned());
        if !found.contains(&text) {
            found.push(text);
        }
    }
}

fn codes(picture: &Grey) -> Vec<RXingResult> {
    let (Ok(width), Ok(height)) = (u32::try_from(picture.width), u32::try_from(picture.height)) else {
        return Vec::new();
    };
    let Ok(source) = Luma8Source::new_with_slice(&picture.pixels, width, height) else { return Vec::new() };
    let mut bits = BinaryBitmap::new(HybridBinarizer::new(source));
    let hints = DecodeHints {
        TryHarder: Some(true),
        PossibleFormats: Some([BarcodeFormat::QR_CODE].into()),
        ..DecodeHints::default()
    };
    QrReader.decode_multiple_with_hints(&mut bits, &hints).unwrap_or_default()
}
