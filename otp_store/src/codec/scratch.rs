//! Scratch codes in a record. The salt of eight digits is a key, so it is sealed.

use otp_core::scratch::{HashedCode, Salt, ScratchHash, ScratchKind, ScratchSet};
use otp_core::{Owner, Secret, UnixTime};
use serde::{Deserialize, Serialize};

use super::text::Base64;
use super::{UNREADABLE, open, seal};
use crate::sealing::{Belongs, What};
use crate::{Error, SealingKeys};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredSet {
    kind: StoredKind,
    salt: Base64<Vec<u8>>,
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
    hash: Base64<[u8; 32]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used: Option<UnixTime>,
}

pub(super) fn store(owner: &Owner, set: &ScratchSet, keys: &SealingKeys) -> Result<StoredSet, Error> {
    let (kind, salt, sealing_key) = match set.kind {
        ScratchKind::Base32 => (StoredKind::Base32, Base64(set.salt.0.to_vec()), None),
        ScratchKind::EightDigits => {
            let salt = Secret::copy(&set.salt.0).map_err(|_| Error::Damaged("a salt can't be sealed"))?;
            let (key, sealed) = seal(keys, &salt, &Belongs { owner, what: What::ScratchKey })?;
            (StoredKind::EightDigits, sealed, Some(key))
        }
    };
    let code = |code: &HashedCode| StoredCode { hash: Base64(code.hash.0), used: code.used };
    Ok(StoredSet { kind, salt, sealing_key, created: set.created, codes: set.codes.iter().map(code).collect() })
}

pub(super) fn load(owner: &Owner, stored: StoredSet, keys: &SealingKeys) -> Result<ScratchSet, Error> {
    let (kind, salt) = match (stored.kind, stored.sealing_key) {
        (StoredKind::Base32, None) => {
            (ScratchKind::Base32, stored.salt.0.try_into().map(Salt).map_err(|_| UNREADABLE)?)
        }
        (StoredKind::EightDigits, Some(key)) => {
            let salt = open(keys, key, stored.salt, &Belongs { owner, what: What::ScratchKey })?;
            (ScratchKind::EightDigits, salt.expose().try_into().map(Salt).map_err(|_| UNREADABLE)?)
        }
        _ => return Err(UNREADABLE),
    };
    let code = |code: StoredCode| HashedCode { hash: ScratchHash(code.hash.0), used: code.used };
    Ok(ScratchSet { kind, salt, created: stored.created, codes: stored.codes.into_iter().map(code).collect() })
}
