//! Does a typed code belong to a credential, and may it still be used?

use crate::UnixTime;
use crate::otp::Codes;
use crate::record::{Credential, Factor};

/// How far ahead of the expected counter a code may be (RFC 4226 §7.4 s).
pub const LOOK_AHEAD: u64 = 10;

/// How a typed code stands to a credential.
pub(crate) enum Match {
    /// No code of it.
    None,
    /// A code that was used, or is older than one that was.
    Used { next_in: Option<u64> },
    /// An unused code; accepting it leads to this factor.
    New(Factor),
}

impl Credential {
    /// Its codes.
    pub(crate) fn codes(&self) -> Codes {
        Codes::new(&self.secret, self.algorithm, self.digits)
    }

    /// Compares `typed` with every code that counts at `now`, whichever fits;
    /// no further than `narrowed` from the expected one, where that is given.
    pub(crate) fn matching(&self, typed: &str, narrowed: Option<u8>, now: UnixTime) -> Match {
        let codes = self.codes();
        let fits = |factor: u64| codes.fits(typed.as_bytes(), factor);
        // What is too far is computed all the same: the time tells nothing.
        let near = |distance: u64| narrowed.is_none_or(|most| distance <= most.into());
        match self.factor {
            Factor::Hotp { next } => {
                let mut found = Match::None;
                if next.checked_sub(1).is_some_and(fits) {
                    found = Match::Used { next_in: None };
                }
                for counter in next..=next.saturating_add(LOOK_AHEAD) {
                    // The last counter of all is never accepted: nothing could follow it.
                    if fits(counter) && near(counter - next) && counter < u64::MAX && !matches!(found, Match::New(_)) {
                        found = Match::New(Factor::Hotp { next: counter + 1 });
                    }
                }
                found
            }
            Factor::Totp { period, last_step, skew, window } => {
                let centre = period.step(now).saturating_add_signed(i64::from(skew));
                let window_steps = u64::from(window);
                let mut found = Match::None;
                for step in centre.saturating_sub(window_steps)..=centre.saturating_add(window_steps) {
                    match (fits(step), last_step) {
                        (true, Some(last)) if step <= last => {
                            let shown_at = last.saturating_add(1).saturating_add_signed(-i64::from(skew));
                            let next = shown_at.saturating_mul(u64::from(period.get()));
                            found = Match::Used { next_in: Some(next.saturating_sub(now).max(1)) };
                        }
                        (true, _) if self.barred.is_some_and(|barred| barred.contain(step)) => {
                            found = Match::Used { next_in: None };
                        }
                        (true, _) if near(step.abs_diff(centre)) && !matches!(found, Match::New(_)) => {
                            found = Match::New(Factor::Totp { period, last_step: Some(step), skew, window });
                        }
                        _ => {}
                    }
                }
                found
            }
        }
    }
}
