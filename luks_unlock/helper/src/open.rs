//! Opening and closing, stopping and going on.

use luks_cryptsetup::{Device, Errno, TokenOf, moment};
use luks_unlock::order::{Flags, Open, Outcome, Typed, Volume};
use luks_unlock::{Refusal, SlotKey};
use rustix::io::Errno as Os;

use crate::failure::Failure;
use crate::volume::{load, named, tokens};

/// Says whether an answer is worth asking for.
pub fn ready(volume: &Volume) -> Result<Outcome, Failure> {
    let device = load(volume)?;
    let mut best = Outcome::Refused { again: false };
    for number in of_ours(&device)? {
        if luks_unlock::ready(&TokenOf { handle: &device, number }, &moment()).is_ok() {
            best = Outcome::Done {};
        }
    }
    Ok(best)
}

/// Opens a volume, or only tries to.
pub fn open(order: &Open) -> Result<Outcome, Failure> {
    let device = load(&order.volume)?;
    let (key, slots) = match key(&device, &order.answer)? {
        Ok(found) => found,
        Err(outcome) => return Ok(outcome),
    };
    let name = order.name.as_deref();
    let open = |slot| device.activate(name, slot, key.expose(), bits(order.flags)).map(drop);
    first(&slots, open).map_err(|error| not_opened(error, name))?;
    Ok(Outcome::Done {})
}

/// Takes the mapping away.
pub fn close(name: &str) -> Result<Outcome, Failure> {
    let device = named(name, None)?;
    device.deactivate(name).map_err(|error| {
        Failure::new(format!("{name} can't be closed: {error}")).hint("is it still mounted, or used by something else?")
    })?;
    Ok(Outcome::Done {})
}

/// Stops the mapping and wipes its key from the kernel.
pub fn suspend(name: &str) -> Result<Outcome, Failure> {
    let device = named(name, None)?;
    device.suspend(name).map_err(|error| Failure::new(format!("{name} can't be suspended: {error}")))?;
    Ok(Outcome::Done {})
}

/// Lets a stopped mapping go on.
pub fn resume(name: &str, header: Option<&str>, answer: &Typed) -> Result<Outcome, Failure> {
    let device = named(name, header)?;
    let (key, slots) = match key(&device, answer)? {
        Ok(found) => found,
        Err(outcome) => return Ok(outcome),
    };
    first(&slots, |slot| device.resume(name, slot, key.expose())).map_err(|error| {
        Failure::new(format!("{name} does not go on: {error}")).hint("is it suspended? the code is used up by now")
    })?;
    Ok(Outcome::Done {})
}

/// A key whose code is used up, and the keyslots of its token; or that there is none.
pub type Key = Result<(SlotKey, Vec<i32>), Outcome>;

/// The key that the answer opens, of the first token that takes it.
fn key(device: &Device, answer: &Typed) -> Result<Key, Failure> {
    let answer = answer.bytes().ok_or_else(|| Failure::new("the answer can't be read"))?;
    key_for(device, &answer)
}

/// The same, for what was typed.
pub fn key_for(device: &Device, answer: &[u8]) -> Result<Key, Failure> {
    let mut again = false;
    for number in of_ours(device)? {
        let token = TokenOf { handle: device, number };
        match luks_unlock::unlock(&token, answer, &moment()) {
            Ok(key) => return Ok(Ok((key, slots(device, number)))),
            Err(Refusal::Again) => again = true,
            Err(Refusal::Aside) => {}
        }
    }
    Ok(Err(Outcome::Refused { again }))
}

fn of_ours(device: &Device) -> Result<Vec<i32>, Failure> {
    let found = tokens(device);
    if found.is_empty() {
        return Err(Failure::new("there is no token of oathgate's in the header").hint("make one: oathgate luks enrol"));
    }
    Ok(found)
}

fn slots(device: &Device, token: i32) -> Vec<i32> {
    device.token_json(token).map(|json| luks_unlock::token::keyslots(&json)).unwrap_or_default()
}

/// Opens by the first keyslot that the key fits, or by whichever it fits where
/// the token names none.
fn first(slots: &[i32], open: impl Fn(Option<i32>) -> Result<(), Errno>) -> Result<(), Errno> {
    let mut opened = slots.first().map_or_else(|| open(None), |slot| open(Some(*slot)));
    for slot in slots.iter().skip(1) {
        if opened != Err(Errno(Os::PERM.raw_os_error())) {
            break;
        }
        opened = open(Some(*slot));
    }
    opened
}

/// CRYPT_ACTIVATE_* of libcryptsetup.h.
fn bits(flags: Flags) -> u32 {
    let bit = |set: bool, bit: u32| u32::from(set) << bit;
    bit(flags.readonly, 0)
        | bit(flags.allow_discards, 3)
        | bit(flags.same_cpu_crypt, 6)
        | bit(flags.submit_from_crypt_cpus, 7)
        | bit(flags.no_read_workqueue, 24)
        | bit(flags.no_write_workqueue, 25)
}

fn not_opened(error: Errno, name: Option<&str>) -> Failure {
    let name = name.unwrap_or("the volume");
    Failure::new(format!("{name} can't be opened: {error}")).hint("the code is used up; take the next one to try again")
}
