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
    /// What the front end's configuration says beside.
    #[serde(default, skip_serializing_if = "Terms::is_none")]
    pub terms: Terms,
}

/// What a front end's configuration demands of a code, and what it spares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Only credentials whose codes have so many digits count, 6 to 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digits: Option<u8>,
    /// At most so many steps around the present one, or counters ahead, count;
    /// never more than the credential's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u8>,
    /// For so many seconds after a code, 1 to 86,400, a login from its address
    /// by this service needs none. From root only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<u32>,
    /// What was typed are the last digits, at most eight, of a password with the
    /// code behind it. [`Outcome::Accepted`](super::Outcome::Accepted) says how
    /// many were the code.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub behind_password: bool,
}

impl Terms {
    fn is_none(&self) -> bool {
        self == &Self::default()
    }
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
