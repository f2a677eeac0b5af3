//! Words for LUKS volumes: only root asks these. A volume is named by its UUID
//! in small letters, as `cryptsetup luksUUID` prints it.

use serde::{Deserialize, Serialize};

use crate::SecretText;

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeName {
    /// Its UUID.
    pub volume: String,
}

/// The key of a volume's key slot, in place of one that was kept before.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskKey {
    /// The volume's UUID.
    pub volume: String,
    /// 32 to 128 bytes in base32.
    pub key: SecretText,
}

/// A further credential for a volume whose key is kept already.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskEnrol {
    /// The volume's UUID.
    pub volume: String,
    /// The label; made from the volume when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// `totp` or `hotp`.
    pub kind: String,
    /// `SHA1`, `SHA256` or `SHA512`.
    pub algorithm: String,
    /// 6, 7 or 8.
    pub digits: u8,
    /// Seconds, 1 to 120; for `totp` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<u16>,
}

/// A code for a volume.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unseal {
    /// The volume's UUID.
    pub volume: String,
    /// What was typed.
    pub code: SecretText,
    /// The code after it, where the device's clock or counter has run away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<SecretText>,
}
