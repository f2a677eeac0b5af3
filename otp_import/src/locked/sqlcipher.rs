//! Authenticator Plus: a database of SQLCipher 3, in which every page is locked
//! and nothing tells what it is; whoever gives a password has it tried.

use hmac::{Hmac, Mac};
use sha1::Sha1;
use zeroize::Zeroizing;

use super::{Plain, cipher, kdf};

/// Bytes of a page, and of those at its end that are not locked: vector, MAC, nothing.
const PAGE: usize = 1024;
const RESERVE: usize = 48;
const VECTOR: usize = 16;
const MAC: usize = 20;
const SALT: usize = 16;
const ROUNDS: u32 = 64_000;
/// What makes the salt of the MAC's key another one.
const MASK: u8 = 0x3a;
/// In the place of the salt, as SQLite has it.
const HEADER: &[u8; SALT] = b"SQLite format 3\0";

/// The database, if it is one and this is its password.
pub(super) fn open(bytes: &[u8], password: &[u8]) -> Option<Plain> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(PAGE) {
        return None;
    }
    let salt = bytes.get(..SALT)?;
    let key = kdf::pbkdf2::<32>(kdf::Prf::Sha1, password, salt, ROUNDS).ok()?;
    let masked: Vec<u8> = salt.iter().map(|byte| byte ^ MASK).collect();
    let mac_key = kdf::pbkdf2::<32>(kdf::Prf::Sha1, &key[..], &masked, 2).ok()?;
    let mut plain = Zeroizing::new(Vec::with_capacity(bytes.len()));
    plain.extend_from_slice(HEADER);
    for (number, page) in (1_u32..).zip(bytes.chunks(PAGE)) {
        let page = if number == 1 { page.get(SALT..)? } else { page };
        let (sealed, rest) = page.split_at_checked(page.len().checked_sub(RESERVE)?)?;
        let (vector, rest) = rest.split_at_checked(VECTOR)?;
        let mut mac = <Hmac<Sha1> as Mac>::new_from_slice(&mac_key[..]).ok()?;
        [sealed, vector, &number.to_le_bytes()].iter().for_each(|part| mac.update(part));
        mac.verify_slice(rest.get(..MAC)?).ok()?;
        plain.extend_from_slice(&cipher::cbc_blocks(&key, vector, sealed).ok()?);
        plain.extend_from_slice(&[0; RESERVE]);
    }
    Some(plain)
}
