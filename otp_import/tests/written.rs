//! What we write is read back: by ourselves, and by zbarimg.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod camera;

use std::io::Write;
use std::process::Command;

use camera::{ours, png};
use otp_import::qr::{Code, Error, Glyphs, Ink, Screen};
use proptest::prelude::*;

const URI: &str =
    "otpauth://totp/host:alice?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=host&algorithm=SHA1&digits=6&period=30";
/// Pixels of a character cell, half as wide as it is high.
const CELL: usize = 8;

/// Bytes of a migration of ten entries with long names, and more than that.
const LONGEST: usize = 2953;

/// What zbarimg finds in a picture of one code, and in any file that ImageMagick reads.
fn theirs(picture: &[u8], suffix: &str) -> Option<String> {
    let mut file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
    file.write_all(picture).unwrap();
    let Ok(output) =
        Command::new("zbarimg").args(["--raw", "-q", "-Sdisable", "-Sqrcode.enable"]).arg(file.path()).output()
    else {
        eprintln!("skipped: no zbarimg here");
        return None;
    };
    Some(String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned())
}

/// Both find `text`, and nothing else, in a PNG.
fn both_read(picture: &[u8], text: &str, what: &str) {
    assert_eq!(ours(picture), [text], "{what}");
    if let Some(found) = theirs(picture, ".png") {
        assert_eq!(found, text, "{what}, zbarimg");
    }
}

#[test]
fn a_png_is_read_back() {
    both_read(&Code::of(URI).unwrap().png().unwrap(), URI, "png");
}

#[test]
fn the_longest_text_is_read_back_and_one_more_byte_is_refused() {
    let text = "x".repeat(LONGEST);
    both_read(&Code::of(&text).unwrap().png().unwrap(), &text, "the largest code");
    assert_eq!(Code::of(&"x".repeat(LONGEST + 1)).err(), Some(Error::Text(LONGEST + 1)));
}

/// Paints the paths that we write, and only these.
fn paint_svg(svg: &str, side: usize) -> Vec<u8> {
    let paths: Vec<&str> = svg.split("d=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(paths[0], format!("M0 0h{side}v{side}H0z"), "a white ground");
    let mut pixels = vec![255; side * side];
    for run in paths[1].split('z').filter(|run| !run.is_empty()) {
        let numbers: Vec<usize> =
            run.split(['M', ' ', 'h', 'v', '-']).filter_map(|number| number.parse().ok()).collect();
        let [column, row, length, 1, back] = numbers[..] else { panic!("{run}") };
        assert_eq!(length, back);
        pixels[row * side + column..][..length].fill(0);
    }
    larger(&pixels, side, 4)
}

/// A square of `times` on a side for each pixel.
fn larger(pixels: &[u8], width: usize, times: usize) -> Vec<u8> {
    let wide = |row: &[u8]| row.iter().flat_map(|&pixel| vec![pixel; times]).collect::<Vec<u8>>();
    pixels.chunks(width).flat_map(|row| wide(row).repeat(times)).collect()
}

#[test]
fn an_svg_is_read_back() {
    let code = Code::of(URI).unwrap();
    let svg = code.svg();
    both_read(&png(&paint_svg(&svg, code.side()), 4 * code.side()), URI, "svg");
    // Where ImageMagick can draw it, it is read as the file that it is.
    if let Some(found) = theirs(svg.as_bytes(), ".svg").filter(|found| !found.is_empty()) {
        assert_eq!(found, URI);
    }
}

/// What a terminal of these colours shows: grey cells of `CELL` by twice `CELL`.
fn paint_terminal(text: &str, ink: u8, ground: u8) -> (Vec<u8>, usize) {
    let mut rows: Vec<Vec<[u8; 2]>> = Vec::new();
    for line in text.lines() {
        let (mut fore, mut back) = (ink, ground);
        let mut cells = Vec::new();
        let mut rest = line;
        while let Some(character) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("\x1b[") {
                let (codes, after) = after.split_once('m').unwrap();
                (fore, back) = match codes {
                    "0" => (ink, ground),
                    "38;5;16;48;5;231" => (0, 255),
                    "48;5;16" => (fore, 0),
                    "48;5;231" => (fore, 255),
                    other => panic!("{other}"),
                };
                rest = after;
                continue;
            }
            cells.push(match character {
                '█' | '#' => [fore, fore],
                '▀' => [fore, back],
                '▄' => [back, fore],
                ' ' => [back, back],
                other => panic!("{other:?}"),
            });
            rest = &rest[character.len_utf8()..];
        }
        assert_eq!((fore, back), (ink, ground), "the colours end with the line");
        rows.push(cells);
    }
    let columns = rows[0].len();
    assert!(rows.iter().all(|row| row.len() == columns));
    // The screen goes on around it.
    let around = 4;
    let mut pixels = vec![ground; (columns + 2 * around) * 2 * (rows.len() + around)];
    let width = columns + 2 * around;
    for (y, row) in rows.iter().enumerate() {
        for (x, halves) in row.iter().enumerate() {
            for (half, &pixel) in halves.iter().enumerate() {
                pixels[(2 * y + half + around) * width + x + around] = pixel;
            }
        }
    }
    (larger(&pixels, width, CELL), width * CELL)
}

const DARK_THEME: (u8, u8) = (230, 15);
const LIGHT_THEME: (u8, u8) = (15, 245);

#[test]
fn a_terminals_characters_are_read_back() {
    let shown = [
        (Ink::Named, DARK_THEME, "named colours on dark"),
        (Ink::Named, LIGHT_THEME, "named colours on light"),
        (Ink::Light, DARK_THEME, "no colours on dark"),
        (Ink::Dark, LIGHT_THEME, "no colours on light"),
    ];
    for glyphs in [Glyphs::Blocks, Glyphs::Ascii] {
        for (ink, theme, what) in shown {
            let text = Code::of(URI).unwrap().terminal(Screen { columns: Some(110), glyphs, ink }).unwrap();
            assert!(glyphs == Glyphs::Blocks || text.is_ascii());
            let (pixels, width) = paint_terminal(&text, theme.0, theme.1);
            both_read(&png(&pixels, width), URI, &format!("{glyphs:?}, {what}"));
        }
    }
}

#[test]
fn never_wider_than_the_terminal() {
    let code = Code::of(URI).unwrap();
    for (glyphs, needs) in [(Glyphs::Blocks, code.side()), (Glyphs::Ascii, 2 * code.side())] {
        for ink in [Ink::Named, Ink::Light, Ink::Dark] {
            let screen = |columns| Screen { columns: Some(columns), glyphs, ink };
            let text = code.terminal(screen(needs)).unwrap();
            let (_, width) = paint_terminal(&text, 0, 255);
            assert_eq!(width / CELL - 8, needs);
            let error = code.terminal(screen(needs - 1)).unwrap_err();
            assert_eq!(error, Error::Narrow { needs, has: needs - 1 });
            assert!(error.to_string().contains("--to png"), "{error}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_back(text in "[ -~äöü€]{1,300}|[A-Za-z0-9%=]{1,2900}|[0-9]{1,3000}") {
        let code = Code::of(&text).unwrap();
        prop_assert_eq!(ours(&code.png().unwrap()), [text.clone()]);
        let (pixels, width) = paint_terminal(
            &code.terminal(Screen { columns: None, glyphs: Glyphs::Blocks, ink: Ink::Light }).unwrap(), 255, 0);
        prop_assert_eq!(ours(&png(&pixels, width)), [text]);
    }
}
