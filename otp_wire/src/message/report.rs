//! Words for what people's tools are told.

use serde::{Deserialize, Serialize};

use crate::SecretText;

/// A new credential, as its owner's device needs it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolled {
    /// The account, as the system spells it.
    pub account: String,
    /// The owner.
    pub owner: String,
    /// The credential's id.
    pub credential: String,
    /// Its label.
    pub label: String,
    /// What to call the host in an authenticator.
    pub issuer: String,
    /// `totp` or `hotp`.
    pub kind: String,
    /// `SHA1`, `SHA256` or `SHA512`.
    pub algorithm: String,
    /// Digits of a code.
    pub digits: u8,
    /// Seconds; for `totp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<u16>,
    /// The next counter; for `hotp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counter: Option<u64>,
    /// The secret, base32.
    pub secret: SecretText,
    /// New scratch codes, in groups of four; none where the owner has some.
    pub scratch: Vec<SecretText>,
}

/// One owner in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnerRow {
    /// The owner.
    pub owner: String,
    /// The owner's credentials.
    pub credentials: Vec<CredentialRow>,
    /// Where the owner may log in.
    pub entries: Vec<EntryRow>,
    /// Scratch codes that are unused.
    pub scratch_left: usize,
    /// Scratch codes that were made.
    pub scratch_made: usize,
    /// Doors with failures behind them.
    pub doors: Vec<DoorRow>,
}

/// One credential in a listing; no secret in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialRow {
    /// Its id.
    pub id: String,
    /// Its label.
    pub label: String,
    /// `totp` or `hotp`.
    pub kind: String,
    /// `SHA1`, `SHA256` or `SHA512`.
    pub algorithm: String,
    /// Digits of a code.
    pub digits: u8,
    /// Seconds; for `totp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<u16>,
    /// Length of the secret.
    pub bits: usize,
    /// Seconds since 1970.
    pub created: u64,
    /// When its first code was accepted, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<u64>,
    /// When its last code was accepted, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<u64>,
    /// `active`, `disabled` or `revoked`.
    pub state: String,
    /// Seconds until its codes count: the last accepted one was of a time that
    /// lies in the future. Only two present codes set that back sooner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<u64>,
}

/// One way in, in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryRow {
    /// The account.
    pub account: String,
    /// The key, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The key's note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// `code` or `none`.
    pub policy: String,
    /// Until when `none` holds, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// The ids of the credentials that count here.
    pub credentials: Vec<String>,
    /// For so many seconds after an accepted code its address needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<u64>,
    /// Logins that need no code at present.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<GrantRow>,
}

/// One grant in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantRow {
    /// The address, if it is for one; otherwise it is for a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The PAM service, where it is the grace of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Seconds that are left.
    pub left: u64,
}

/// One door in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorRow {
    /// The account.
    pub account: String,
    /// The proof: `key SHA256:…`, `service NAME`, `claimed-key SHA256:…` or `uid`.
    pub proof: String,
    /// Failures in a row.
    pub failures: u32,
    /// `open`, `throttled` or `locked`.
    pub state: String,
}

/// How the verifier is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusReport {
    /// The program's version.
    pub version: String,
    /// The verifier's clock, in seconds since 1970.
    pub time: u64,
    /// What the peer is to the verifier: `root`, `owner` or `account`.
    pub peer: String,
    /// How the store is: for whom it belongs to, and no `account`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreReport>,
}

/// How the store is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreReport {
    /// Where it is.
    pub path: String,
    /// The version of its schema.
    pub schema: u32,
    /// Its size in bytes.
    pub bytes: u64,
    /// Owners in it.
    pub owners: u64,
    /// Ways in.
    pub entries: u64,
    /// Audit rows.
    pub audit: u64,
    /// Doors that are locked.
    pub locked: u64,
    /// Credentials whose last accepted step lies in the future.
    pub ahead: u64,
    /// The number of the sealing key in use.
    pub sealing_key: u32,
    /// Records that still need an older sealing key; each is sealed anew when it is next written.
    pub older_key: u64,
    /// Bytes that are kept free for logins on a full disk.
    pub reserve: u64,
}

/// One audit row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRow {
    /// Its number; later ones are larger.
    pub id: i64,
    /// Seconds since 1970.
    pub at: u64,
    /// `accept`, `refuse` or `change`.
    pub verdict: String,
    /// What was accepted, why it was refused, or what was changed.
    pub reason: String,
    /// The account.
    pub account: String,
    /// The owner, if one was found.
    pub owner: String,
    /// The service.
    pub service: String,
    /// The key.
    pub key: String,
    /// The address somebody came from.
    pub address: String,
    /// The terminal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tty: String,
    /// The uid that asked.
    pub peer: u32,
    /// Whether service, key, address and terminal are claims of that uid.
    pub claimed: bool,
    /// How often: refusals that are alike in all but their time are one row a minute.
    pub count: u64,
    /// The last of them, in seconds since 1970, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}
