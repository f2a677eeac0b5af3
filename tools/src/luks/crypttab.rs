//! The disk's line in crypttab(5).

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::clock;
use crate::error::Failure;

/// Who asks for PIN and code in the initramfs.
pub const KEYSCRIPT: &str = "/usr/libexec/oathgate/luks-keyscript";
/// More than any crypttab has.
const MAX: usize = 1 << 20;

/// Who asks for the code at boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// systemd-cryptsetup, by our plugin.
    Plugin,
    /// Our script in the initramfs.
    Keyscript,
    /// Our service, which has the verifier to ask.
    KeyService,
}

/// Where the key service listens.
pub const KEY_SERVICE: &str = "/run/oathgate-disk-key";

/// The line for a disk.
pub fn line(name: &str, uuid: &str, header: Option<&str>, asks: Asks) -> String {
    let header = header.map(|header| format!(",header={header}")).unwrap_or_default();
    // A disk that stays shut must not keep the machine from starting, unless it is the root.
    let (key, rest) = match asks {
        Asks::Plugin => ("none", "luks,nofail".to_owned()),
        Asks::Keyscript => ("none", format!("luks,initramfs,keyscript={KEYSCRIPT}")),
        // Not _netdev: its target, remote-cryptsetup.target, is not enabled on Debian.
        Asks::KeyService => (KEY_SERVICE, "luks,nofail".to_owned()),
    };
    format!("{name} UUID={uuid} {key} {rest}{header}")
}

/// A crypttab with the line in it, in the place of one for the same name or the
/// same UUID.
///
/// # Errors
/// When name and UUID stand in different lines.
pub fn edited(text: &str, name: &str, uuid: &str, line: &str) -> Result<String, Failure> {
    let source = format!("UUID={uuid}");
    let same = |old: &&str| {
        let mut words = old.split_whitespace();
        let (its_name, its_source) = (words.next(), words.next().map(|word| word.replace('"', "")));
        its_name == Some(name) || its_source.is_some_and(|its| its.eq_ignore_ascii_case(&source))
    };
    let mut lines: Vec<&str> = text.lines().collect();
    let found: Vec<usize> = lines.iter().enumerate().filter(|(_, old)| same(old)).map(|(at, _)| at).collect();
    match found.as_slice() {
        [] => lines.push(line),
        [at] => {
            if let Some(old) = lines.get_mut(*at) {
                *old = line;
            }
        }
        _ => {
            return Err(Failure::no(format!("{name} and this disk stand in different lines of crypttab"))
                .hint("choose another name, or write the line yourself"));
        }
    }
    Ok(lines.join("\n") + "\n")
}

/// Whether `name` can stand in crypttab and below /dev/mapper.
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte);
    (1..=100).contains(&name.len()) && !name.starts_with(['-', '.']) && name.bytes().all(plain) && name != "control"
}

/// Writes the line into `path`; what was there is kept beside it. The name of
/// that, where there was something.
///
/// # Errors
/// When it can't be written; then nothing was changed.
pub fn write(path: &Path, name: &str, uuid: &str, line: &str) -> Result<Option<String>, Failure> {
    let failed = |error: std::io::Error| Failure::undecided(format!("can't change {}: {error}", path.display()));
    let (old, mode) = match fs::read_to_string(path) {
        Ok(text) if text.len() > MAX => return Err(Failure::no(format!("{} is no crypttab", path.display()))),
        Ok(text) => {
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).map_err(failed)?.permissions());
            (Some(text), mode & 0o777)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (None, 0o644),
        Err(error) => return Err(failed(error)),
    };
    let new = edited(old.as_deref().unwrap_or_default(), name, uuid, line)?;
    let beside = |what: &str| format!("{}.{what}", path.display());
    let kept = match &old {
        Some(_) => {
            let kept = beside(&format!("before-oathgate-{}", clock::stamp(clock::now())));
            fs::hard_link(path, &kept).map_err(failed)?;
            Some(kept)
        }
        None => None,
    };
    let next = beside("oathgate-new");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&next).map_err(failed)?;
    let written = file.write_all(new.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&next, path));
    if let Err(error) = written {
        let _ = fs::remove_file(&next);
        return Err(failed(error));
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "158f3c02-5aa0-45f3-ae9d-e238eb50112c";

    #[test]
    fn a_line_is_added_or_replaced() {
        let line = line("data", UUID, None, Asks::Plugin);
        assert_eq!(line, format!("data UUID={UUID} none luks,nofail"));
        let old = "# target source key options\nroot UUID=1 none luks\n";
        assert_eq!(edited(old, "data", UUID, &line).unwrap(), format!("{old}{line}\n"));
        assert_eq!(edited("", "data", UUID, &line).unwrap(), format!("{line}\n"));
        for same in ["data /dev/sdb1 /root/key luks".to_owned(), format!("other \"UUID={}\" none", UUID.to_uppercase())]
        {
            let text = format!("{old}{same}\nlast UUID=2 none\n");
            assert_eq!(edited(&text, "data", UUID, &line).unwrap(), format!("{old}{line}\nlast UUID=2 none\n"));
        }
        let both = format!("data UUID=3 none\nother UUID={UUID} none\n");
        assert!(edited(&both, "data", UUID, &line).is_err());
    }

    #[test]
    fn what_was_there_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crypttab");
        assert_eq!(write(&path, "data", "1", "data UUID=1 none luks").unwrap(), None);
        let kept = write(&path, "data", "1", "data UUID=1 none luks,nofail").unwrap().unwrap();
        assert_eq!(fs::read_to_string(kept).unwrap(), "data UUID=1 none luks\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "data UUID=1 none luks,nofail\n");
        assert!(!folder.path().join("crypttab.oathgate-new").exists());
    }

    #[test]
    fn names_are_plain() {
        assert!(is_name("data-1") && is_name("sda5_crypt"));
        for name in ["", "a b", "../x", "-x", "control", "a/b", "a\nb", "#a"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
