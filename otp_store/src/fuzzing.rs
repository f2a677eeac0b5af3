//! The record codec for the fuzz targets: the record is alice's, and everybody
//! knows the sealing key.

use otp_core::{Owner, Record};

use crate::{Error, SealingKeys, codec};

/// Reads a record.
///
/// # Errors
/// As for a record in a store.
pub fn decode(bytes: &[u8]) -> Result<Record, Error> {
    let owner: Owner = "alice".parse().map_err(|_| Error::Damaged("no owner"))?;
    codec::decode(&owner, bytes, &SealingKeys::known())
}

/// Writes a record.
///
/// # Errors
/// As for a record in a store.
pub fn encode(record: &Record) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    codec::encode(record, &SealingKeys::known(), &mut bytes)?;
    Ok(bytes)
}
