//! The record on which logins are judged that lead to nobody: nothing in it ever
//! counts, but reading and writing it is the same work as for anybody else.

use otp_core::record::{Factor, State};
use otp_core::scratch::{HashedCode, SET_SIZE, Salt, ScratchHash, ScratchKind, ScratchSet};
use otp_core::{Algorithm, Credential, CredentialId, Digits, Owner, Period, Record, Secret};
use zeroize::Zeroizing;

use crate::Error;

/// A record of the size that most have: one credential and a set of scratch codes.
pub(crate) fn record() -> Result<Record, Error> {
    let mut random = Zeroizing::new([0; 20]);
    getrandom::fill(&mut random[..]).map_err(|_| Error::Random)?;
    let credential = Credential {
        id: CredentialId::from_random([0; 5]),
        label: "nobody".parse().map_err(|_| Error::Damaged("a name"))?,
        display: None,
        algorithm: Algorithm::Sha1,
        digits: Digits::SIX,
        secret: Secret::copy(&random[..]).map_err(|_| Error::Random)?,
        factor: Factor::Totp { period: Period::DEFAULT, last_step: Some(0), skew: 0, window: 1 },
        created: 0,
        confirmed: Some(0),
        last_used: Some(0),
        state: State::Disabled,
        barred: None,
    };
    let codes = (0..SET_SIZE).map(|_| HashedCode { hash: ScratchHash([0; 32]), used: Some(0) }).collect();
    let set = ScratchSet { kind: ScratchKind::Base32, salt: Salt::default(), created: 0, codes };
    Ok(Record { credentials: vec![credential], scratch: vec![set], ..Record::new(Owner::nobody()) })
}
