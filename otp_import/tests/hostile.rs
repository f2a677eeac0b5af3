//! Pictures that are none, broken, or made to do harm.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod camera;

use std::io::Cursor;

use camera::{ours, png};
use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, GrayImage, ImageFormat};
use otp_import::qr::{self, Code, Error};
use proptest::prelude::*;

const FORMATS: [ImageFormat; 5] =
    [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Bmp];

/// A picture of a code in some format.
fn picture(format: ImageFormat) -> Vec<u8> {
    let drawn = image::load_from_memory(&Code::of("a text").unwrap().png().unwrap()).unwrap();
    let drawn: DynamicImage = if format == ImageFormat::Gif { drawn.to_rgba8().into() } else { drawn.to_rgb8().into() };
    let mut bytes = Cursor::new(Vec::new());
    drawn.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A chunk of a PNG, with its checksum (PNG specification, section 5.5).
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [&kind[..], data].concat();
    let remainder = body.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 })
    });
    [&(data.len() as u32).to_be_bytes()[..], &body, &(!remainder).to_be_bytes()].concat()
}

#[test]
fn nothing_and_something_else() {
    assert_eq!(qr::read(b"").unwrap_err(), Error::Empty);
    for bytes in
        [&b"otpauth://totp/a?secret=JBSWY3DP"[..], b"\x7fELF\x02\x01", b"<svg/>", b"II*\0\x08\0\0\0", &[0; 4096]]
    {
        assert_eq!(qr::read(bytes).unwrap_err(), Error::Unknown, "{bytes:?}");
    }
    assert_eq!(qr::read(&vec![0; (32 << 20) + 1]).unwrap_err(), Error::Long);
}

#[test]
fn cut_short() {
    for format in FORMATS {
        let whole = picture(format);
        assert_eq!(ours(&whole), ["a text"]);
        for part in 1..32 {
            let short = &whole[..whole.len() * part / 64];
            let error = qr::read(short).expect_err(&format!("{format:?}, {part}/64"));
            assert!(matches!(error, Error::Broken(_) | Error::Unknown | Error::NoCode), "{format:?}: {error:?}");
            assert!(error.to_string().contains(':'), "what to do is missing: {error}");
        }
    }
}

#[test]
fn huge_dimensions() {
    let header = |width: u32, height: u32| {
        let data = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
        [&b"\x89PNG\r\n\x1a\n"[..], &chunk(b"IHDR", &data), &chunk(b"IDAT", &[0x78, 0x9c]), &chunk(b"IEND", &[])]
            .concat()
    };
    for (width, height) in
        [(60_000, 60_000), (i32::MAX as u32, i32::MAX as u32), (5000, 5000), (1_000_000, 1), (1, 20_001)]
    {
        assert_eq!(qr::read(&header(width, height)).unwrap_err(), Error::Large, "{width} x {height}");
    }
    let patched = |format, at: usize, bytes: &[u8]| {
        let mut picture = picture(format);
        picture[at..at + bytes.len()].copy_from_slice(bytes);
        qr::read(&picture).unwrap_err()
    };
    assert_eq!(patched(ImageFormat::Gif, 6, &[0xff; 4]), Error::Large);
    // A size that the format can't have is no picture to this decoder.
    let bmp = patched(ImageFormat::Bmp, 18, &[0x00, 0xff, 0, 0, 0x00, 0xff, 0, 0]);
    assert!(matches!(bmp, Error::Large | Error::Broken(_)), "{bmp:?}");
    let webp = picture(ImageFormat::WebP);
    let stream = webp.windows(4).position(|name| name == b"VP8L").unwrap() + 8;
    // The size stands twice in ours.
    let webp = patched(ImageFormat::WebP, stream + 1, &[0xff, 0xff, 0xff, 0x0f]);
    assert!(matches!(webp, Error::Large | Error::Broken(_)), "{webp:?}");
    let jpeg = picture(ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    assert_eq!(patched(ImageFormat::Jpeg, frame + 5, &[0xff, 0xdc, 0xff, 0xdc]), Error::Large);
}

/// A thousand bytes for one of the file: the header is believed, not the stream.
#[test]
fn more_data_than_the_header_says() {
    let whole = png(&vec![255; 2000 * 2000], 2000);
    let data = whole.windows(4).position(|name| name == b"IDAT").unwrap() - 4;
    let header = [&100_u32.to_be_bytes()[..], &100_u32.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    let bomb = [&whole[..8], &chunk(b"IHDR", &header), &whole[data..]].concat();
    assert!(matches!(qr::read(&bomb), Err(Error::NoCode | Error::Broken(_))));
}

#[test]
fn of_a_long_animation_the_first_picture() {
    let frame = |text: &str| {
        let drawn = image::load_from_memory(&Code::of(text).unwrap().png().unwrap()).unwrap();
        Frame::new(drawn.to_rgba8())
    };
    let (first, other) = (frame("first"), frame("later"));
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, 30);
    encoder.encode_frame(first).unwrap();
    encoder.encode_frames(std::iter::repeat_n(other, 100)).unwrap();
    drop(encoder);
    assert_eq!(ours(&bytes), ["first"]);
}

/// Thousands of corners, of which any three might be a code.
#[test]
fn a_wall_of_corners() {
    let side = 1500;
    let corner = |x: usize, y: usize| match (x % 9).abs_diff(4).max((y % 9).abs_diff(4)) {
        0 | 1 | 3 => 0,
        _ => 255,
    };
    for scale in [1, 3] {
        let pixels: Vec<u8> = (0..side * side).map(|at| corner(at % side / scale, at / side / scale)).collect();
        assert_eq!(qr::read(&png(&pixels, side)).unwrap_err(), Error::NoCode);
    }
}

fn grey(pixels: Vec<u8>, width: usize) -> Vec<u8> {
    let height = pixels.len() / width;
    let mut bytes = Cursor::new(Vec::new());
    let picture = GrayImage::from_raw(width as u32, height as u32, pixels[..width * height].to_vec()).unwrap();
    picture.write_to(&mut bytes, ImageFormat::Bmp).unwrap();
    bytes.into_inner()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn noise_is_no_panic(pixels in proptest::collection::vec(any::<u8>(), 1..8000), width in 1_usize..90) {
        prop_assume!(pixels.len() >= width);
        let _ = qr::read(&grey(pixels, width));
    }

    #[test]
    fn damage_is_no_panic(format in 0..FORMATS.len(), places in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..12)) {
        let mut picture = picture(FORMATS[format]);
        for (place, byte) in places {
            let place = usize::from(place) % picture.len().min(2000);
            picture[place] = byte;
        }
        let _ = qr::read(&picture);
    }
}
