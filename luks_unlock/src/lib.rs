//! Codes for encrypted disks: the token in a LUKS2 header, and the gate in
//! front of the key of its keyslot.
//!
//! Nearly everything here is pure: no header is read or written, no clock is
//! looked at; only [`store_gate`] asks the verifier, and [`ask`] people.
//! [`unlock()`] is the way through the header gate: it reads a token from a
//! [`Header`], judges the answer, has the new state written, and only then
//! gives the key away.

#![forbid(unsafe_code)]

pub mod answer;
pub mod ask;
mod base64;
pub mod code;
pub mod crypttab;
pub mod failures;
pub mod header_gate;
pub mod key;
pub mod order;
pub mod sealing;
pub mod store_gate;
pub mod token;
pub mod unlock;

pub use failures::{Failures, Moment};
pub use header_gate::{Enrolment, Judged, Reason, judge, seal};
pub use key::SlotKey;
pub use sealing::Cost;
pub use store_gate::Unsealed;
pub use token::{Gate, StoreToken, Token, TokenError};
pub use unlock::{Header, HeaderError, Refusal, ready, unlock};
