//! A new key for a keyslot that the verifier keeps the key of, in two steps:
//! first the token has a keyslot more, then only that one. Between them the
//! verifier takes the new key; whichever it has, the token leads to its keyslot.

use luks_cryptsetup::Device;
use luks_unlock::StoreToken;
use luks_unlock::order::{Enrolled, Outcome, Renew, Settle};
use otp_core::Secret;
use otp_wire::SecretText;

use crate::enrol::{RANDOM, Undo, add, keyslots, not_written};
use crate::failure::Failure;
use crate::volume::{back_up, changeable, load, passphrase, proven};

/// Adds a keyslot for the new key to the token.
pub fn renew(order: &Renew) -> Result<Outcome, Failure> {
    let device = load(&order.volume)?;
    changeable(&device)?;
    let (token, old) = (token(&device, order.token)?, passphrase(&order.proof)?);
    if keyslots(&device, order.token)?.contains(&proven(&device, &old)?) {
        return Err(Failure::no("that passphrase goes with the token; another one is needed"));
    }
    let key = secret(&order.key)?;
    back_up(&device, &order.backup)?;
    let mut undo = Undo { device: &device, keyslots: vec![], token: None };
    let keyslot = add(&mut undo, &old, key.expose(), RANDOM)?;
    device.activate(None, Some(keyslot), key.expose(), 0).map_err(not_written)?;
    device.set_token_json(Some(order.token), Some(&token.and(keyslot).to_json())).map_err(not_written)?;
    undo.keyslots.clear();
    let new = Enrolled { token: order.token, keyslot, uuid: device.uuid(), recovery: None, cost: None };
    Ok(Outcome::Enrolled(Box::new(new)))
}

/// Removes the token's other keyslots, where the new key opens its own.
pub fn settle(order: &Settle) -> Result<Outcome, Failure> {
    let device = load(&order.volume)?;
    changeable(&device)?;
    let (slots, key) = (keyslots(&device, order.token)?, secret(&order.key)?);
    if !slots.contains(&order.keyslot) {
        return Err(Failure::new(format!("token {} has no keyslot {}", order.token, order.keyslot)));
    }
    device.activate(None, Some(order.keyslot), key.expose(), 0).map_err(not_written)?;
    // With a keyslot goes its number in the token.
    for slot in slots.iter().filter(|slot| **slot != order.keyslot && device.keyslot_is_active(**slot)) {
        device.destroy_keyslot(*slot).map_err(not_written)?;
    }
    Ok(Outcome::Done {})
}

fn token(device: &Device, number: i32) -> Result<StoreToken, Failure> {
    let json = device.token_json(number).unwrap_or_default();
    StoreToken::parse(&json).map_err(Failure::new)
}

fn secret(key: &SecretText) -> Result<Secret, Failure> {
    Secret::from_base32(key.expose()).map_err(Failure::new)
}
