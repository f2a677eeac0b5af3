//! The largest pictures that are read stay below 300 MB, the process included.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Cursor;

use image::{DynamicImage, ImageFormat};
use otp_import::qr;

/// The most memory that this process has held since `forget`, in bytes (proc(5)).
fn most() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn kept(picture: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

type Make = fn() -> Vec<u8>;

#[test]
fn below_300_megabytes() {
    let largest: [(_, Make); 4] = [
        ("24 megapixels with alpha", || kept(DynamicImage::new_rgba8(6000, 4000), ImageFormat::Png)),
        ("12 megapixels of 16 bits", || kept(DynamicImage::new_rgba16(4000, 3000), ImageFormat::Png)),
        ("24 megapixels of WebP", || kept(DynamicImage::new_rgba8(6000, 4000), ImageFormat::WebP)),
        ("24 megapixels of JPEG", || kept(DynamicImage::new_rgb8(6000, 4000), ImageFormat::Jpeg)),
    ];
    for (name, picture) in largest {
        let picture = picture();
        if fs::write("/proc/self/clear_refs", "5").is_err() {
            eprintln!("skipped: the highest mark can't be taken back here");
            return;
        }
        assert_eq!(qr::read(&picture).unwrap_err(), qr::Error::NoCode, "{name}");
        let most = most() / 1_000_000;
        eprintln!("{name}: {most} MB");
        assert!(most < 300, "{name}: {most} MB");
    }
}
