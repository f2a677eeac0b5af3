//! What people are told. Who has proven a first factor is told why; everybody
//! else nothing: the program that asked says in the end that they are refused,
//! and a line of ours before that would tell that the code was it, and not the
//! password.

use otp_core::Refusal;
use otp_wire::message::Reason;

/// The reason on the wire.
#[must_use]
pub fn reason(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::NotEnrolled => Reason::NotEnrolled,
        Refusal::Malformed => Reason::Malformed,
        Refusal::Wrong => Reason::Wrong,
        Refusal::Replayed { .. } => Reason::Replayed,
        Refusal::Throttled { .. } => Reason::Throttled,
        Refusal::Locked => Reason::Locked,
    }
}

/// The line for somebody who has proven a first factor, with a key or without.
#[must_use]
pub fn told(refusal: Refusal, by_key: bool) -> String {
    match refusal {
        Refusal::NotEnrolled if by_key => "No code is enrolled for this key; ask your administrator.".to_owned(),
        Refusal::NotEnrolled => "No code is enrolled for this account; ask your administrator.".to_owned(),
        Refusal::Malformed => "That is not a code: 6 to 8 digits, or a scratch code of 16 characters.".to_owned(),
        Refusal::Wrong => "Wrong code.".to_owned(),
        Refusal::Replayed { next_in: Some(seconds) } => {
            format!("This code was already used; the next one comes in {seconds} s.")
        }
        Refusal::Replayed { next_in: None } => "This code was already used; take the next one.".to_owned(),
        Refusal::Throttled { wait } => format!("Too many tries; wait {wait} s."),
        Refusal::Locked => "Locked after too many tries; ask your administrator, or use a scratch code.".to_owned(),
    }
}

/// Text that somebody sent, fit for a row of the audit: at most 256
/// characters, control characters escaped.
#[must_use]
pub fn bounded(text: &str) -> String {
    let end = text.char_indices().nth(256).map_or(text.len(), |(end, _)| end);
    otp_wire::syslog::escape(text.get(..end).unwrap_or_default())
}
