//! The way through a gate: read, judge, write, and only then open.

use std::fmt;

use crate::code::{By, clock_is_behind, no_earlier};
use crate::failures::{ASIDE_SECONDS, Failures, MAX_FAILURES, Moment};
use crate::header_gate::{Judged, Opened, Reason, judge};
use crate::key::SlotKey;
use crate::store_gate::Unsealed;
use crate::token::{StoreToken, Token, TokenError};

/// A LUKS2 header that somebody has open.
pub trait Header {
    /// The JSON of the token.
    ///
    /// # Errors
    /// When there is none.
    fn token(&self) -> Result<String, HeaderError>;

    /// Writes the token, unless the header on the disk is another one than the
    /// one that was read (a compare-and-swap).
    ///
    /// # Errors
    /// When it is not on the disk for certain.
    fn replace(&self, json: &str) -> Result<(), HeaderError>;

    /// Asks the verifier for the key, for what was typed; none for whether it
    /// is there to be asked.
    fn unseal(&self, answer: Option<&[u8]>) -> Unsealed;

    /// Tells the person at the prompt one line; no secret and no code is in it.
    fn say(&self, line: &str);
}

/// Why a header can't be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderError;

/// Why there is no key; the person was told more.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Another answer may be right.
    Again,
    /// No answer will be: it is the passphrase's turn.
    Aside,
}

/// What a person is told.
struct Because<'a>(&'a Reason);

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Reason::Wrong => f.write_str(
                "Wrong PIN or code. Type the PIN, then the code, with nothing in between. If a clock is wrong: \
                 the PIN, then two codes in a row.",
            ),
            Reason::Used { next_in: Some(seconds) } => {
                write!(f, "This code is already used; the next one comes in {seconds} s.")
            }
            Reason::Used { next_in: None } => f.write_str("This code is already used; take the next one."),
            Reason::ClockBehind => f.write_str(CLOCK_BEHIND),
            Reason::Aside => write!(
                f,
                "{MAX_FAILURES} wrong answers: use a passphrase. Codes are taken again after a restart, or in {} minutes.",
                ASIDE_SECONDS / 60
            ),
            Reason::Changed => f.write_str(
                "The token's state is not what was written: somebody changed the header. Use the recovery passphrase, \
                 then enrol again.",
            ),
            Reason::Memory => f.write_str("There is not enough memory to check the PIN; use the recovery passphrase."),
        }
    }
}

const CLOCK_BEHIND: &str = "This machine's clock is behind the last unlock, or behind the making of its initramfs, so \
                            one code is not enough: type the PIN, then two codes in a row.";

/// Says whether an answer is worth asking for, and what there is to know before.
///
/// # Errors
/// When the passphrase's turn has come.
pub fn ready(header: &impl Header, moment: &Moment) -> Result<(), Refusal> {
    let token = match read(header)? {
        Ours::Header(token) => token,
        Ours::Store(token) => return store_ready(header, &token, moment),
    };
    if token.failures.aside(moment) {
        return Err(aside(header));
    }
    if clock_is_behind(&token.code, no_earlier(&token.code, token.state, moment.floor), moment.now) {
        header.say(CLOCK_BEHIND);
    }
    Ok(())
}

/// The key of the token's keyslot, for a right answer. By then the code is used
/// up in the header.
///
/// # Errors
/// When there is none for this answer, or the header can't be written.
pub fn unlock(header: &impl Header, answer: &[u8], moment: &Moment) -> Result<SlotKey, Refusal> {
    let token = match read(header)? {
        Ours::Header(token) => *token,
        Ours::Store(token) => return from_store(header, &token, answer, moment),
    };
    let (judged, new) = judge(&token, answer, moment);
    if new != token {
        write(header, &new)?;
    }
    match judged {
        Judged::Open(opened) => {
            greet(header, &opened);
            Ok(opened.key)
        }
        Judged::Refused(reason) => {
            header.say(&Because(&reason).to_string());
            Err(after(reason, &new, moment))
        }
    }
}

/// Whether one more answer may be right.
fn after(reason: Reason, token: &Token, moment: &Moment) -> Refusal {
    match reason {
        Reason::Aside | Reason::Changed | Reason::Memory => Refusal::Aside,
        // The answer after the last one that is judged is the passphrase's.
        _ if token.failures.aside(moment) => Refusal::Aside,
        Reason::Wrong | Reason::Used { .. } | Reason::ClockBehind => Refusal::Again,
    }
}

/// Which gate a token stands for.
enum Ours {
    Header(Box<Token>),
    Store(StoreToken),
}

fn read(header: &impl Header) -> Result<Ours, Refusal> {
    let Ok(json) = header.token() else {
        header.say("The token can't be read from the header.");
        return Err(Refusal::Aside);
    };
    let token = match Token::parse(&json) {
        Err(TokenError::Store) => StoreToken::parse(&json).map(Ours::Store),
        other => other.map(|token| Ours::Header(Box::new(token))),
    };
    token.map_err(|error: TokenError| {
        header.say(&format!("oathgate: {error}."));
        Refusal::Aside
    })
}

fn aside(header: &impl Header) -> Refusal {
    header.say(&Because(&Reason::Aside).to_string());
    Refusal::Aside
}

fn store_ready(header: &impl Header, token: &StoreToken, moment: &Moment) -> Result<(), Refusal> {
    if token.failures.aside(moment) {
        return Err(aside(header));
    }
    match header.unseal(None) {
        Unsealed::Unasked(why) => {
            header.say(&format!("oathgate: {why}."));
            Err(Refusal::Aside)
        }
        Unsealed::Key(_) | Unsealed::No(_) => Ok(()),
    }
}

/// The key that the verifier keeps. What is used up it remembers itself; only
/// the wrong answers are counted in the header, so that the prompt gives way.
fn from_store(header: &impl Header, token: &StoreToken, answer: &[u8], moment: &Moment) -> Result<SlotKey, Refusal> {
    if token.failures.aside(moment) {
        return Err(aside(header));
    }
    let count = |failures: Failures| header.replace(&token.with(failures).to_json());
    match header.unseal(Some(answer)) {
        Unsealed::Key(key) => {
            if token.failures.all > 0 {
                header.say(&format!("Wrong answers since the last unlock: {}.", token.failures.all));
                // A header that can't be written keeps its old count, and nothing else.
                let _ = count(Failures::default());
            }
            Ok(key)
        }
        Unsealed::No(line) => {
            header.say(&line);
            let failures = token.failures.and_one(moment);
            let last = failures.aside(moment);
            let counted = count(failures);
            Err(if last || counted.is_err() { Refusal::Aside } else { Refusal::Again })
        }
        Unsealed::Unasked(why) => {
            header.say(&format!("oathgate: {why}."));
            Err(Refusal::Aside)
        }
    }
}

fn write(header: &impl Header, token: &Token) -> Result<(), Refusal> {
    let written = token.to_json().map_err(|_| HeaderError).and_then(|json| header.replace(&json));
    written.map_err(|HeaderError| {
        header.say(
            "The header can't be written, so no code is accepted: the device is read-only, is being re-encrypted, or \
             somebody else just used a code. Try again, or use a passphrase.",
        );
        Refusal::Aside
    })
}

fn greet(header: &impl Header, opened: &Opened) {
    match opened.by {
        By::Window | By::Near(0) => {}
        By::Near(steps) => header.say(&format!("Resynchronised: the device is off by {steps} codes, and is followed.")),
        By::Far(seconds) => {
            let off = span(seconds.unsigned_abs());
            header.say(&format!("Resynchronised: this machine's clock is wrong by {off}; set it right."));
        }
    }
    if opened.failures > 0 {
        header.say(&format!("Wrong answers since the last unlock: {}.", opened.failures));
    }
}

/// A time for people, who set a clock by it.
fn span(seconds: u64) -> String {
    const DAY: u64 = 24 * 3600;
    match seconds / DAY {
        0 | 1 => format!("{} minutes", seconds / 60),
        days => format!("{days} days"),
    }
}
