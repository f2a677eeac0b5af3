//! Is this code right?
//!
//! Everything here is pure: no clock, no file, no environment, no unsafe. Time
//! is a parameter, a record comes in and a record goes out. Start reading at
//! [`decide()`].

#![forbid(unsafe_code)]

pub mod decide;
pub mod door;
pub mod grant;
pub mod input;
pub mod matching;
pub mod merge;
pub mod name;
pub mod otp;
pub mod record;
pub mod resync;
#[cfg(test)]
mod same_work;
pub mod scratch;
pub mod secret;
pub mod set_back;
pub mod ssh_key;
pub mod terms;
pub mod uri;

pub use decide::{Accepted, Admission, Attempt, Refusal, Verdict, admit, decide};
pub use door::Limits;
pub use input::Input;
pub use merge::merge;
pub use name::{Account, CredentialId, Label, Owner, Volume};
pub use otp::{Algorithm, Digits, Period};
pub use record::{Credential, Door, Entry, Factor, Policy, Proof, Record, State, Steps};
pub use secret::Secret;
pub use ssh_key::Fingerprint;
pub use terms::Terms;

/// Seconds since 1970-01-01T00:00:00Z, by the verifier's clock.
pub type UnixTime = u64;
