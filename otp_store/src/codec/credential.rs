//! A credential in a record.

use std::borrow::Cow;

use otp_core::record::{Factor, State, Steps};
use otp_core::{Algorithm, Credential, CredentialId, Digits, Label, Owner, Period, UnixTime};
use serde::{Deserialize, Serialize};

use super::text::{Base64, Text};
use super::{UNREADABLE, open, seal};
use crate::sealing::{Belongs, What};
use crate::{Error, SealingKeys};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredCredential<'a> {
    id: Text<'a, CredentialId>,
    label: Text<'a, Label>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    display: Option<Cow<'a, str>>,
    algorithm: Text<'a, Algorithm>,
    digits: u8,
    sealing_key: u32,
    sealed: Base64<Vec<u8>>,
    factor: StoredFactor,
    created: UnixTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmed: Option<UnixTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_used: Option<UnixTime>,
    state: StoredState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    barred: Option<StoredSteps>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredSteps {
    from: u64,
    to: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum StoredFactor {
    Hotp { next: u64 },
    Totp { period: u16, last_step: Option<u64>, skew: i32, window: u8 },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum StoredState {
    Active {},
    Disabled {},
    Revoked { at: UnixTime },
}

pub(super) fn store<'a>(
    owner: &Owner,
    credential: &'a Credential,
    keys: &SealingKeys,
) -> Result<StoredCredential<'a>, Error> {
    let belongs = Belongs { owner, what: What::Credential(&credential.id, credential.algorithm) };
    let (sealing_key, sealed) = seal(keys, &credential.secret, &belongs)?;
    Ok(StoredCredential {
        id: Text::of(&credential.id),
        label: Text::of(&credential.label),
        display: credential.display.as_deref().map(Cow::Borrowed),
        algorithm: Text::of(&credential.algorithm),
        digits: credential.digits.get(),
        sealing_key,
        sealed,
        factor: match credential.factor {
            Factor::Hotp { next } => StoredFactor::Hotp { next },
            Factor::Totp { period, last_step, skew, window } => {
                StoredFactor::Totp { period: period.get(), last_step, skew, window }
            }
        },
        created: credential.created,
        confirmed: credential.confirmed,
        last_used: credential.last_used,
        state: match credential.state {
            State::Active => StoredState::Active {},
            State::Disabled => StoredState::Disabled {},
            State::Revoked { at } => StoredState::Revoked { at },
        },
        barred: credential.barred.map(|Steps { from, to }| StoredSteps { from, to }),
    })
}

pub(super) fn load(owner: &Owner, stored: StoredCredential<'_>, keys: &SealingKeys) -> Result<Credential, Error> {
    let (id, algorithm) = (stored.id.value(), stored.algorithm.value());
    let belongs = Belongs { owner, what: What::Credential(&id, algorithm) };
    let secret = open(keys, stored.sealing_key, stored.sealed, &belongs)?;
    Ok(Credential {
        id,
        label: stored.label.value(),
        display: stored.display.map(Cow::into_owned),
        algorithm,
        digits: Digits::new(stored.digits).map_err(|_| UNREADABLE)?,
        secret,
        factor: load_factor(stored.factor)?,
        created: stored.created,
        confirmed: stored.confirmed,
        last_used: stored.last_used,
        state: match stored.state {
            StoredState::Active {} => State::Active,
            StoredState::Disabled {} => State::Disabled,
            StoredState::Revoked { at } => State::Revoked { at },
        },
        barred: stored.barred.map(|StoredSteps { from, to }| Steps { from, to }),
    })
}

pub(super) fn load_factor(stored: StoredFactor) -> Result<Factor, Error> {
    Ok(match stored {
        StoredFactor::Hotp { next } => Factor::Hotp { next },
        StoredFactor::Totp { period, last_step, skew, window } => {
            Factor::Totp { period: Period::new(period).map_err(|_| UNREADABLE)?, last_step, skew, window }
        }
    })
}
