//! Wrong answers: after five, the passphrase's turn has come.
//!
//! The count stands in the header beside the state, outside of its mark: a
//! wrong PIN opens no key that could mark it. It stops nobody who can write the
//! header or has a copy of it; Argon2id has to do that. It is for the prompt
//! that gives way, and for whoever has nothing but the keyboard.

use otp_core::UnixTime;
use serde::{Deserialize, Serialize};

/// So many wrong answers, and no more is judged.
pub const MAX_FAILURES: u32 = 5;
/// For so many seconds after the last wrong answer, unless the machine is
/// started anew before.
pub const ASIDE_SECONDS: u64 = 15 * 60;
/// The longest name of a boot.
const MAX_BOOT: usize = 64;

/// When an answer is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// By the clock of this machine, which may be wrong.
    pub now: UnixTime,
    /// It is no earlier than this, whatever the clock says; 0 where nothing is
    /// known but the header.
    pub floor: UnixTime,
    /// `/proc/sys/kernel/random/boot_id`, or nothing where it can't be read;
    /// then all boots are one.
    pub boot: String,
}

/// Wrong answers since the last right one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failures {
    /// Those that count against the limit.
    pub recent: u32,
    /// All of them, to be told at the next unlock.
    pub all: u32,
    /// When the last one was.
    pub at: UnixTime,
    /// In which boot.
    pub boot: String,
}

impl Failures {
    /// Those that count at this moment: of this boot, and not of long ago.
    #[must_use]
    pub fn recent(&self, moment: &Moment) -> u32 {
        let past = moment.now >= self.at.saturating_add(ASIDE_SECONDS);
        if past || moment.boot != self.boot { 0 } else { self.recent }
    }

    /// Whether no answer is judged at this moment.
    #[must_use]
    pub fn aside(&self, moment: &Moment) -> bool {
        self.recent(moment) >= MAX_FAILURES
    }

    /// One more.
    #[must_use]
    pub fn and_one(&self, moment: &Moment) -> Self {
        Self {
            recent: self.recent(moment).saturating_add(1),
            all: self.all.saturating_add(1),
            at: moment.now,
            boot: moment.boot.clone(),
        }
    }

    /// Whether the fields are such as [`Self::and_one`] makes.
    pub(crate) fn bounded(&self) -> bool {
        self.boot.len() <= MAX_BOOT && self.boot.bytes().all(|byte| byte.is_ascii_graphic())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(now: UnixTime, boot: &str) -> Moment {
        Moment { now, floor: 0, boot: boot.to_owned() }
    }

    #[test]
    fn five_in_one_boot_are_enough() {
        let mut failures = Failures::default();
        for _ in 0..MAX_FAILURES {
            assert!(!failures.aside(&moment(1000, "a")));
            failures = failures.and_one(&moment(1000, "a"));
        }
        assert!(failures.aside(&moment(1000, "a")));
        assert!(failures.aside(&moment(1, "a")), "setting the clock back does not help");
        assert!(failures.aside(&moment(1000 + ASIDE_SECONDS - 1, "a")));
        assert!(!failures.aside(&moment(1000 + ASIDE_SECONDS, "a")));
        assert!(!failures.aside(&moment(1000, "b")), "another boot");
        let again = failures.and_one(&moment(1000, "b"));
        assert_eq!((again.recent, again.all), (1, 6), "what is told counts on");
    }
}
