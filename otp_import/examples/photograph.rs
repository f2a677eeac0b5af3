//! How long a photograph takes: `cargo run --release -p otp_import --example photograph`.

#![allow(clippy::unwrap_used)]

#[path = "../tests/camera/mod.rs"]
mod camera;

use std::time::Instant;

use camera::{Shot, png};
use otp_import::qr::Code;

fn main() {
    let text = format!("otpauth-migration://offline?data={}", "CjQKCkhlbGxvId6tvu8".repeat(40));
    for length in [120, text.len()] {
        let code = Code::of(&text[..length]).unwrap();
        let shot = Shot { module: 2000.0 / code.side() as f64, ..Shot::TWELVE_MEGAPIXELS };
        for shot in [shot, Shot { inverted: true, ..shot }, Shot { module: 0.01, ..shot }] {
            let picture = png(&shot.take(&code), shot.width);
            let start = Instant::now();
            let found = otp_import::qr::read(&picture).is_ok_and(|texts| *texts[0] == text[..length]);
            println!(
                "12 megapixels, {} modules a side{}: {} in {:.2} s",
                code.side(),
                if shot.inverted { ", inverted" } else { "" },
                if found { "read" } else { "nothing found" },
                start.elapsed().as_secs_f64()
            );
        }
    }
}
