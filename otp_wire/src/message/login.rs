//! Words for logins: what front ends say.

use serde::{Deserialize, Serialize};

use crate::SecretText;

/// Somebody who wants in. From root these are facts, from others claims.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The account.
    pub account: String,
    /// The SSH keys that were used, `SHA256:…`, in sshd's order; at most [`MAX_KEYS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// The PAM service, or `ssh-otp`.
    pub service: String,
    /// The address somebody comes from (PAM_RHOST, SSH_CONNECTION).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The SSH connection somebody comes by, under a name that never comes
    /// again before the next boot; only from `ssh-otp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// The terminal (PAM_TTY).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
}

/// At most so many keys in one login: sshd's own limit of methods is lower.
pub const MAX_KEYS: usize = 8;

/// A login with a code.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// The login.
    pub login: Login,
    /// What was typed.
    pub code: SecretText,
    /// Only this credential counts: the first code after enrolment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}
