//! Looks for codes at several sizes, dark on light and light on dark.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rxing::common::cpp_essentials::ConcentricPattern;
use rxing::common::{BitMatrix, DetectorRXingResult, HybridBinarizer};
use rxing::qrcode::cpp_port::decoder::Decode;
use rxing::qrcode::cpp_port::detector::{FindFinderPatterns, FinderPatternSet, GenerateFinderPatternSets, SampleQR};
use rxing::{BinaryBitmap, Luma8Source};
use zeroize::Zeroizing;

use super::pixels::Grey;

/// How often a picture is made smaller: noise, ripples and the gaps between round
/// modules go away, while small codes are lost.
const SHRINK: [usize; 5] = [1, 2, 3, 4, 6];
/// Modules on a side of the smallest code.
const SMALLEST: usize = 21;
/// The most rows of pixels that look like a corner, at one size: a photograph has
/// a few thousand. Comparing them takes the square of their number.
const MAX_CORNERS: usize = 30_000;
/// The most triples of corners that are tried at one size, the likeliest first:
/// enough for dozens of codes.
const MAX_TRIES: usize = 2_000;

/// The texts of all codes in `picture`, each once.
pub fn texts(mut picture: Grey) -> Vec<Zeroizing<String>> {
    let mut found = Vec::new();
    for _ in 0..2 {
        at_one_size(&picture, &mut found);
        for times in SHRINK.into_iter().skip(1) {
            at_one_size(&picture.shrink(times), &mut found);
        }
        picture.invert();
    }
    found
}

fn at_one_size(picture: &Grey, found: &mut Vec<Zeroizing<String>>) {
    if picture.width.min(picture.height) < SMALLEST {
        return;
    }
    // It stands on somebody else's geometry: should that panic on an odd picture,
    // nothing was found at this size.
    for text in catch_unwind(AssertUnwindSafe(|| codes(picture))).unwrap_or_default() {
        if !found.contains(&text) {
            found.push(text);
        }
    }
}

fn codes(picture: &Grey) -> Vec<Zeroizing<String>> {
    let (Ok(width), Ok(height)) = (u32::try_from(picture.width), u32::try_from(picture.height)) else {
        return Vec::new();
    };
    let Ok(source) = Luma8Source::new_with_slice(&picture.pixels, width, height) else { return Vec::new() };
    let bitmap = BinaryBitmap::new(HybridBinarizer::new(source));
    let bits = bitmap.get_black_matrix();
    if corners(bits) > MAX_CORNERS {
        return Vec::new();
    }
    let mut used: Vec<ConcentricPattern> = Vec::new();
    let mut texts = Vec::new();
    for set in GenerateFinderPatternSets(&mut FindFinderPatterns(bits, true, 0)).iter().take(MAX_TRIES) {
        let corners = [set.bl, set.tl, set.tr];
        if corners.iter().any(|corner| used.contains(corner)) {
            continue;
        }
        if let Some(text) = text(bits, set) {
            used.extend(corners);
            texts.push(text);
        }
    }
    texts
}

/// The text of the code with these three corners, if it is one.
fn text(bits: &BitMatrix, set: &FinderPatternSet) -> Option<Zeroizing<String>> {
    let sampled = SampleQR(bits, set).ok()?;
    let code = Decode(sampled.getBits()).ok()?;
    code.isValid().then(|| Zeroizing::new(code.text()))
}

/// How often every third row has dark and light as a corner has them.
fn corners(bits: &BitMatrix) -> usize {
    let rows = (0..bits.height()).step_by(3);
    rows.map(|y| corners_in((0..bits.width()).map(|x| bits.get(x, y)))).sum()
}

fn corners_in(row: impl Iterator<Item = bool>) -> usize {
    let (mut runs, mut length, mut last, mut count) = ([0; 5], 0, false, 0);
    for dark in row {
        if dark != last {
            let [_, a, b, c, d] = runs;
            runs = [a, b, c, d, length];
            length = 0;
            count += usize::from(last && is_corner(runs));
            last = dark;
        }
        length += 1;
    }
    count
}

/// Roughly 1:1:3:1:1.
fn is_corner(runs: [u32; 5]) -> bool {
    let all: u32 = runs.iter().sum();
    let [a, b, middle, d, e] = runs;
    let single = |run: u32| all <= 14 * run && 7 * run <= 2 * all;
    [a, b, d, e].into_iter().all(single) && 2 * all <= 7 * middle && 7 * middle <= 4 * all
}
