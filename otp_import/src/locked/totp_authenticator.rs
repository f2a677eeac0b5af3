//! TOTP Authenticator: base64 that nothing tells from other base64, but for
//! what it opens to. Without a password of one's own it has a fixed one.

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding};
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Plain, cipher};

const FIXED: &[u8] = b"TotpAuthenticator";
/// An object whose only name is the list of entries, as text.
const BEGIN: &[u8] = b"{\"[{";

/// What it opens to, if it is one.
pub(super) fn open(bytes: &[u8], password: Option<&[u8]>) -> Option<Plain> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let sealed = Base64::decode_vec(text).ok()?;
    [password, Some(FIXED)].into_iter().flatten().find_map(|password| {
        let key: Zeroizing<[u8; 32]> = Zeroizing::new(Sha256::digest(password).into());
        let plain = cipher::cbc(&key, &[0; 16], &sealed).ok().filter(|plain| plain.starts_with(BEGIN))?;
        let mut names: BTreeMap<String, IgnoredAny> = serde_json::from_slice(&plain).ok()?;
        Some(Zeroizing::new(names.pop_first()?.0.into_bytes()))
    })
}
