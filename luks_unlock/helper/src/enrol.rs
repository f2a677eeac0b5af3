//! A new token: a copy of the header first, then the keyslots, then the token.
//! What fails on the way is taken back.

use std::time::Instant;

use luks_cryptsetup::{Device, Errno, Stretch};
use luks_unlock::order::{Enrol, EnrolStore, Enrolled, Outcome};
use luks_unlock::{Cost, Enrolment, SlotKey, StoreToken, seal};
use otp_core::Secret;
use otp_wire::SecretText;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::volume::{back_up, changeable, load, passphrase, proven};

/// 256 random bits need no stretching.
pub const RANDOM: Stretch = Stretch { memory: 32, passes: 4 };
/// 120 random bits would not either; but people copy such things badly.
const RECOVERY: Stretch = Stretch { memory: 64 * 1024, passes: 4 };
/// Bytes of a recovery passphrase before base32.
const RECOVERY_BYTES: usize = 15;
/// The memory in KiB where the machine chooses; an initramfs has it too.
const MEMORY: u32 = 256 * 1024;
/// How long a guess at the PIN takes, where the machine chooses, in milliseconds.
const MILLISECONDS: u128 = 2000;

/// What is taken back unless all went well.
pub struct Undo<'a> {
    pub device: &'a Device,
    pub keyslots: Vec<i32>,
    pub token: Option<i32>,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        // The header was copied before; more than to try can't be done here.
        if let Some(token) = self.token {
            let _ = self.device.set_token_json(Some(token), None);
        }
        for keyslot in &self.keyslots {
            let _ = self.device.destroy_keyslot(*keyslot);
        }
    }
}

/// Adds a token, a keyslot for it, and one for recovery or in place of another.
pub fn enrol(order: &Enrol) -> Result<Outcome, Failure> {
    let device = load(&order.volume)?;
    changeable(&device)?;
    let old = passphrase(&order.proof)?;
    let by = proven(&device, &old)?;
    let replaced = order.replaces.map(|token| keyslots(&device, token).map(|slots| (token, slots))).transpose()?;
    if replaced.as_ref().is_some_and(|(_, slots)| slots.contains(&by)) {
        return Err(Failure::no("that passphrase goes with the token; another one is needed"));
    }
    let cost = order.cost.map_or_else(measured, Ok)?;
    let (slot_key, copy) = twins()?;
    let secret = Secret::from_base32(order.secret.expose()).map_err(Failure::new)?;
    let pin = order.pin.bytes().ok_or_else(|| Failure::new("the PIN can't be read"))?;
    let (code, state) = (order.code.clone(), order.state);
    let sealed = seal(Enrolment { pin: &pin, code, state, secret, slot_key: copy, cost });
    let mut token = sealed.map_err(|_| Failure::new("there is not enough memory for Argon2id"))?;
    back_up(&device, &order.backup)?;

    let named = |keyslot: i32| {
        token.keyslots = vec![keyslot.to_string()];
        token.to_json().map_err(Failure::new)
    };
    let new = put(&device, &old, slot_key.expose(), replaced.is_none(), named)?;
    if let Some((token, slots)) = replaced {
        discard(&device, token, &slots)?;
    }
    Ok(Outcome::Enrolled(Box::new(Enrolled { cost: Some(cost), ..new })))
}

/// Adds a token whose key the verifier keeps, a keyslot for it, and one for recovery.
pub fn enrol_store(order: &EnrolStore) -> Result<Outcome, Failure> {
    let device = load(&order.volume)?;
    changeable(&device)?;
    let old = passphrase(&order.proof)?;
    proven(&device, &old)?;
    let key = Secret::from_base32(order.key.expose()).map_err(Failure::new)?;
    back_up(&device, &order.backup)?;
    let named = |keyslot| Ok(StoreToken::new(keyslot).to_json());
    put(&device, &old, key.expose(), true, named).map(|new| Outcome::Enrolled(Box::new(new)))
}

/// Adds keyslots and a token, and tries the key; or leaves all as it was.
fn put(
    device: &Device,
    old: &[u8],
    key: &[u8],
    recovers: bool,
    token: impl FnOnce(i32) -> Result<String, Failure>,
) -> Result<Enrolled, Failure> {
    let mut undo = Undo { device, keyslots: vec![], token: None };
    let keyslot = add(&mut undo, old, key, RANDOM)?;
    let recovery = recovers.then(|| recovery(&mut undo, old)).transpose()?;
    let number = device.set_token_json(None, Some(&token(keyslot)?)).map_err(not_written)?;
    undo.token = Some(number);
    device.activate(None, Some(keyslot), key, 0).map_err(not_written)?;
    (undo.token, undo.keyslots) = (None, vec![]);
    Ok(Enrolled { token: number, keyslot, uuid: device.uuid(), recovery, cost: None })
}

/// The keyslots of a token of ours.
pub fn keyslots(device: &Device, token: i32) -> Result<Vec<i32>, Failure> {
    let json = device.token_json(token).filter(|_| crate::volume::tokens(device).contains(&token));
    let json = json.ok_or_else(|| {
        Failure::new(format!("there is no token {token} of oathgate's")).hint("oathgate luks status shows the tokens")
    })?;
    // A damaged token can still be removed, by the keyslots that it names.
    Ok(luks_unlock::token::keyslots(&json))
}

/// Removes a token and its keyslots.
pub fn discard(device: &Device, token: i32, keyslots: &[i32]) -> Result<(), Failure> {
    for keyslot in keyslots.iter().filter(|slot| device.keyslot_is_active(**slot)) {
        device.destroy_keyslot(*keyslot).map_err(not_written)?;
    }
    device.set_token_json(Some(token), None).map_err(not_written).map(drop)
}

/// Adds a keyslot for `new`, and notes it.
pub fn add(undo: &mut Undo<'_>, old: &[u8], new: &[u8], stretch: Stretch) -> Result<i32, Failure> {
    let full = |error: Errno| {
        Failure::new(format!("no keyslot can be added: {error}"))
            .hint("is there a free one? cryptsetup luksDump shows them, cryptsetup luksKillSlot frees one")
    };
    let keyslot = undo.device.add_keyslot(old, new, stretch).map_err(full)?;
    undo.keyslots.push(keyslot);
    Ok(keyslot)
}

/// A passphrase for the day the device is lost, tried at once.
fn recovery(undo: &mut Undo<'_>, old: &[u8]) -> Result<(i32, SecretText), Failure> {
    let mut bytes = Zeroizing::new([0; RECOVERY_BYTES]);
    getrandom::fill(&mut bytes[..]).map_err(Failure::new)?;
    let letters = Zeroizing::new(base32::encode(base32::Alphabet::Rfc4648 { padding: false }, &bytes[..]));
    let mut text = Zeroizing::new(String::with_capacity(2 * letters.len()));
    for (place, letter) in letters.chars().enumerate() {
        if place > 0 && place % 4 == 0 {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    let keyslot = add(undo, old, text.as_bytes(), RECOVERY)?;
    undo.device.activate(None, Some(keyslot), text.as_bytes(), 0).map_err(not_written)?;
    SecretText::new(&text).map(|text| (keyslot, text)).ok_or_else(|| Failure::new("no recovery passphrase"))
}

/// A fresh key, and the same once more: one is sealed, one goes into the keyslot.
fn twins() -> Result<(SlotKey, SlotKey), Failure> {
    let key = SlotKey::random().map_err(Failure::new)?;
    let copy = SlotKey::fill(|place| {
        place.copy_from_slice(key.expose());
        Ok::<(), Failure>(())
    })?;
    Ok((key, copy))
}

/// What makes a guess take about two seconds here.
fn measured() -> Result<Cost, Failure> {
    let start = Instant::now();
    let once = Cost { memory: MEMORY, passes: 1 };
    luks_unlock::sealing::measure(once).map_err(|_| Failure::new("there is not enough memory for Argon2id"))?;
    let passes = MILLISECONDS / start.elapsed().as_millis().max(1);
    Ok(Cost { memory: MEMORY, passes: u32::try_from(passes).unwrap_or(u32::MAX).clamp(Cost::LEAST.passes, 64) })
}

/// A header that stays as it is.
pub fn not_written(error: Errno) -> Failure {
    Failure::new(format!("the header can't be changed: {error}")).hint("the copy of the header is as it was before")
}
