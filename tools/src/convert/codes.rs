//! QR codes of entries: on the terminal, or as pictures in new files.

use std::io::Write;
use std::path::{Path, PathBuf};

use otp_import::qr::{Code, Error};
use otp_import::write::Written;

use super::arguments::Target;
use super::private;
use crate::error::Failure;
use crate::output::Output;
use crate::qr;

/// Shows a code for each text, with the name of what is in it.
///
/// # Errors
/// When one can't be drawn here.
pub fn show(written: &Written, names: &[String], out: &mut Output) -> Result<(), Failure> {
    for (number, text) in written.texts.iter().enumerate() {
        if number > 0 {
            out.line("")?;
        }
        if let Some(name) = names.get(number) {
            out.line(otp_wire::syslog::escape(name))?;
        }
        let code = Code::of(text).map_err(Failure::no)?;
        match code.terminal(qr::screen(out.style)) {
            Ok(drawn) => out.print(&drawn)?,
            Err(error @ Error::Narrow { .. }) => return Err(Failure::no(error)),
            Err(error) => return Err(Failure::undecided(error)),
        }
    }
    Ok(())
}

/// Writes a picture for each text into new files that only the caller can
/// read: `OUTPUT`, or `OUTPUT-1` and so on before the extension for several.
///
/// # Errors
/// When a text is too long for a code, or a file is there already. Files that
/// were made before that stay.
pub fn write(to: Target, written: &Written, output: &Path, out: &mut Output) -> Result<(), Failure> {
    let codes: Vec<Code> =
        written.texts.iter().map(|text| Code::of(text).map_err(Failure::no)).collect::<Result<_, _>>()?;
    for (number, code) in (1..).zip(&codes) {
        let path = if codes.len() == 1 { output.to_owned() } else { numbered(output, number) };
        let mut file = private::new_file(&path)?;
        let drawn = match to {
            Target::Svg => file.write_all(code.svg().as_bytes()),
            _ => file.write_all(&code.png().map_err(Failure::undecided)?),
        };
        let kept = drawn.and_then(|()| file.sync_all());
        kept.map_err(|why| Failure::undecided(format!("{}: {why}", path.display())))?;
        out.line(format!("Wrote {}", otp_wire::syslog::escape(&path.display().to_string())))?;
    }
    Ok(())
}

fn numbered(path: &Path, number: usize) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match path.extension() {
        Some(extension) => format!("{stem}-{number}.{}", extension.to_string_lossy()),
        None => format!("{stem}-{number}"),
    };
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::output::Style;

    fn written(texts: &[&str]) -> Written {
        Written { texts: texts.iter().map(|text| Zeroizing::new((*text).to_owned())).collect(), ..Written::default() }
    }

    #[test]
    fn pictures_are_read_back_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("codes.png");
        let texts = ["otpauth://totp/a?secret=AAAA", "otpauth://totp/b?secret=BBBB"];
        let mut out = Vec::new();
        write(Target::Png, &written(&texts), &path, &mut Output::to(&mut out, Style::default())).unwrap();
        for (number, text) in (1..).zip(texts) {
            let picture = std::fs::read(folder.path().join(format!("codes-{number}.png"))).unwrap();
            assert_eq!(otp_import::qr::read(&picture).unwrap()[0].as_str(), text);
        }
        write(Target::Svg, &written(&texts[..1]), &path, &mut Output::to(&mut out, Style::default())).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().contains("<svg"));
        assert!(write(Target::Png, &written(&texts[..1]), &path, &mut Output::to(&mut out, Style::default())).is_err());
    }

    #[test]
    fn a_terminal_that_is_too_narrow_names_the_way_out() {
        let (mut text, style) = (Vec::new(), Style { size: Some((20, 24)), ..Style::default() });
        let failure = show(&written(&["otpauth://totp/a"]), &[], &mut Output::to(&mut text, style)).unwrap_err();
        assert!(failure.what.contains("--to png"), "{}", failure.what);
        let mut text = Vec::new();
        show(&written(&["otpauth://totp/a"]), &["a\x1b".to_owned()], &mut Output::to(&mut text, Style::default()))
            .unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("a\\u{1b}\n") && text.contains('█'), "{text}");
    }
}
