//! The decision: one pure function from a record and an attempt to a verdict
//! and the record that is to be kept.
//!
//! Invariants, each a test: a step or a counter is accepted at most once; a
//! counter never goes back; a failure at one door changes no other door; what
//! is refused while throttled or as a replay changes nothing at all.

use subtle::ConstantTimeEq;

use crate::door::{self, Limits};
use crate::grant::{self, Origin};
use crate::matching::Match;
use crate::otp::{self, Algorithm, Digits, Period};
use crate::record::{Credential, Entry, Proof, Record, State};
use crate::scratch::{Salt, ScratchHash, ScratchKind};
pub use crate::terms::Terms;
use crate::{Account, CredentialId, Fingerprint, Input, Label, Secret, UnixTime};

/// What somebody has shown before the code, and who says so.
#[derive(Debug, Clone, Copy)]
pub enum Shown<'a> {
    /// Root vouches for it: these SSH keys, in the order sshd took them, or
    /// none, at this PAM service.
    Fact {
        /// The PAM service.
        service: &'a str,
        /// The keys.
        keys: &'a [Fingerprint],
    },
    /// A delegate comes for the account, without a key, at the service that the
    /// settings allow it. It always needs a code.
    Delegate {
        /// The PAM service.
        service: &'a str,
    },
    /// The account's own uid claims to have come by this key.
    Claim {
        /// The key.
        key: Option<Fingerprint>,
    },
    /// The account's own uid; any of the owner's credentials in the account counts.
    AnyEntry,
}

/// One try.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The account to get into.
    pub account: &'a Account,
    /// What was shown before.
    pub shown: Shown<'a>,
    /// What was typed.
    pub input: &'a Input,
    /// The input's hash under each salt that may be needed.
    pub hashes: &'a [(Salt, ScratchHash)],
    /// Only this credential counts (the first code after enrolment).
    pub only: Option<&'a CredentialId>,
    /// When a door is throttled or locked.
    pub limits: Limits,
    /// What the front end's configuration demands beside.
    pub terms: Terms,
}

/// The answer to "may they come in?".
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Yes; what was used is spent in the record that came along.
    Accept(Accepted),
    /// No.
    Refuse(Refusal),
}

/// What was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// A code.
    Code {
        /// Of this credential.
        credential: CredentialId,
        /// With this label.
        label: Label,
    },
    /// A scratch code.
    Scratch {
        /// So many are left.
        left: usize,
    },
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing is enrolled here: the account, the key, or an active credential is missing.
    NotEnrolled,
    /// Not a code at all; not counted as a failure.
    Malformed,
    /// Wrong; counted.
    Wrong,
    /// Right once, but used, or older than one that was used.
    Replayed {
        /// Seconds until the device shows a code that can be accepted.
        next_in: Option<u64>,
    },
    /// Too many failures lately.
    Throttled {
        /// Seconds until the next try is judged.
        wait: u64,
    },
    /// Too many failures in a row; an administrator must unlock.
    Locked,
}

/// The answer to "is a code needed?".
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// No: every key's policy is met without one.
    Pass,
    /// No: there is a grant for every key that asks for one.
    Granted,
    /// Yes, ask.
    Ask {
        /// The label of the credential, where it is the only one.
        label: Option<Label>,
        /// Only a scratch code is judged now, and why.
        closed: Option<Refusal>,
    },
    /// No code will be accepted.
    Refuse(Refusal),
}

/// Says whether a code is needed. Spends nothing and counts nothing.
pub fn admit(
    record: &Record,
    account: &Account,
    shown: Shown<'_>,
    origin: &Origin<'_>,
    limits: Limits,
    now: UnixTime,
) -> Admission {
    let Some(candidates) = Candidates::find(record, account, shown, now) else {
        return Admission::Refuse(Refusal::NotEnrolled);
    };
    if !candidates.asks {
        return Admission::Pass;
    }
    if grant::covers(record, account, &candidates.asking, origin) {
        return Admission::Granted;
    }
    let closed = door::closed(&record.doors, account, &candidates.proof, (limits, record.throttle), now);
    let active: Vec<&Credential> =
        candidates.ids.iter().filter_map(|id| record.credential(id)).filter(|c| c.state == State::Active).collect();
    match (active.as_slice(), closed) {
        (_, Some(refusal)) if record.scratch_left() == 0 => Admission::Refuse(refusal),
        ([], _) if record.scratch_left() == 0 => Admission::Refuse(Refusal::NotEnrolled),
        ([only], _) => Admission::Ask { label: Some(only.label.clone()), closed },
        _ => Admission::Ask { label: None, closed },
    }
}

/// Judges an attempt. The record that comes back is to be kept whatever the
/// verdict; an accepted code is spent in it.
pub fn decide(mut record: Record, attempt: &Attempt<'_>, now: UnixTime) -> (Verdict, Record) {
    record.end_policies(now);
    let Some(candidates) = candidates(&record, attempt.account, attempt.shown, attempt.only, now) else {
        return (decoy(attempt.input, now), record);
    };
    let (proof, ids) = (&candidates.proof, candidates.ids.as_slice());
    let verdict = at_door(&mut record, attempt.account, proof, attempt.limits, now, |record, closed| {
        judge(record, attempt, ids, closed, now)
    });
    (verdict, record)
}

/// Runs `judge` at a door: it is told why the door is shut, if it is. A success
/// resets the door, a failure that was judged is counted there.
pub(crate) fn at_door(
    record: &mut Record,
    account: &Account,
    proof: &Proof,
    limits: Limits,
    now: UnixTime,
    judge: impl FnOnce(&mut Record, Option<Refusal>) -> Verdict,
) -> Verdict {
    door::settle(record, limits, now);
    let closed = door::closed(&record.doors, account, proof, (limits, record.throttle), now);
    let verdict = judge(record, closed);
    match verdict {
        Verdict::Accept(_) => door::reset(record, account, proof, limits),
        Verdict::Refuse(Refusal::Wrong) if closed.is_none() => door::count(record, account, proof, now),
        Verdict::Refuse(_) => {}
    }
    verdict
}

fn judge(
    record: &mut Record,
    attempt: &Attempt<'_>,
    ids: &[CredentialId],
    closed: Option<Refusal>,
    now: UnixTime,
) -> Verdict {
    match (closed, attempt.input) {
        (_, Input::Malformed) => Verdict::Refuse(closed.unwrap_or(Refusal::Malformed)),
        // 80 bits can't be guessed, so such a code opens even a door that
        // somebody else's guessing has shut.
        (Some(refusal), Input::Scratch(_)) => judge_scratch(record, attempt, now).unwrap_or(Verdict::Refuse(refusal)),
        (Some(refusal), input @ Input::Digits(_)) => {
            let _ = decoy(input, now);
            Verdict::Refuse(refusal)
        }
        (None, _) => judge_scratch(record, attempt, now).unwrap_or_else(|| judge_code(record, attempt, ids, now)),
    }
}

/// The credentials that are asked, and the door at which they are.
pub(crate) struct Candidates {
    pub(crate) ids: Vec<CredentialId>,
    pub(crate) proof: Proof,
    asks: bool,
    /// The keys that ask for a code.
    asking: Vec<Fingerprint>,
}

/// Who may be asked for a code here; only `only`, if it is named.
pub(crate) fn candidates(
    record: &Record,
    account: &Account,
    shown: Shown<'_>,
    only: Option<&CredentialId>,
    now: UnixTime,
) -> Option<Candidates> {
    let mut found = Candidates::find(record, account, shown, now)?;
    found.ids.retain(|id| only.is_none_or(|only| id == only));
    Some(found)
}

impl Candidates {
    fn find(record: &Record, account: &Account, shown: Shown<'_>, now: UnixTime) -> Option<Self> {
        let one = |entry: &Entry, proof| {
            let (ids, asking) = (entry.credentials.clone(), vec![]);
            Self { ids, proof, asks: entry.policy.asks(now), asking }
        };
        // A policy of no code is root's word for root's own doors; here somebody
        // else says which way it is.
        let unbound = |entry: &Entry, proof| Self { asks: true, ..one(entry, proof) };
        match shown {
            Shown::Fact { service, keys: [] } => {
                record.entry(account, None).map(|entry| one(entry, Proof::Service(service.to_owned())))
            }
            Shown::Fact { keys, .. } => Self::of_keys(record, account, keys, now),
            Shown::Delegate { service } => {
                record.entry(account, None).map(|entry| unbound(entry, Proof::Service(service.to_owned())))
            }
            Shown::Claim { key } => {
                let found = match key.and_then(|key| Some((key, record.entry(account, Some(&key))?))) {
                    Some((key, entry)) => Some(one(entry, Proof::ClaimedKey(key))),
                    None => record.entry(account, None).map(|entry| unbound(entry, Proof::Uid)),
                };
                found.map(|found| Self { asking: key.into_iter().collect(), ..found })
            }
            Shown::AnyEntry => {
                let mut ids: Vec<CredentialId> = Vec::new();
                for id in record.entries.iter().filter(|e| &e.account == account).flat_map(|e| &e.credentials) {
                    if !ids.contains(id) {
                        ids.push(id.clone());
                    }
                }
                (!ids.is_empty()).then_some(Self { ids, proof: Proof::Uid, asks: true, asking: vec![] })
            }
        }
    }

    /// Several keys: each must be known, and a code must count at every one
    /// that asks for a code.
    fn of_keys(record: &Record, account: &Account, keys: &[Fingerprint], now: UnixTime) -> Option<Self> {
        let mut found: Option<Self> = None;
        let mut asking = Vec::new();
        for key in keys {
            let (entry, asks) = match record.entry(account, Some(key)) {
                Some(entry) => (entry, entry.policy.asks(now)),
                None => (record.entry(account, None)?, true),
            };
            asking.extend(asks.then_some(*key));
            match &mut found {
                Some(found) if found.asks && asks => found.ids.retain(|id| entry.credentials.contains(id)),
                Some(found) if found.asks || !asks => {}
                _ => {
                    let (ids, proof) = (entry.credentials.clone(), Proof::Key(*key));
                    found = Some(Self { ids, proof, asks, asking: vec![] });
                }
            }
        }
        found.map(|found| Self { asking, ..found })
    }
}

/// Judges the input as a scratch code. `None` when it may be a code instead, or
/// when only one credential counts, which a scratch code would not confirm.
fn judge_scratch(record: &mut Record, attempt: &Attempt<'_>, now: UnixTime) -> Option<Verdict> {
    if attempt.only.is_some() {
        return None;
    }
    let kind = match attempt.input {
        Input::Scratch(_) => ScratchKind::Base32,
        Input::Digits(digits) if digits.len() == 8 => ScratchKind::EightDigits,
        _ => return None,
    };
    let mut verdict = matches!(kind, ScratchKind::Base32).then_some(Verdict::Refuse(Refusal::Wrong));
    for set in record.scratch.iter_mut().filter(|set| set.kind == kind) {
        let Some((_, hash)) = attempt.hashes.iter().find(|(salt, _)| salt == &set.salt) else { continue };
        if let Some(index) = set.find(hash) {
            match &mut set.codes[index].used {
                Some(_) => verdict = Some(Verdict::Refuse(Refusal::Replayed { next_in: None })),
                used => {
                    *used = Some(now);
                    return Some(Verdict::Accept(Accepted::Scratch { left: record.scratch_left() }));
                }
            }
        }
    }
    verdict
}

/// Judges the input as a code of each candidate. All candidates are computed,
/// whichever fits.
fn judge_code(record: &mut Record, attempt: &Attempt<'_>, ids: &[CredentialId], now: UnixTime) -> Verdict {
    let (Input::Digits(typed), terms) = (attempt.input, &attempt.terms) else {
        return Verdict::Refuse(Refusal::Wrong);
    };
    let mut verdict = Verdict::Refuse(Refusal::Wrong);
    let mut asked = false;
    let active = |c: &&mut Credential| c.state == State::Active && ids.contains(&c.id) && terms.allow(c);
    for credential in record.credentials.iter_mut().filter(active) {
        asked = true;
        match (credential.matching(terms.part(typed, credential), terms.window, now), &verdict) {
            (Match::New(factor), Verdict::Refuse(_)) => {
                credential.factor = factor;
                credential.last_used = Some(now);
                credential.confirmed.get_or_insert(now);
                let (credential, label) = (credential.id.clone(), credential.label.clone());
                verdict = Verdict::Accept(Accepted::Code { credential, label });
            }
            (Match::Used { next_in }, Verdict::Refuse(Refusal::Wrong)) => {
                verdict = Verdict::Refuse(Refusal::Replayed { next_in });
            }
            _ => {}
        }
    }
    if !asked {
        let _ = decoy(attempt.input, now);
    }
    verdict
}

/// Refuses where there is no record to judge on, after the work that is done
/// for a credential, so that the time does not tell who is enrolled.
pub fn decoy(input: &Input, now: UnixTime) -> Verdict {
    if let (Input::Digits(typed), Ok(secret)) = (input, Secret::copy(&[0x55; 20])) {
        let centre = Period::DEFAULT.step(now);
        for step in centre.saturating_sub(1)..=centre.saturating_add(1) {
            let code = otp::code(&secret, Algorithm::Sha1, Digits::SIX, step);
            std::hint::black_box(bool::from(code.as_bytes().ct_eq(typed.as_bytes())));
        }
    }
    Verdict::Refuse(Refusal::NotEnrolled)
}
