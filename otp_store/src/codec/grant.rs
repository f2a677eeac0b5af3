//! A grant in a record.

use std::borrow::Cow;

use otp_core::grant::{Grant, Place};
use otp_core::{Account, CredentialId, Fingerprint};
use serde::{Deserialize, Serialize};

use super::text::{Base64, Text};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredGrant<'a> {
    account: Text<'a, Account>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Text<'a, Fingerprint>>,
    place: StoredPlace<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claimed_by: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<Text<'a, CredentialId>>,
    boot: Base64<[u8; 16]>,
    until: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum StoredPlace<'a> {
    Connection(Cow<'a, str>),
    Address(Cow<'a, str>),
    Grace { service: Cow<'a, str>, address: Cow<'a, str> },
}

pub(super) fn store(grant: &Grant) -> StoredGrant<'_> {
    StoredGrant {
        account: Text::of(&grant.account),
        key: grant.key.as_ref().map(Text::of),
        place: match &grant.place {
            Place::Connection(name) => StoredPlace::Connection(name.into()),
            Place::Address(address) => StoredPlace::Address(address.into()),
            Place::Grace { service, address } => {
                StoredPlace::Grace { service: service.into(), address: address.into() }
            }
        },
        claimed_by: grant.claimed_by,
        credential: grant.credential.as_ref().map(Text::of),
        boot: Base64(grant.boot),
        until: grant.until,
    }
}

pub(super) fn load(stored: StoredGrant<'_>) -> Grant {
    Grant {
        account: stored.account.value(),
        key: stored.key.map(Text::value),
        place: match stored.place {
            StoredPlace::Connection(name) => Place::Connection(name.into_owned()),
            StoredPlace::Address(address) => Place::Address(address.into_owned()),
            StoredPlace::Grace { service, address } => {
                Place::Grace { service: service.into_owned(), address: address.into_owned() }
            }
        },
        claimed_by: stored.claimed_by,
        credential: stored.credential.map(Text::value),
        boot: stored.boot.0,
        until: stored.until,
    }
}
