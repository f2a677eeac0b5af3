//! How a call ends, and what PAM is told then.

use std::fmt;

use pam::constants::PamResultCode;

/// How a call ends.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// No code was needed: the policy of the key, or a grant.
    Passed(String),
    /// The code was right, and is spent.
    Accepted(String),
    /// Nothing was ever enrolled here, and `nullok` was given.
    NotOurs(String),
    /// No.
    Refused(String),
    /// No, and the program that asks has asked three times.
    LastTry(String),
    /// Nobody could decide, so: no.
    Undecided(String),
}

impl End {
    /// What PAM is told.
    #[must_use]
    pub fn code(&self) -> PamResultCode {
        match self {
            Self::Passed(_) | Self::Accepted(_) => PamResultCode::PAM_SUCCESS,
            Self::NotOurs(_) => PamResultCode::PAM_IGNORE,
            Self::Refused(_) => PamResultCode::PAM_AUTH_ERR,
            Self::LastTry(_) => PamResultCode::PAM_MAXTRIES,
            Self::Undecided(_) => PamResultCode::PAM_AUTHINFO_UNAVAIL,
        }
    }
}

/// What the log is told.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, text, behind) = match self {
            Self::Passed(account) => ("", account, ": let in without a code, by the policy of the key or a grant"),
            Self::Accepted(text) => ("", text, ""),
            Self::NotOurs(account) => ("", account, ": nothing enrolled, left to other modules (nullok)"),
            Self::Refused(why) | Self::LastTry(why) => ("refused: ", why, ""),
            Self::Undecided(why) => ("refused, could not decide: ", why, ""),
        };
        f.write_str(before)?;
        f.write_str(text)?;
        f.write_str(behind)
    }
}
