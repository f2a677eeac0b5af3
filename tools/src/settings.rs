//! The one setting of the system's that this program needs: who decides.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::Deserialize;

use crate::error::Failure;

/// The system's settings. `oathgated` reads and checks all of them.
pub const SYSTEM: &str = "/etc/oathgate/oathgate.toml";

/// Who decides on this host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decides {
    /// The service behind its sockets.
    #[default]
    Socket,
    /// A verifier that is started for each request, by root.
    Spawn,
}

#[derive(Default, Deserialize)]
struct Settings {
    #[serde(default)]
    verifier: Decides,
}

/// Reads who decides; the service, where there are no settings.
///
/// # Errors
/// When the settings can't be read, or somebody else could have written them.
pub fn decides(path: &Path) -> Result<Decides, Failure> {
    let unusable = |why: &dyn std::fmt::Display| Failure::undecided(format!("{}: {why}", path.display()));
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Decides::default()),
        Err(why) => return Err(unusable(&why)),
    };
    let metadata = fs::metadata(path).map_err(|why| unusable(&why))?;
    if metadata.uid() != 0 || metadata.mode() & 0o022 != 0 {
        return Err(unusable(&"others may write these settings").hint("chown root and chmod 0644 the file"));
    }
    let settings: Settings = toml::from_str(&text).map_err(|why| unusable(&why))?;
    Ok(settings.verifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_is_read() {
        if !nix::unistd::Uid::effective().is_root() {
            return; // the settings must be root's
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("oathgate.toml");
        assert_eq!(decides(&path).unwrap(), Decides::Socket);
        for (text, expected) in [("issuer = 'host'", Decides::Socket), ("verifier = 'spawn'", Decides::Spawn)] {
            fs::write(&path, text).unwrap();
            assert_eq!(decides(&path).unwrap(), expected);
        }
        fs::write(&path, "verifier = 'guess'").unwrap();
        assert!(decides(&path).is_err());
    }
}
