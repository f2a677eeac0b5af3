//! The token: one JSON object in the LUKS2 header.
//!
//! libcryptsetup keeps it, and may write its fields in another order. Whoever
//! can write the device can write it too, so nothing in it is trusted before
//! its mark is checked.

use std::fmt;

use otp_core::{Algorithm, Digits, Period};
use serde::{Deserialize, Serialize};

use crate::base64::Bytes;
use crate::code::MAX_SKEW;
use crate::failures::Failures;
use crate::sealing::Cost;

/// The token's type, by which cryptsetup finds the plugin.
pub const TYPE: &str = "oathgate";
/// The version that is written.
pub const VERSION: u32 = 1;
/// The longest token in bytes; a whole header has 12 KiB for JSON.
pub const MAX_TOKEN: usize = 4096;
/// Keyslots in a LUKS2 header.
const MAX_KEYSLOTS: usize = 32;

/// What stands between the answer and the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// The header itself: the key is sealed under the PIN, beside the state of the code.
    Header,
    /// The verifier's store: the key is there.
    Store,
}

/// Why a token can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenError {
    /// Another program's.
    Foreign,
    /// Written by a newer oathgate.
    Newer,
    /// Its gate is the store, which only the verifier opens.
    Store,
    /// Not what was written; the text says what is wrong, and quotes nothing.
    Damaged(String),
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("the token is not oathgate's"),
            Self::Newer => f.write_str("the token was written by a newer oathgate; install that one here"),
            Self::Store => f.write_str("the key of this token is in the verifier's store; use: oathgate luks open"),
            Self::Damaged(why) => {
                write!(f, "the token is damaged ({why}); open the disk with its recovery passphrase, then enrol again")
            }
        }
    }
}

impl std::error::Error for TokenError {}

/// A token whose gate is the header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    #[serde(rename = "type")]
    pub(crate) name: String,
    /// Numbers of the keyslots that its key opens, as libcryptsetup wants them.
    pub keyslots: Vec<String>,
    pub(crate) version: u32,
    pub(crate) gate: Gate,
    /// What kind of code is asked for.
    pub code: Code,
    /// How the PIN becomes a key.
    pub pin: Pin,
    /// The keyslot's key, the key of the mark, and the secret of the codes.
    pub(crate) sealed: Bytes,
    /// What was used up.
    pub state: State,
    /// The mark over all but the keyslots and the failures.
    pub(crate) mac: Bytes,
    /// Wrong answers.
    #[serde(default)]
    pub failures: Failures,
}

/// A token whose gate is the store: the verifier keeps the key, and remembers
/// what was used up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreToken {
    #[serde(rename = "type")]
    name: String,
    /// Numbers of the keyslots that the key opens, as libcryptsetup wants them.
    pub keyslots: Vec<String>,
    version: u32,
    gate: Gate,
    /// Wrong answers.
    #[serde(default)]
    pub failures: Failures,
}

impl StoreToken {
    /// One for this keyslot.
    #[must_use]
    pub fn new(keyslot: i32) -> Self {
        let (name, keyslots, failures) = (TYPE.to_owned(), vec![keyslot.to_string()], Failures::default());
        Self { name, keyslots, version: VERSION, gate: Gate::Store, failures }
    }

    /// Reads one that [`Token::parse`] calls [`TokenError::Store`].
    ///
    /// # Errors
    /// When it is damaged.
    pub fn parse(json: &str) -> Result<Self, TokenError> {
        let token: Self = read(json)?;
        check_keyslots(&token.keyslots).map_err(|why| TokenError::Damaged(why.to_owned()))?;
        if !token.failures.bounded() {
            return Err(TokenError::Damaged("its failures are no failures".to_owned()));
        }
        Ok(token)
    }

    /// The same for one keyslot more.
    #[must_use]
    pub fn and(mut self, keyslot: i32) -> Self {
        self.keyslots.push(keyslot.to_string());
        self
    }

    /// The same with these failures.
    #[must_use]
    pub fn with(&self, failures: Failures) -> Self {
        Self { failures, ..self.clone() }
    }

    /// Its JSON, always shorter than [`MAX_TOKEN`].
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings and numbers only: that can't fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn check_keyslots(keyslots: &[String]) -> Result<(), &'static str> {
    let slot = |text: &String| text.parse::<u8>().is_ok_and(|number| usize::from(number) < MAX_KEYSLOTS);
    if keyslots.len() > MAX_KEYSLOTS || !keyslots.iter().all(slot) {
        return Err("its keyslots are no numbers of keyslots");
    }
    Ok(())
}

/// What kind of code it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// Counted or timed.
    pub kind: Kind,
    /// `SHA1`, `SHA256` or `SHA512`.
    pub algorithm: String,
    /// 6 to 8.
    pub digits: u8,
    /// Seconds of a step; only where codes are timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<u16>,
}

/// Counted (RFC 4226) or timed (RFC 6238).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// RFC 4226.
    Hotp,
    /// RFC 6238.
    Totp,
}

/// A code's kind, checked.
pub(crate) struct Checked {
    pub algorithm: Algorithm,
    pub digits: Digits,
    /// None where codes are counted.
    pub period: Option<Period>,
}

/// Argon2id (RFC 9106) with one lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Its cost.
    pub cost: Cost,
    pub(crate) salt: Bytes,
}

/// What was used up. Nothing before `next` is accepted any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The next counter, or the step after the last accepted one.
    pub next: u64,
    /// Steps by which the device's clock is ahead of the machine's.
    #[serde(default)]
    pub skew: i32,
}

/// What every version has.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    name: String,
    version: u32,
    gate: Gate,
}

impl Token {
    /// Reads a token.
    ///
    /// # Errors
    /// When it can't be used; see [`TokenError`].
    pub fn parse(json: &str) -> Result<Self, TokenError> {
        if json.len() > MAX_TOKEN {
            return Err(TokenError::Damaged(format!("more than {MAX_TOKEN} bytes")));
        }
        let head: Head = read(json).map_err(|error| name(json).map_or(error, |name| versioned(json, &name)))?;
        match (head.name.as_str(), head.version, head.gate) {
            (TYPE, VERSION, Gate::Header) => {}
            (TYPE, VERSION, Gate::Store) => return Err(TokenError::Store),
            (TYPE, ..) => return Err(other_version(head.version)),
            _ => return Err(TokenError::Foreign),
        }
        let token: Self = read(json)?;
        token.check().map_err(|why| TokenError::Damaged(why.to_owned()))?;
        Ok(token)
    }

    /// Its JSON.
    ///
    /// # Errors
    /// When it would be longer than [`MAX_TOKEN`].
    pub fn to_json(&self) -> Result<String, TokenError> {
        let json = serde_json::to_string(self).map_err(|_| TokenError::Damaged("it can't be written".to_owned()))?;
        if json.len() > MAX_TOKEN {
            return Err(TokenError::Damaged(format!("more than {MAX_TOKEN} bytes")));
        }
        Ok(json)
    }

    pub(crate) fn new(code: Code, pin: Pin, sealed: Bytes, state: State) -> Self {
        let (name, keyslots, mac) = (TYPE.to_owned(), vec![], Bytes::default());
        let failures = Failures::default();
        Self { name, keyslots, version: VERSION, gate: Gate::Header, code, pin, sealed, state, mac, failures }
    }

    /// The text under the mark.
    pub(crate) fn marked(&self) -> Vec<u8> {
        let parts = (TYPE, self.version, self.gate, &self.code, &self.pin, &self.sealed, &self.state);
        // Strings and numbers only: that can't fail.
        serde_json::to_vec(&parts).unwrap_or_default()
    }

    fn check(&self) -> Result<(), &'static str> {
        self.code.checked()?;
        self.pin.cost.check()?;
        check_keyslots(&self.keyslots)?;
        if self.state.skew.unsigned_abs() > MAX_SKEW {
            return Err("its skew is out of range");
        }
        if !self.failures.bounded() {
            return Err("its failures are no failures");
        }
        Ok(())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.period) {
            (Kind::Totp, Some(period)) => write!(f, "TOTP, {period} s")?,
            (Kind::Totp, None) => f.write_str("TOTP")?,
            (Kind::Hotp, _) => f.write_str("HOTP")?,
        }
        write!(f, ", {}, {} digits", self.algorithm, self.digits)
    }
}

impl Code {
    pub(crate) fn checked(&self) -> Result<Checked, &'static str> {
        let out_of_range = |error: otp_core::otp::OutOfRange| error.0;
        let algorithm: Algorithm = self.algorithm.parse().map_err(out_of_range)?;
        let digits = Digits::new(self.digits).map_err(out_of_range)?;
        let period = match (self.kind, self.period) {
            (Kind::Hotp, None) => None,
            (Kind::Totp, Some(seconds)) => Some(Period::new(seconds).map_err(out_of_range)?),
            (Kind::Hotp, Some(_)) => return Err("counted codes have no period"),
            (Kind::Totp, None) => return Err("timed codes have a period"),
        };
        Ok(Checked { algorithm, digits, period })
    }
}

/// The keyslots that a token names, even one that can't be used otherwise.
#[must_use]
pub fn keyslots(json: &str) -> Vec<i32> {
    #[derive(Deserialize)]
    struct Named {
        keyslots: Vec<String>,
    }
    let named = read(json).map_or_else(|_| vec![], |named: Named| named.keyslots);
    named.iter().filter_map(|slot| slot.parse::<u8>().ok()).map(i32::from).collect()
}

/// serde's text names the field, and may quote what was read: nothing in a
/// token is secret, but what is shown stays short.
fn read<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, TokenError> {
    // serde would take an array for the fields in their order.
    if !json.trim_ascii_start().starts_with('{') {
        return Err(TokenError::Damaged("not a JSON object".to_owned()));
    }
    serde_json::from_str(json)
        .map_err(|error| TokenError::Damaged(format!("line {}, column {}", error.line(), error.column())))
}

/// The type of something that has no head of ours.
fn name(json: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(rename = "type")]
        name: String,
    }
    read(json).ok().map(|named: Named| named.name)
}

/// Why a head can't be read: a later version may have other gates.
fn versioned(json: &str, name: &str) -> TokenError {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    match read(json) {
        _ if name != TYPE => TokenError::Foreign,
        Ok(Versioned { version }) if version != VERSION => other_version(version),
        _ => TokenError::Damaged("a field is missing or of another kind".to_owned()),
    }
}

fn other_version(version: u32) -> TokenError {
    if version > VERSION { TokenError::Newer } else { TokenError::Damaged(format!("version {version}")) }
}
