//! Exports that are locked with a password: each opens to a text or a file
//! that [`crate::FORMATS`] read.

mod aegis;
mod andotp;
mod archive;
pub(crate) mod authy;
mod bitwarden;
mod cipher;
mod ente;
mod free_otp;
mod kdbx;
mod kdbx_header;
mod kdbx_values;
mod kdf;
mod proton;
pub(crate) mod pskc;
mod sqlcipher;
mod stratum;
mod totp_authenticator;
mod two_fas;

use std::fmt;

use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::{Error, Source};

/// Every kind of locked export.
pub const LOCKED: &[&dyn Locked] = &[
    &aegis::Aegis,
    &andotp::AndOtp,
    &archive::Archive,
    &bitwarden::Bitwarden,
    &ente::Ente,
    &free_otp::FreeOtp,
    &kdbx::Kdbx,
    &proton::Proton,
    &stratum::Strong,
    &stratum::Legacy,
    &two_fas::TwoFas,
];

/// What a locked export opens to.
pub type Plain = Zeroizing<Vec<u8>>;

/// A kind of export that is locked.
pub trait Locked: Sync {
    /// Its short name, as in JSON and `--formats`.
    fn name(&self) -> &'static str;

    /// What writes it, for people.
    fn title(&self) -> &'static str;

    /// Whether `source` looks like it. Cheap, and never wrong about another format.
    fn recognises(&self, source: &Source) -> bool;

    /// Whether it opens with a password only.
    fn needs_password(&self, _source: &Source) -> bool {
        true
    }

    /// Opens it.
    ///
    /// # Errors
    /// When the password is another one, or the file is broken.
    fn open(&self, source: &Source, password: &[u8]) -> Result<Plain, Fault>;
}

/// Why an export can't be opened.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// Another password, or what it locks was changed: no cipher tells one from the other.
    Password,
    /// It is not what such a program writes: where.
    Form(&'static str),
    /// Its key would take more memory or time than there is.
    Costly,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password => f.write_str("the password is wrong, or the file is damaged"),
            Self::Form(what) => write!(f, "it is encrypted in a form that is not known: {what}"),
            Self::Costly => write!(f, "its key takes more than {} MB of memory, or too long", kdf::MEMORY >> 20),
        }
    }
}

/// Opens `source` where it is locked; `None` where it isn't.
///
/// # Errors
/// When it can't be opened, [`Error::locked`] where only the password is missing.
pub(crate) fn open(source: &Source) -> Result<Option<(&'static str, Plain)>, Error> {
    let Some(kind) = LOCKED.iter().find(|kind| kind.recognises(source)) else { return Ok(None) };
    if source.password.is_none() && kind.needs_password(source) {
        return Err(source.error(format!("encrypted with a password ({})", kind.name())).locked());
    }
    let password = source.password.unwrap_or_default();
    match kind.open(source, password) {
        Ok(plain) => Ok(Some((kind.name(), plain))),
        Err(fault @ Fault::Password) => Err(source.error(fault)),
        Err(fault) => Err(source.error(fault).hint("export it without a password, and delete that file afterwards")),
    }
}

/// Opens what nothing tells but its content.
pub(crate) fn open_unmarked(source: &Source) -> Option<(&'static str, Plain)> {
    if let Some(plain) = totp_authenticator::open(source.bytes, source.password) {
        return Some(("totp-authenticator", plain));
    }
    let password = source.password?;
    let old = || Some(("andotp-encrypted-old", andotp::open_old(source.bytes, password)?));
    old().or_else(|| Some(("authenticator-plus-db", sqlcipher::open(source.bytes, password)?)))
}

/// Whether `source` is JSON with all these words in it.
fn has_words(source: &Source, words: &[&str]) -> bool {
    let has = |word: &&str| {
        let word = format!("\"{word}\"");
        source.bytes.windows(word.len()).any(|window| window == word.as_bytes())
    };
    source.bytes.trim_ascii_start().starts_with(b"{") && words.iter().all(has)
}

/// The part of a JSON document that the key needs; it holds no secret.
fn document<T: DeserializeOwned>(source: &Source) -> Result<T, Fault> {
    serde_json::from_slice(source.bytes).map_err(|_| Fault::Form("its fields"))
}

/// Takes the next bytes, of which there must be so many.
fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], Fault> {
    let (first, rest) = bytes.split_at_checked(count).ok_or(Fault::Form("it is too short"))?;
    *bytes = rest;
    Ok(first)
}

fn base64(text: &str) -> Result<Vec<u8>, Fault> {
    use base64ct::{Base64, Encoding};
    Base64::decode_vec(text).map_err(|_| Fault::Form("its base64"))
}

fn hex(text: &str) -> Result<Vec<u8>, Fault> {
    crate::formats::hex::bytes(text).ok_or(Fault::Form("its hexadecimal digits"))
}
