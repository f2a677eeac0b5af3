//! Words for what is enrolled: what people's tools ask.

use serde::{Deserialize, Serialize};

use super::Login;
use crate::SecretText;

/// Which accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Only this account; root may leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Only this owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Only owners whose names come after this one. A listing holds at most
    /// [`PAGE`] owners; ask for the rest after the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// The most owners in one listing.
pub const PAGE: usize = 500;

/// A credential to enrol. The verifier makes the secret, unless one is given.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// The account it logs in to.
    pub account: String,
    /// The owner; the account's own name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The SSH key it belongs to; without one it counts where no key is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A note for the key: its comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The label; made from the account when left out.
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
    /// A secret that exists already, base32; at least 128 bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretText>,
    /// Make scratch codes, where the owner has none left.
    pub scratch: bool,
}

/// A credential, by id or by its owner's label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialName {
    /// The account from whose side it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Id or label.
    pub credential: String,
}

/// Another label for a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// The account from whose side it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Id or label.
    pub credential: String,
    /// The new label.
    pub label: String,
}

/// Two consecutive codes of a device that has run away.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resync {
    /// As for a login.
    pub login: Login,
    /// The codes, the older one first.
    pub codes: [SecretText; 2],
    /// Only this credential, by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// Two present codes of a device whose last accepted step lies in the future,
/// because the clock was wrong once.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetBack {
    /// The account from whose side the credential is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Id or label.
    pub credential: String,
    /// The codes, the older one first.
    pub codes: [SecretText; 2],
}

/// An account whose doors are opened again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unlock {
    /// The account.
    pub account: String,
    /// Only this key's door.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// An owner, named from the side of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnerName {
    /// The account.
    pub account: String,
    /// The owner; the account's own name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Scratch codes that exist already.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScratchAdd {
    /// The account.
    pub account: String,
    /// The owner; the account's own name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Eight digits or sixteen base32 characters each; 1 to 20.
    pub codes: Vec<SecretText>,
}

/// A key to let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyAdd {
    /// The account.
    pub account: String,
    /// `SHA256:…`.
    pub key: String,
    /// The owner; the account's own name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// A note for the key: its comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Credentials of the owner that count with this key, by id or label.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<String>,
}

/// What is asked for at a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPolicy {
    /// The account.
    pub account: String,
    /// `SHA256:…`.
    pub key: String,
    /// `code` or `none`.
    pub policy: String,
    /// With `none`: seconds since 1970 from when on a code is asked for again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// With `code`: for so many seconds after an accepted code, its address
    /// needs none; at most a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<u64>,
}

/// Logins with a key, from an address, that need no code for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyGrant {
    /// The account.
    pub account: String,
    /// `SHA256:…`.
    pub key: String,
    /// The address and for how many seconds, at most a day; none takes every
    /// grant of the key back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<GrantTo>,
}

/// For whom a grant is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantTo {
    /// The client's IP address.
    pub address: String,
    /// Seconds.
    pub seconds: u64,
}

/// A key of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyName {
    /// The account.
    pub account: String,
    /// `SHA256:…`.
    pub key: String,
}

/// Which audit rows, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditFilter {
    /// Only this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Only this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Only this verdict: `accept`, `refuse` or `change`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// Only since then, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// At most so many; 1 to 1000.
    pub limit: u32,
}
