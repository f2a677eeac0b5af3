//! Codes as cameras, phones and desktops see them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod camera;

use std::io::Cursor;
use std::path::Path;

use camera::{Shot, ours, png};
use image::{DynamicImage, GrayImage, ImageFormat};
use otp_import::qr::{self, Code};

/// As long as a usual URI, and as a migration of ten entries.
fn texts() -> [String; 2] {
    [110, 950].map(|length| (0..length).map(|at: usize| char::from(b'A' + ((at * at * 7 + at) % 26) as u8)).collect())
}

fn shots() -> Vec<Shot> {
    let plain = Shot { width: 1100, height: 1000, ..Shot::PLAIN };
    let tilted = Shot { turn: 10.0, ..plain };
    let mut shots = vec![
        Shot { noise: 50, ..tilted },
        Shot { blur: 5, ..tilted },
        Shot { shadow: 0.9, noise: 5, ..tilted },
        Shot { turn: 27.0, noise: 30, shadow: 0.5, tilt: 0.1, blur: 2, ..plain },
    ];
    shots.extend([1.0, 2.0, 3.5, 7.0].map(|module| Shot { module, ..plain }));
    shots.extend([3.0, 30.0, 45.0, 90.0, 133.0, 181.0].map(|turn| Shot { turn, ..plain }));
    shots.extend([0.1, 0.2, 0.3].map(|tilt| Shot { tilt, ..tilted }));
    let inverted: Vec<Shot> = shots.iter().step_by(3).map(|shot| Shot { inverted: true, ..*shot }).collect();
    shots.extend(inverted);
    shots
}

#[test]
fn photographs() {
    for text in texts() {
        let code = Code::of(&text).unwrap();
        for shot in shots() {
            assert_eq!(ours(&png(&shot.take(&code), shot.width)), [&*text], "{shot:?}");
        }
    }
}

#[test]
fn twelve_megapixels() {
    let [_, text] = texts();
    let shot = Shot { module: 12.0, ..Shot::TWELVE_MEGAPIXELS };
    assert_eq!(ours(&png(&shot.take(&Code::of(&text).unwrap()), shot.width)), [text]);
}

#[test]
fn every_format() {
    let [text, _] = texts();
    let shot = Shot { turn: 5.0, noise: 5, ..Shot::PLAIN };
    let grey = GrayImage::from_raw(640, 480, shot.take(&Code::of(&text).unwrap())).unwrap();
    let grey = DynamicImage::from(grey);
    let kept = |picture: &DynamicImage, format| {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Bmp] {
        let picture: DynamicImage =
            if format == ImageFormat::Gif { grey.to_rgba8().into() } else { grey.to_rgb8().into() };
        assert_eq!(ours(&kept(&picture, format)), [&*text], "{format:?}");
    }
    let samples =
        [grey.to_luma_alpha8().into(), grey.to_rgba8().into(), grey.to_luma16().into(), grey.to_rgba16().into()];
    for picture in samples {
        assert_eq!(ours(&kept(&picture, ImageFormat::Png)), [&*text], "{:?}", picture.color());
    }
    // Modules that are drawn on nothing.
    let mut clear = grey.to_rgba8();
    clear.pixels_mut().for_each(|pixel| pixel.0 = [0, 0, 0, 255 - pixel.0[0]]);
    assert_eq!(ours(&kept(&clear.into(), ImageFormat::Png)), [&*text], "on nothing");
}

/// Pictures beside each other.
fn beside(pictures: &[(&[u8], usize)], height: usize) -> Vec<u8> {
    let row = |y: usize| pictures.iter().flat_map(move |(pixels, width)| &pixels[y * width..(y + 1) * width]).copied();
    (0..height).flat_map(row).collect()
}

#[test]
fn several_codes_of_several_kinds() {
    let texts = ["one, small", "two, light on dark", "three, turned", "four, large and turned"];
    let take = |text: &str, shot: Shot| shot.take(&Code::of(text).unwrap());
    let shot = Shot { width: 420, height: 460, ..Shot::PLAIN };
    let pictures = [
        take(texts[0], Shot { module: 2.0, ..shot }),
        take(texts[1], Shot { inverted: true, ..shot }),
        take(texts[2], Shot { turn: 40.0, ..shot }),
        take(texts[3], Shot { turn: 200.0, module: 9.0, tilt: 0.1, ..shot }),
    ];
    let wall = beside(&pictures.each_ref().map(|picture| (&**picture, 420)), 460);
    let mut expected = texts;
    expected.sort_unstable();
    assert_eq!(ours(&png(&wall, 4 * 420)), expected);
}

#[test]
fn the_same_code_twice_is_one_text() {
    let picture = Shot::PLAIN.take(&Code::of("the same").unwrap());
    assert_eq!(ours(&png(&beside(&[(&picture, 640), (&picture, 640)], 480), 1280)), ["the same"]);
}

#[test]
fn a_mirror() {
    let [text, _] = texts();
    let mut picture = Shot { turn: 10.0, ..Shot::PLAIN }.take(&Code::of(&text).unwrap());
    picture.chunks_mut(640).for_each(<[u8]>::reverse);
    assert_eq!(ours(&png(&picture, 640)), [text]);
}

/// Real pictures of other programs, where they are present.
#[test]
fn pictures_of_other_programs() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/import/fixtures");
    let Ok(folder) = fixtures.join("qr").read_dir() else {
        eprintln!("skipped: no fixtures beside the project");
        return;
    };
    let mut seen = 0;
    for picture in folder {
        let picture = picture.unwrap();
        let name = format!("qr__{}.json", picture.file_name().into_string().unwrap());
        let expected = std::fs::read(fixtures.join("expected").join(name)).unwrap();
        let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
        let mut expected: Vec<&str> =
            expected["meta"]["qr_texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
        expected.sort_unstable();
        assert_eq!(ours(&std::fs::read(picture.path()).unwrap()), expected, "{:?}", picture.path());
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn a_wall_without_a_code() {
    let blank = Shot { module: 0.01, noise: 90, ..Shot::PLAIN };
    let error = qr::read(&png(&blank.take(&Code::of("x").unwrap()), 640)).unwrap_err();
    assert_eq!(error, qr::Error::NoCode);
}
