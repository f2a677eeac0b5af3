//! A disk's code, judged as a login's is: by [`otp_core::decide()`] and
//! [`otp_core::resync`].

use otp_core::decide::{Shown, Terms};
use otp_core::name::NameError;
use otp_core::record::{Entry, Factor, Policy};
use otp_core::resync::{Resync, resync};
use otp_core::{
    Attempt, Credential, CredentialId, Input, Limits, Record, Refusal, Secret, UnixTime, Verdict, decide, otp, record,
};

use crate::answer::Codes;
use crate::token::{Checked, Code, State};

/// Steps before and after the present one whose codes are accepted.
const WINDOW: u8 = 1;
/// The largest skew that a token may hold, in steps; a resynchronisation finds less.
pub(crate) const MAX_SKEW: u32 = 100;
/// So many steps after the last accepted one are looked through for two codes
/// in a row: to hit such a pair by chance is as likely as to hit one code. With
/// steps of 30 s this is 347 days.
pub const FAR_STEPS: u64 = 1_000_000;
/// What stands for the account, the owner and the label in a disk's record.
const DISK: &str = "disk";

/// How codes stand to a disk.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// They count, and are used up in this state.
    New {
        /// The state to keep.
        state: State,
        /// How they were found.
        by: By,
    },
    /// They were used, or are older than one that was.
    Used {
        /// Seconds until the device shows a code that counts.
        next_in: Option<u64>,
    },
    /// They don't count.
    Wrong,
}

/// How codes were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Where they were expected.
    Window,
    /// Near there, by two in a row: the device is off by so many steps.
    Near(i64),
    /// Far from there, by two in a row: it is the machine's clock that is off,
    /// by so many seconds, and nothing is learned from it.
    Far(i64),
}

/// Judges codes of a disk.
///
/// # Errors
/// When `code` is none.
pub fn judge(
    code: &Code,
    state: State,
    secret: &Secret,
    codes: Codes<'_>,
    now: UnixTime,
) -> Result<Found, &'static str> {
    let checked = code.checked()?;
    let disk = Disk { checked: &checked, state, secret, now };
    match codes {
        Codes::One(typed) => disk.one(typed),
        Codes::Two(first, second) => disk.two([first, second]),
    }
}

/// Whether the machine's clock lies before the codes that are left in `state`.
#[must_use]
pub fn clock_is_behind(code: &Code, state: State, now: UnixTime) -> bool {
    code.checked().is_ok_and(|checked| factor(&checked, state).ahead(now).is_some())
}

/// The state with every code that was shown before `floor` used up as well; a
/// counter knows no time.
#[must_use]
pub fn no_earlier(code: &Code, state: State, floor: UnixTime) -> State {
    let period = code.checked().ok().and_then(|checked| checked.period);
    let first = period.map_or(0, |period| period.step(floor).saturating_add_signed(i64::from(state.skew)));
    State { next: state.next.max(first), ..state }
}

/// The state of a disk that is enrolled at this moment: what is older than the
/// present code never counts.
///
/// # Errors
/// When `code` is none.
pub fn first_state(code: &Code, now: UnixTime) -> Result<State, &'static str> {
    let next = code.checked()?.period.map_or(0, |period| period.step(now));
    Ok(State { next, skew: 0 })
}

fn factor(code: &Checked, state: State) -> Factor {
    match code.period {
        None => Factor::Hotp { next: state.next },
        Some(period) => Factor::Totp { period, last_step: state.next.checked_sub(1), skew: state.skew, window: WINDOW },
    }
}

/// The state that leads to this factor.
fn state(factor: Factor) -> Option<State> {
    match factor {
        Factor::Hotp { next } => Some(State { next, skew: 0 }),
        Factor::Totp { last_step, skew, .. } => Some(State { next: last_step?.checked_add(1)?, skew }),
    }
}

struct Disk<'a> {
    checked: &'a Checked,
    state: State,
    secret: &'a Secret,
    now: UnixTime,
}

impl Disk<'_> {
    fn one(&self, typed: &[u8]) -> Result<Found, &'static str> {
        let (name, id, input) = (DISK.parse().map_err(text)?, id(), Input::parse(typed));
        let shown = Shown::Fact { service: DISK, keys: &[] };
        let limits = Limits::Usual;
        let attempt = Attempt {
            account: &name,
            shown,
            input: &input,
            hashes: &[],
            only: Some(&id),
            limits,
            terms: Terms::default(),
        };
        let (verdict, record) = decide(self.record()?, &attempt, self.now);
        Ok(found(&verdict, &record, By::Window))
    }

    fn two(&self, typed: [&[u8]; 2]) -> Result<Found, &'static str> {
        let (name, inputs) = (DISK.parse().map_err(text)?, typed.map(Input::parse));
        let shown = Shown::Fact { service: DISK, keys: &[] };
        let codes = [&inputs[0], &inputs[1]];
        let wanted = Resync { account: &name, shown, codes, only: None, limits: Limits::Usual };
        let (verdict, record) = resync(self.record()?, &wanted, self.now);
        Ok(match found(&verdict, &record, By::Window) {
            Found::New { state, .. } => Found::New { state, by: By::Near(self.distance(state)) },
            _ => self.far(typed),
        })
    }

    /// The record of somebody who has nothing but this disk.
    fn record(&self) -> Result<Record, &'static str> {
        let mut record = Record::new(DISK.parse().map_err(text)?);
        let (algorithm, digits) = (self.checked.algorithm, self.checked.digits);
        record.credentials.push(Credential {
            id: id(),
            label: DISK.parse().map_err(text)?,
            display: None,
            algorithm,
            digits,
            secret: Secret::copy(self.secret.expose()).map_err(|_| "its secret is none")?,
            factor: factor(self.checked, self.state),
            created: 0,
            confirmed: Some(0),
            last_used: None,
            state: record::State::Active,
            barred: None,
        });
        let (account, credentials) = (DISK.parse().map_err(text)?, vec![id()]);
        record.entries.push(Entry { account, key: None, note: None, policy: Policy::Code, credentials, grant: None });
        Ok(record)
    }

    /// Two codes in a row among the steps after the last accepted one, where
    /// the clock is of no help.
    fn far(&self, [first, second]: [&[u8]; 2]) -> Found {
        let Some(period) = self.checked.period else { return Found::Wrong };
        let codes = otp::Codes::new(self.secret, self.checked.algorithm, self.checked.digits);
        let from = self.state.next;
        let mut steps = from..from.saturating_add(FAR_STEPS);
        let Some(shown) = steps.find(|step| codes.fits(first, *step) && codes.fits(second, step.saturating_add(1)))
        else {
            return Found::Wrong;
        };
        let Some(next) = shown.checked_add(2) else { return Found::Wrong };
        let steps = signed(next - 1).saturating_sub(signed(period.step(self.now)));
        let off = steps.saturating_mul(i64::from(period.get()));
        Found::New { state: State { next, skew: self.state.skew }, by: By::Far(off) }
    }

    /// Steps from where the code was expected to where it was.
    fn distance(&self, found: State) -> i64 {
        let used = signed(found.next.saturating_sub(1));
        match self.checked.period {
            None => used.saturating_sub(signed(self.state.next)),
            Some(period) => used.saturating_sub(signed(period.step(self.now))),
        }
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The id of the one credential in a disk's record.
fn id() -> CredentialId {
    CredentialId::from_random([0; 5])
}

/// Names of ours are names.
fn text(error: NameError) -> &'static str {
    error.0
}

fn found(verdict: &Verdict, record: &Record, by: By) -> Found {
    match verdict {
        Verdict::Accept(_) => record
            .credential(&id())
            .and_then(|credential| state(credential.factor))
            .map_or(Found::Wrong, |state| Found::New { state, by }),
        Verdict::Refuse(Refusal::Replayed { next_in }) => Found::Used { next_in: *next_in },
        Verdict::Refuse(_) => Found::Wrong,
    }
}
