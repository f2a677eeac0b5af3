//! QR codes: where they are shown, and the file they are handed over in.

use std::fs::File;
use std::io::Write;

use otp_import::qr::{Code, Error, Glyphs, Ink, Screen};

use crate::error::Failure;
use crate::output::{Output, Style};

/// Shows the QR code of `uri`, or says why it can't be shown here.
///
/// # Errors
/// When there is no such code, or nothing can be written.
pub fn show(uri: &str, out: &mut Output) -> Result<(), Failure> {
    let code = code(uri)?;
    match code.terminal(screen(out.style)) {
        Ok(text) => out.print(&text)?,
        Err(Error::Narrow { needs, has }) => {
            return out.line(format!(
                "The QR code needs {needs} columns, and this terminal has {has}: type the secret, or copy the URI."
            ));
        }
        Err(error) => return Err(Failure::undecided(error)),
    }
    match out.style.size {
        Some((_, rows)) if rows < code.side().div_ceil(2) + 2 => {
            out.line("(Larger than this window: make the window taller, or the letters smaller.)")
        }
        _ => Ok(()),
    }
}

/// Writes the QR code of `uri` into `file`, as a PNG.
///
/// # Errors
/// When that fails.
pub fn write_png(uri: &str, mut file: &File) -> Result<(), Failure> {
    let png = code(uri)?.png().map_err(Failure::undecided)?;
    file.write_all(&png)
        .and_then(|()| file.sync_all())
        .map_err(|error| Failure::undecided(format!("can't write the picture: {error}")))
}

fn code(uri: &str) -> Result<Code, Failure> {
    Code::of(uri).map_err(Failure::undecided)
}

/// How a code is drawn where `style` is.
pub fn screen(style: Style) -> Screen {
    let ink = match (style.colour, style.terminal) {
        (true, _) => Ink::Named,
        // Without colours most terminals are dark; files and pipes end on paper.
        (false, true) => Ink::Light,
        (false, false) => Ink::Dark,
    };
    Screen { columns: style.size.map(|(columns, _)| columns), glyphs: Glyphs::Blocks, ink }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::private::new_file;

    #[test]
    fn a_picture_is_only_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qr.png");
        write_png("otpauth://totp/alice", &new_file(&path).unwrap()).unwrap();
        let texts = otp_import::qr::read(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(texts[0].as_str(), "otpauth://totp/alice");
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        assert!(new_file(&path).is_err(), "never overwritten");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), folder.path().join("link")).unwrap();
        assert!(new_file(&folder.path().join("link")).is_err());
        assert!(!folder.path().join("elsewhere").exists());
    }

    #[test]
    fn ink_is_what_the_place_has() {
        let style = |terminal, colour| Style { terminal, colour, size: Some((80, 24)) };
        assert_eq!(screen(style(true, true)).ink, Ink::Named);
        assert_eq!(screen(style(true, false)).ink, Ink::Light);
        assert_eq!(screen(Style::default()).ink, Ink::Dark);
        assert_eq!(screen(style(true, true)).columns, Some(80));
        assert_eq!(screen(Style::default()).columns, None);
    }
}
