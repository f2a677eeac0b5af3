//! `oathgate convert` of photographs of 12 megapixels: of a small code and a
//! large one, dark on light and light on dark, and of nothing.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::Command;

use oathgate_tests::built::bin;
use oathgate_tests::process::run;
use otp_import::qr::Code;
use otp_import::{Entry, Kind, write};
use serde_json::{Value, json};

use crate::camera::{Shot, png};
use crate::numbers::{Series, shown};
use crate::people::secret;

/// One kind of photograph.
pub struct Photograph {
    name: String,
    pub times: Series,
}

impl Photograph {
    pub fn json(&self) -> Value {
        json!({ "photograph": self.name, "latency": self.times.json() })
    }

    pub fn print(&self) {
        println!("{:<48}{:>12}", self.name, shown(self.times.median()));
    }
}

/// Takes them, and has each read some times.
pub fn measure(folder: &Path, times: usize) -> Vec<Photograph> {
    // Its real path: as root no link of somebody else's is followed.
    let path = fs::canonicalize(folder).expect("our folder").join("photograph.png");
    let mut measured = Vec::new();
    for entries in [1, 10] {
        let code = code(entries);
        let shot = Shot {
            module: 2000.0 / f64::from(u16::try_from(code.side()).expect("a QR code")),
            ..Shot::TWELVE_MEGAPIXELS
        };
        let (dark, light) = (("dark on light", shot), ("light on dark", Shot { inverted: true, ..shot }));
        for (what, shot) in [dark, light, ("too small to be seen", Shot { module: 0.01, ..shot })] {
            fs::write(&path, png(&shot.take(&code), shot.width)).expect("our folder");
            let name = format!("a code of {} modules, {what}", code.side());
            measured.push(Photograph { name, times: read(&path, shot.module > 1.0, times) });
        }
    }
    fs::remove_file(path).expect("our file");
    measured
}

/// An export of so many entries.
fn code(entries: usize) -> Code {
    let entry =
        |number| Entry { name: format!("person{number}"), ..Entry::new(Kind::Totp { period: 30 }, secret(number)) };
    let entries: Vec<Entry> = (0..entries).map(entry).collect();
    let written = write::migration(&entries.iter().collect::<Vec<_>>(), 1);
    Code::of(written.texts.first().expect("one text")).expect("it fits")
}

fn read(path: &Path, has_code: bool, times: usize) -> Series {
    let mut series = Series::default();
    for _ in 0..times {
        let mut command = Command::new(bin("oathgate"));
        command.arg("convert").arg(path);
        let finished = series.time(|| run(&mut command, b""));
        assert_eq!(finished.code() == Some(0), has_code, "{}", finished.stderr);
    }
    series
}
