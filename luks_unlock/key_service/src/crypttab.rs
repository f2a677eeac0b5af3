//! Which volume a name of crypttab(5) stands for.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use luks_unlock::crypttab::{Line, Source};
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
    let mut lines = text.lines().filter_map(Line::parse);
    let line = lines.find(|line| line.name == name);
    match line.ok_or_else(|| refused(format!("{name} is not in {}", crypttab.display())))?.source() {
        Source::Uuid(uuid) => {
            uuid.to_ascii_lowercase().parse().map_err(|_| refused(format!("{name}: UUID={uuid} is none")))
        }
        Source::Path(path) => header::uuid(Path::new(path)).map_err(|why| refused(format!("{name}: {path}: {why}"))),
        Source::Other(device) => {
            Err(refused(format!("{name}: {device}: name the device by UUID= or by its path in {}", crypttab.display())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# name device key options\n\
        data UUID=0A1B2C3D-0000-4000-8000-00000000000f /run/oathgate-disk-key luks,nofail\n\
        disk\t/dev/vdb  none\n detached /dev/vdc none luks,header=/boot/h.img,nofail\nlabel LABEL=x none\nshort\n";

    #[test]
    fn what_is_wrong_is_said() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), TEXT).unwrap();
        let found = volume(file.path(), "data").unwrap();
        assert_eq!(found.as_str(), "0a1b2c3d-0000-4000-8000-00000000000f");
        for (name, part) in [
            ("nothing", "is not in"),
            ("#", "is not in"),
            ("short", "is not in"),
            ("label", "by UUID="),
            ("detached", "/boot/h.img"),
        ] {
            let Refused(why) = volume(file.path(), name).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
        assert!(volume(Path::new("/nonexistent/crypttab"), "data").is_err());
    }
}
