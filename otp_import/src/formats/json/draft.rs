//! An entry while its fields are put together.

use otp_core::Secret;
use serde_json::Value;

use crate::entry::{Entry, Kind};
use crate::hash::Hash;

/// The text of a field, or empty.
pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The first of two texts that isn't empty.
pub(super) fn either<'a>(first: &'a str, second: &'a str) -> &'a str {
    if first.is_empty() { second } else { first }
}

/// A number, which some write as text; `None` where there is none.
///
/// # Errors
/// When it is something else, or negative.
pub(super) fn number(value: &Value, field: &str) -> Result<Option<u64>, String> {
    let bad = || format!("bad {}", field.to_lowercase());
    match value.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => number.as_u64().map(Some).ok_or_else(bad),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => text.parse().map(Some).map_err(|_| bad()),
        Some(_) => Err(bad()),
    }
}

/// A base32 secret.
pub(super) fn base32(value: &Value, field: &str) -> Result<Secret, String> {
    Secret::from_base32(text(value, field)).map_err(|error| error.to_string())
}

/// What most authenticators write, with their names for it.
pub(crate) struct Draft<'a> {
    pub issuer: &'a str,
    pub name: &'a str,
    pub kind: &'a str,
    pub secret: Secret,
    pub algorithm: &'a str,
    pub digits: Option<u64>,
    pub period: Option<u64>,
    pub counter: Option<u64>,
    /// Whether the code of that counter is on the screen, and may be used.
    pub shown: bool,
}

impl<'a> Draft<'a> {
    /// SHA-1, six digits, 30 seconds.
    pub fn new(kind: &'a str, secret: Secret) -> Self {
        Self {
            issuer: "",
            name: "",
            kind,
            secret,
            algorithm: "",
            digits: None,
            period: None,
            counter: None,
            shown: true,
        }
    }

    /// The entry.
    ///
    /// # Errors
    /// What of it is unknown or makes no sense.
    pub fn entry(self) -> Result<Entry, String> {
        let kind = self.kind()?;
        let digits = if matches!(kind, Kind::Steam { .. }) { 5 } else { self.digits.unwrap_or(6) };
        let digits = u8::try_from(digits).ok().filter(|digits| (1..=10).contains(digits)).ok_or("bad digits")?;
        let algorithm = match self.algorithm {
            "" => Hash::Sha1,
            name => name.parse().map_err(|_| "unknown algorithm")?,
        };
        let (issuer, name) = (self.issuer.to_owned(), self.name.to_owned());
        Ok(Entry { issuer, name, algorithm, digits, ..Entry::new(kind, self.secret) })
    }

    fn kind(&self) -> Result<Kind, String> {
        let period = u32::try_from(self.period.unwrap_or(30)).ok().filter(|period| *period > 0);
        let period = || period.ok_or("bad period");
        match self.kind.to_ascii_lowercase().as_str() {
            "totp" => Ok(Kind::Totp { period: period()? }),
            "steam" => Ok(Kind::Steam { period: period()? }),
            "hotp" => {
                let stored = self.counter.ok_or("no counter")?;
                let next = if self.shown { stored.checked_add(1) } else { Some(stored) };
                Ok(Kind::Hotp { stored, next: next.ok_or("the counter is at its end")? })
            }
            other if other.len() <= 16 && other.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                Err(format!("unsupported type {other}"))
            }
            _ => Err("unsupported type".to_owned()),
        }
    }
}
