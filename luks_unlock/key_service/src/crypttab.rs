//! Which volume a name of crypttab(5) stands for.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use otp_core::Volume;

use crate::{Refused, header, refused};

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// The UUID of the volume called `name` in `crypttab`.
///
/// # Errors
/// When it isn't there, or its device has no LUKS2 header.
pub fn volume(crypttab: &Path, name: &str) -> Result<Volume, Refused> {
    let at = |why: std::io::Error| refused(format!("{}: {why}", crypttab.display()));
    let mut text = String::new();
    File::open(crypttab).map_err(at)?.take(MAX_FILE).read_to_string(&mut text).map_err(at)?;
    let line = line_of(&text, name).ok_or_else(|| refused(format!("{name} is not in {}", crypttab.display())))?;
    match line {
        Source::Uuid(uuid) => {
            uuid.to_ascii_lowercase().parse().map_err(|_| refused(format!("{name}: UUID={uuid} is none")))
        }
        Source::Path(path) => header::uuid(Path::new(path)).map_err(|why| refused(format!("{name}: {path}: {why}"))),
        Source::Other(device) => {
            Err(refused(format!("{name}: {device}: name the device by UUID= or by its path in {}", crypttab.display())))
        }
    }
}

/// Where a volume's UUID can be found.
#[derive(Debug, PartialEq, Eq)]
enum Source<'a> {
    Uuid(&'a str),
    /// A device, or a file with the header.
    Path(&'a str),
    Other(&'a str),
}

fn line_of<'a>(text: &'a str, name: &str) -> Option<Source<'a>> {
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let fields = lines.into_iter().find(|fields| fields.first() == Some(&name))?;
    let device = *fields.get(1)?;
    let options = fields.get(3).copied().unwrap_or_default();
    let header = options.split(',').find_map(|option| option.strip_prefix("header="));
    let source = |text: &'a str| if text.starts_with('/') { Source::Path(text) } else { Source::Other(text) };
    Some(match (header, device.strip_prefix("UUID=")) {
        (Some(header), _) => source(header),
        (None, Some(uuid)) => Source::Uuid(uuid.trim_matches('"')),
        (None, None) => source(device),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# name device key options\n\
        data UUID=0A1B2C3D-0000-4000-8000-00000000000f /run/oathgate-disk-key luks,nofail\n\
        disk\t/dev/vdb  none\n detached /dev/vdc none luks,header=/boot/h.img,nofail\nlabel LABEL=x none\nshort\n";

    #[test]
    fn lines_lead_to_volumes() {
        assert_eq!(line_of(TEXT, "data"), Some(Source::Uuid("0A1B2C3D-0000-4000-8000-00000000000f")));
        assert_eq!(line_of(TEXT, "disk"), Some(Source::Path("/dev/vdb")));
        assert_eq!(line_of(TEXT, "detached"), Some(Source::Path("/boot/h.img")));
        assert_eq!(line_of(TEXT, "label"), Some(Source::Other("LABEL=x")));
        assert_eq!(
            (line_of(TEXT, "short"), line_of(TEXT, "nothing"), line_of(TEXT, "#")),
            (None, None, Some(Source::Other("name")))
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), TEXT).unwrap();
        let found = volume(file.path(), "data").unwrap();
        assert_eq!(found.as_str(), "0a1b2c3d-0000-4000-8000-00000000000f");
        for (name, part) in [("nothing", "is not in"), ("label", "by UUID="), ("detached", "/boot/h.img")] {
            let Refused(why) = volume(file.path(), name).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
        assert!(volume(Path::new("/nonexistent/crypttab"), "data").is_err());
    }
}
