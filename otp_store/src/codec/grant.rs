//! A grant in a record.

use base64ct::{Base64, Encoding};
use otp_core::Account;
use otp_core::grant::{Grant, Place};
use serde::{Deserialize, Serialize};

use super::{UNREADABLE, bytes, parse};
use crate::Error;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredGrant {
    account: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    place: StoredPlace,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claimed_by: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
    boot: String,
    until: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum StoredPlace {
    Connection(String),
    Address(String),
    Grace { service: String, address: String },
}

pub(super) fn store(grant: &Grant) -> StoredGrant {
    StoredGrant {
        account: grant.account.to_string(),
        key: grant.key.as_ref().map(ToString::to_string),
        place: match &grant.place {
            Place::Connection(name) => StoredPlace::Connection(name.clone()),
            Place::Address(address) => StoredPlace::Address(address.clone()),
            Place::Grace { service, address } => {
                StoredPlace::Grace { service: service.clone(), address: address.clone() }
            }
        },
        claimed_by: grant.claimed_by,
        credential: grant.credential.as_ref().map(ToString::to_string),
        boot: Base64::encode_string(&grant.boot),
        until: grant.until,
    }
}

pub(super) fn load(stored: StoredGrant) -> Result<Grant, Error> {
    Ok(Grant {
        account: Account::stored(&stored.account).map_err(|_| UNREADABLE)?,
        key: stored.key.as_deref().map(parse).transpose()?,
        place: match stored.place {
            StoredPlace::Connection(name) => Place::Connection(name),
            StoredPlace::Address(address) => Place::Address(address),
            StoredPlace::Grace { service, address } => Place::Grace { service, address },
        },
        claimed_by: stored.claimed_by,
        credential: stored.credential.as_deref().map(parse).transpose()?,
        boot: bytes(&stored.boot)?,
        until: stored.until,
    })
}
