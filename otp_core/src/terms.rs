//! What a front end's configuration demands of a code.

use crate::otp::Digits;
use crate::record::Credential;

/// What a front end's configuration demands beside; less is accepted by it, never more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    /// Only credentials whose codes have so many digits count.
    pub digits: Option<Digits>,
    /// At most so many steps before and after the present one, or counters ahead, count.
    pub window: Option<u8>,
    /// What was typed stands behind a password that may end in digits too: of
    /// each credential's code as many digits count as it has.
    pub behind_password: bool,
}

impl Terms {
    /// Whether codes of the credential count at all.
    pub(crate) fn allow(&self, credential: &Credential) -> bool {
        self.digits.is_none_or(|digits| digits == credential.digits)
    }

    /// The part of `typed` that may be a code of the credential.
    pub(crate) fn part<'a>(&self, typed: &'a str, credential: &Credential) -> &'a str {
        let length = usize::from(credential.digits.get());
        let before = if self.behind_password { typed.len().saturating_sub(length) } else { 0 };
        typed.get(before..).unwrap_or_default()
    }
}
