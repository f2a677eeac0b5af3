//! The UUID in a LUKS2 header (LUKS2 On-Disk Format Specification, §2.1).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use otp_core::Volume;

/// The part of the binary header that holds magic, version and UUID, in bytes.
const PART: usize = 208;
const MAGIC: &[u8] = b"LUKS\xba\xbe";
const UUID: usize = 168;

/// Reads it.
///
/// # Errors
/// What is wrong with the device.
pub fn uuid(path: &Path) -> Result<Volume, String> {
    let mut part = [0; PART];
    File::open(path).and_then(|mut file| file.read_exact(&mut part)).map_err(|why| why.to_string())?;
    of(&part).ok_or_else(|| "there is no LUKS2 header".to_owned())
}

fn of(part: &[u8; PART]) -> Option<Volume> {
    let version = part.get(6..8)?;
    let text = part.get(UUID..)?.split(|byte| *byte == 0).next()?;
    (part.starts_with(MAGIC) && version == [0, 2]).then_some(())?;
    std::str::from_utf8(text).ok()?.to_ascii_lowercase().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_luks2_header_has_one() {
        let text = "0a1b2c3d-0000-4000-8000-00000000000f";
        let mut part = [0; PART];
        part[..6].copy_from_slice(MAGIC);
        part[7] = 2;
        part[UUID..UUID + 36].copy_from_slice(text.as_bytes());
        assert_eq!(of(&part).unwrap().as_str(), text);
        for (place, byte) in [(0, b'X'), (7, 1), (UUID, b'/'), (UUID, 0)] {
            let mut broken = part;
            broken[place] = byte;
            assert_eq!(of(&broken), None, "{place}");
        }
        assert!(uuid(Path::new("/dev/null")).is_err());
    }
}
