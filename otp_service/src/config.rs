//! The settings: one TOML file, every key optional, unknown keys refused.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use otp_core::Limits;
use serde::Deserialize;

use crate::Failure;
use crate::access::Export;
use crate::delegate;

/// The system's settings.
pub const SYSTEM: &str = "/etc/oathgate/oathgate.toml";
/// A user's settings, below the home directory.
pub const USER: &str = ".config/oathgate/oathgate.toml";

/// What may stand in `oathgate.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who decides: `socket` (a service) or `spawn` (a program started by root's front ends).
    pub verifier: Option<String>,
    /// The store's file.
    pub store: Option<PathBuf>,
    /// The folder of the sealing keys.
    pub keys: Option<PathBuf>,
    /// What authenticators call this host; its name when left out.
    pub issuer: Option<String>,
    /// Owners renew and add credentials themselves, each time with a code.
    pub self_service: Option<bool>,
    /// Owners enrol their first credential themselves, without a code.
    pub self_enrol: Option<bool>,
    /// Who may have secrets out of the store again: `root`, `owner-with-code` or `never`.
    pub export: Option<Export>,
    /// After a code, its SSH connection needs no further one; yes, when left out.
    pub connection_grants: Option<bool>,
    /// The user who may ask which keys are enrolled (AuthorizedKeysCommandUser).
    pub keys_reader: Option<String>,
    /// System accounts that ask for others: `[[delegate]]`.
    pub delegate: Option<Vec<delegate::Setting>>,
    /// How many failures lock: `usual` or `pci`.
    pub profile: Option<Profile>,
    /// A user's store may lie on a network file system.
    pub network_store: Option<bool>,
}

/// How many failures lock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// 100 in a row at one door, until an administrator unlocks it.
    #[default]
    Usual,
    /// 10 of an owner's, at whatever doors, for 30 minutes.
    Pci,
}

impl Profile {
    /// The limits that it stands for.
    #[must_use]
    pub fn limits(self) -> Limits {
        match self {
            Self::Usual => Limits::Usual,
            Self::Pci => Limits::Pci,
        }
    }
}

impl Config {
    /// Reads the settings at `path`; without a file all are as by default.
    ///
    /// # Errors
    /// When others may write the file, or something in it isn't known.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(why) => return Err(Failure::at(path.display(), why)),
        };
        let metadata = fs::metadata(path).map_err(|why| Failure::at(path.display(), why))?;
        let own = rustix::process::geteuid().as_raw();
        if metadata.mode() & 0o022 != 0 || (metadata.uid() != 0 && metadata.uid() != own) {
            return Err(Failure::at(path.display(), "others may write these settings; chown and chmod 0644 the file"));
        }
        Self::parse(&text).map_err(|why| Failure::at(path.display(), why))
    }

    /// Reads settings from their text.
    ///
    /// # Errors
    /// When something in it isn't known.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let config: Self = toml::from_str(text).map_err(|why| Failure(why.to_string()))?;
        match config.verifier.as_deref() {
            None | Some("socket" | "spawn") => Ok(config),
            Some(other) => Err(Failure(format!("verifier is \"socket\" or \"spawn\", not {other:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_settings_and_careless_modes_are_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("oathgate.toml");
        assert!(Config::load(&path).unwrap().issuer.is_none(), "no file, all by default");
        fs::write(&path, "issuer = \"host\"\nself_service = true\n").unwrap();
        assert_eq!(Config::load(&path).unwrap().self_service, Some(true));
        for (text, rule) in
            [("root", Export::Root), ("owner-with-code", Export::OwnerWithCode), ("never", Export::Never)]
        {
            fs::write(&path, format!("export = \"{text}\"\n")).unwrap();
            assert_eq!(Config::load(&path).unwrap().export, Some(rule));
        }
        let delegate = "[[delegate]]\nuser = \"www-data\"\nservice = \"nginx\"\ngroup = \"staff\"\n";
        fs::write(&path, delegate.repeat(2)).unwrap();
        assert_eq!(Config::load(&path).unwrap().delegate.unwrap().len(), 2);
        for bad in [delegate.replace("group", "groups"), delegate.replace("group = \"staff\"\n", "")] {
            assert!(Config::parse(&bad).is_err(), "{bad}");
        }
        for bad in ["export = \"everybody\"", "isuer = \"host\"", "self_service = \"yes\"", "verifier = \"guess\"", "["]
        {
            fs::write(&path, bad).unwrap();
            assert!(Config::load(&path).is_err(), "{bad}");
        }
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        assert!(Config::load(&path).is_err());
    }
}
