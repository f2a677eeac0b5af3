//! Scratch codes in a record. The salt of eight digits is a key, so it is sealed,
//! anew whenever the record is written.

use base64ct::{Base64, Encoding};
use otp_core::scratch::{HashedCode, Salt, ScratchHash, ScratchKind, ScratchSet};
use otp_core::{Owner, Secret, UnixTime};
use serde::{Deserialize, Serialize};

use super::{UNREADABLE, all, bytes};
use crate::sealing::{Belongs, Sealed, What};
use crate::{Error, SealingKeys};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredSet {
    kind: StoredKind,
    salt: String,
    /// The number of the key that the salt is sealed with, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealing_key: Option<u32>,
    created: UnixTime,
    codes: Vec<StoredCode>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredKind {
    Base32,
    EightDigits,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredCode {
    hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used: Option<UnixTime>,
}

pub(super) fn store(owner: &Owner, set: &ScratchSet, keys: &SealingKeys) -> Result<StoredSet, Error> {
    let (kind, salt, sealing_key) = match set.kind {
        ScratchKind::Base32 => (StoredKind::Base32, set.salt.0.to_vec(), None),
        ScratchKind::EightDigits => {
            let sealed = seal(owner, &set.salt, keys)?;
            (StoredKind::EightDigits, sealed.bytes, Some(sealed.key))
        }
    };
    let code = |code: &HashedCode| StoredCode { hash: Base64::encode_string(&code.hash.0), used: code.used };
    let (salt, codes) = (Base64::encode_string(&salt), set.codes.iter().map(code).collect());
    Ok(StoredSet { kind, salt, sealing_key, created: set.created, codes })
}

pub(super) fn load(owner: &Owner, stored: StoredSet, keys: &SealingKeys) -> Result<ScratchSet, Error> {
    let (kind, salt) = match (stored.kind, stored.sealing_key) {
        (StoredKind::Base32, None) => (ScratchKind::Base32, Salt(bytes(&stored.salt)?)),
        (StoredKind::EightDigits, Some(key)) => (ScratchKind::EightDigits, open(owner, key, &stored.salt, keys)?),
        _ => return Err(UNREADABLE),
    };
    let code = |code: StoredCode| Ok(HashedCode { hash: ScratchHash(bytes(&code.hash)?), used: code.used });
    Ok(ScratchSet { kind, salt, created: stored.created, codes: all(stored.codes, code)? })
}

fn seal(owner: &Owner, salt: &Salt, keys: &SealingKeys) -> Result<Sealed, Error> {
    let salt = Secret::copy(&salt.0).map_err(|_| Error::Damaged("a salt can't be sealed"))?;
    keys.seal(&salt, &Belongs { owner, what: What::ScratchKey })
}

fn open(owner: &Owner, key: u32, sealed: &str, keys: &SealingKeys) -> Result<Salt, Error> {
    let sealed = Sealed { key, bytes: Base64::decode_vec(sealed).map_err(|_| UNREADABLE)? };
    let salt = keys.open(&sealed, &Belongs { owner, what: What::ScratchKey })?;
    salt.expose().try_into().map(Salt).map_err(|_| UNREADABLE)
}
