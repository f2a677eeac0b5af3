//! Setting back a last step that lies in the future.
//!
//! A code that was accepted while the clock was ahead shuts out every code
//! until that time comes: what is older than an accepted code is never accepted.
//! Two present codes set the step back. The codes of the time that was wrong
//! stay used up, for the day when it comes.

use crate::record::{Credential, Factor, State, Steps};
use crate::resync::TOTP_STEPS;
use crate::{Input, UnixTime};

/// What is needed to set a credential's last step back.
#[derive(Debug, Clone, Copy)]
pub struct SetBack<'a> {
    /// Two codes in a row, the older one first.
    pub codes: [&'a Input; 2],
    /// When, up to now, a code of it was last accepted.
    pub used: Option<UnixTime>,
    /// The earliest time after now at which a code of it was accepted.
    pub ahead: Option<UnixTime>,
}

/// Why a last step was not set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSetBack {
    /// It isn't an active TOTP credential whose last step lies in the future.
    NotAhead,
    /// The codes are not two unused ones in a row, near the present step.
    Wrong,
}

/// Sets the last step back to that of the second code, which is used up by it.
///
/// # Errors
/// [`NotSetBack`]; then the credential is as it was.
pub fn set_back(credential: &mut Credential, ask: &SetBack<'_>, now: UnixTime) -> Result<(), NotSetBack> {
    let Factor::Totp { period, last_step: Some(last), skew, window } = credential.factor else {
        return Err(NotSetBack::NotAhead);
    };
    if credential.factor.ahead(now).is_none() || credential.state != State::Active {
        return Err(NotSetBack::NotAhead);
    }
    let [Input::Digits(first), Input::Digits(second)] = ask.codes else { return Err(NotSetBack::Wrong) };
    // A code accepted at some time was at most `reach` steps away from it.
    let reach = u64::from(window).saturating_add(u64::from(skew.unsigned_abs()));
    let present = period.step(now);
    let unused = ask.used.map_or(0, |used| period.step(used).saturating_add(reach).saturating_add(1));
    let from = ask.ahead.map_or(last, |ahead| period.step(ahead).saturating_sub(reach));
    let barred = Steps::span(credential.barred, Some(Steps { from: from.min(last), to: last }));
    let free = |step: u64| !barred.is_some_and(|barred| barred.contain(step));
    let near = present.saturating_sub(TOTP_STEPS).max(unused)..=present.saturating_add(TOTP_STEPS);
    let mut pairs = near.map(|step| (step, step.saturating_add(1)));
    let codes = credential.codes();
    let fits = |(one, two): &(u64, u64)| free(*one) && free(*two) && codes.fit([first, second], *one);
    let (_, step) = pairs.find(fits).ok_or(NotSetBack::Wrong)?;
    credential.barred = barred;
    credential.factor = Factor::Totp { period, last_step: Some(step), skew, window };
    credential.last_used = Some(now);
    Ok(())
}
