//! The header gate: the key is sealed under the PIN, and the state of the code
//! stands beside it under a mark.
//!
//! Against a thief of the disk only the PIN counts: whoever copies the header
//! can guess at it for as long as they like, and needs no code once it is
//! found. The code stops whoever saw or heard the PIN but has no copy.

use otp_core::Secret;

use crate::answer::{Codes, parts};
use crate::code::{By, Found, clock_is_behind, no_earlier};
use crate::failures::Moment;
use crate::key::SlotKey;
use crate::sealing::{self, Contents, Cost, Error, StateKey};
use crate::token::{Code, Pin, State, Token};
use crate::{Failures, code};

/// What becomes of an answer.
#[must_use]
#[derive(Debug)]
pub enum Judged {
    /// It is right. The key may be given away once the new token is in the header.
    Open(Opened),
    /// It is not; the new token counts it, where it counts.
    Refused(Reason),
}

/// What a right answer opens.
#[derive(Debug)]
pub struct Opened {
    /// The keyslot's key.
    pub key: SlotKey,
    /// How the code was found.
    pub by: By,
    /// Wrong answers since the last right one.
    pub failures: u32,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Another PIN, another code, or neither.
    Wrong,
    /// The PIN is right, and the code was right once.
    Used {
        /// Seconds until the device shows a code that counts.
        next_in: Option<u64>,
    },
    /// The PIN is right, but by the clock no code of now can be: only two in a row count.
    ClockBehind,
    /// Too many wrong answers; this one was not judged.
    Aside,
    /// The PIN is right, but somebody changed the token.
    Changed,
    /// There is no memory for Argon2id; not counted.
    Memory,
}

/// What is to be sealed.
pub struct Enrolment<'a> {
    /// What the person will type before the code.
    pub pin: &'a [u8],
    /// What kind of code.
    pub code: Code,
    /// The first state that counts.
    pub state: State,
    /// The secret of the codes.
    pub secret: Secret,
    /// The keyslot's key.
    pub slot_key: SlotKey,
    /// What it costs to guess at the PIN.
    pub cost: Cost,
}

/// Makes a token, with no keyslot yet.
///
/// # Errors
/// When there is no memory or there are no random numbers.
pub fn seal(enrolment: Enrolment<'_>) -> Result<Token, Error> {
    let pin = Pin::new(enrolment.cost)?;
    let contents = Contents { slot_key: enrolment.slot_key, state_key: StateKey::random()?, secret: enrolment.secret };
    let sealed = sealing::seal(&pin, enrolment.pin, &contents)?;
    marked(Token::new(enrolment.code, pin, sealed, enrolment.state), &contents.state_key).ok_or(Error::Shut)
}

/// Judges an answer. The token that comes back is to be written whatever came
/// of it, before anything is given away; the same token needs no writing.
pub fn judge(token: &Token, answer: &[u8], moment: &Moment) -> (Judged, Token) {
    if token.failures.aside(moment) {
        return refused(token, Reason::Aside);
    }
    match opened(token, answer) {
        Ok((contents, codes)) => judge_codes(token, contents, codes, moment),
        Err(Error::Shut) => counted(token, Reason::Wrong, moment),
        Err(Error::Memory | Error::Random) => refused(token, Reason::Memory),
    }
}

/// What the answer's PIN opens, and the codes behind it.
fn opened<'a>(token: &Token, answer: &'a [u8]) -> Result<(Contents, Codes<'a>), Error> {
    for parts in parts(answer, usize::from(token.code.digits)) {
        match sealing::open(&token.pin, parts.pin, &token.sealed) {
            Err(Error::Shut) => {}
            opened => return opened.map(|contents| (contents, parts.codes)),
        }
    }
    Err(Error::Shut)
}

fn judge_codes(token: &Token, contents: Contents, codes: Codes<'_>, moment: &Moment) -> (Judged, Token) {
    if !contents.state_key.holds(&token.marked(), &token.mac.0) {
        return counted(token, Reason::Changed, moment);
    }
    let state = no_earlier(&token.code, token.state, moment.floor);
    match code::judge(&token.code, state, &contents.secret, codes, moment.now) {
        Ok(Found::New { state, by }) => {
            let failures = token.failures.all;
            let burned = Token { state, failures: Failures::default(), ..token.clone() };
            match marked(burned, &contents.state_key) {
                Some(burned) => (Judged::Open(Opened { key: contents.slot_key, by, failures }), burned),
                None => refused(token, Reason::Changed),
            }
        }
        Ok(Found::Wrong | Found::Used { .. }) if clock_is_behind(&token.code, state, moment.now) => {
            counted(token, Reason::ClockBehind, moment)
        }
        Ok(Found::Used { next_in }) => counted(token, Reason::Used { next_in }, moment),
        Ok(Found::Wrong) => counted(token, Reason::Wrong, moment),
        Err(_) => counted(token, Reason::Changed, moment),
    }
}

fn marked(token: Token, key: &StateKey) -> Option<Token> {
    let mut token = token;
    token.mac.0 = key.mark(&token.marked())?;
    Some(token)
}

fn counted(token: &Token, reason: Reason, moment: &Moment) -> (Judged, Token) {
    let failures = token.failures.and_one(moment);
    (Judged::Refused(reason), Token { failures, ..token.clone() })
}

fn refused(token: &Token, reason: Reason) -> (Judged, Token) {
    (Judged::Refused(reason), token.clone())
}
