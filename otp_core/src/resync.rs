//! Resynchronisation: two consecutive codes of a device whose clock or counter
//! has run away (RFC 4226 §7.4, RFC 6238 §6).

use crate::decide::{Accepted, Refusal, Shown, Verdict, at_door, candidates};
use crate::door::Limits;
use crate::record::{Credential, Factor, Record, State};
use crate::{Account, CredentialId, Input, UnixTime};

/// How many steps a device's clock may be off.
pub const TOTP_STEPS: u64 = 20;
/// How many codes a device may be ahead.
pub const HOTP_AHEAD: u64 = 100;

/// Two codes, one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Resync<'a> {
    /// The account.
    pub account: &'a Account,
    /// What was shown before.
    pub shown: Shown<'a>,
    /// The codes, the older one first.
    pub codes: [&'a Input; 2],
    /// Only this credential.
    pub only: Option<&'a CredentialId>,
    /// When a door is throttled or locked.
    pub limits: Limits,
}

/// Finds two unused consecutive codes near the present one. Both are spent, and
/// the device's next code is the one that is expected. Failures are counted as
/// those of a login are.
pub fn resync(mut record: Record, resync: &Resync<'_>, now: UnixTime) -> (Verdict, Record) {
    let Some(candidates) = candidates(&record, resync.account, resync.shown, resync.only, now) else {
        return (Verdict::Refuse(Refusal::NotEnrolled), record);
    };
    let verdict =
        at_door(&mut record, resync.account, &candidates.proof, resync.limits, now, |record, closed| {
            match (closed, resync.codes) {
                (Some(refusal), _) => Verdict::Refuse(refusal),
                (None, [Input::Digits(first), Input::Digits(second)]) => {
                    judge(record, &candidates.ids, [first, second], now)
                }
                (None, _) => Verdict::Refuse(Refusal::Malformed),
            }
        });
    (verdict, record)
}

fn judge(record: &mut Record, ids: &[CredentialId], codes: [&str; 2], now: UnixTime) -> Verdict {
    let mut verdict = Verdict::Refuse(Refusal::Wrong);
    for credential in record.credentials.iter_mut().filter(|c| c.state == State::Active && ids.contains(&c.id)) {
        if let (Some(factor), Verdict::Refuse(_)) = (credential.found(codes, now), &verdict) {
            credential.factor = factor;
            credential.last_used = Some(now);
            credential.confirmed.get_or_insert(now);
            verdict =
                Verdict::Accept(Accepted::Code { credential: credential.id.clone(), label: credential.label.clone() });
        }
    }
    verdict
}

impl Credential {
    /// Where the two codes lead to, if they follow each other and are unused.
    fn found(&self, typed: [&str; 2], now: UnixTime) -> Option<Factor> {
        let codes = self.codes();
        let pair = |factor: u64| codes.fit(typed, factor);
        match self.factor {
            Factor::Hotp { next } => {
                let counter = (next..=next.saturating_add(HOTP_AHEAD)).find(|counter| pair(*counter))?;
                counter.checked_add(2).map(|next| Factor::Hotp { next })
            }
            Factor::Totp { period, last_step, window, .. } => {
                let present = period.step(now);
                let unused = last_step.map_or(0, |last| last.saturating_add(1));
                let near = present.saturating_sub(TOTP_STEPS).max(unused)..=present.saturating_add(TOTP_STEPS);
                let barred = |step: u64| self.barred.is_some_and(|barred| barred.contain(step));
                let unused = |step: &u64| !barred(*step) && !barred(step.saturating_add(1)) && pair(*step);
                let shown = near.into_iter().find(unused)?.checked_add(1)?;
                // The second code is on the device's screen at this moment.
                let skew = i32::try_from(i128::from(shown) - i128::from(present)).ok()?;
                Some(Factor::Totp { period, last_step: Some(shown), skew, window })
            }
        }
    }
}
