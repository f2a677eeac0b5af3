//! The header gate: the key of a disk is in its header, sealed under a PIN.

use luks_unlock::Cost;
use luks_unlock::answer::Codes;
use luks_unlock::code::{self, Found};
use luks_unlock::order::{self, Enrolled, Order, View, Volume};
use luks_unlock::token::{Code, Kind as Moves, State};
use otp_core::Secret;
use otp_core::uri::{KeyUri, Kind};
use otp_wire::SecretText;
use zeroize::Zeroizing;

use super::arguments::{Change, New};
use super::helper::enrolled;
use super::made::{Shown, show, tell_recovery};
use super::typed::{Source, backup, typed};
use crate::clock;
use crate::error::Failure;
use crate::output::Output;

/// A PIN of fewer characters must be asked for.
const PIN_CHARACTERS: usize = 12;
/// The longest PIN in bytes: with codes behind it, it must fit into every prompt.
const MAX_PIN: usize = 100;
/// Wrong first codes before enrolment is broken off.
const TRIES: usize = 3;

/// A token that was made.
pub struct Made {
    enrolled: Enrolled,
    uri: Zeroizing<String>,
    backup: String,
}

/// Makes one, in the place of another or beside what there is.
///
/// # Errors
/// When it was not made.
pub fn make(
    volume: &Volume,
    view: &View,
    new: &New,
    change: &Change,
    replaces: Option<i32>,
    out: &mut Output,
) -> Result<Made, Failure> {
    let source = Source::of(change.stdin, &volume.device);
    let backup = backup(change, view)?;
    let code = kind(new);
    let pin = source.ask_new("New PIN for this disk: ")?;
    long_enough(&pin, new)?;
    let proof = source.proof(change)?;
    let secret = secret(new)?;
    let uri = uri(volume, new, &secret)?;
    if !new.json.json {
        show(&uri, &secret.to_base32(), out)?;
    }
    let state = first(source, new, &code, &secret, out)?;
    let base32 = SecretText::new(&secret.to_base32()).ok_or_else(|| Failure::undecided("no secret"))?;
    let cost = new.pbkdf_memory.zip(new.pbkdf_force_iterations).map(|(memory, passes)| Cost { memory, passes });
    let (volume, pin) = (volume.clone(), typed(&pin)?);
    let wanted =
        order::Enrol { volume, proof, pin, secret: base32, code, state, cost, backup: backup.clone(), replaces };
    Ok(Made { enrolled: enrolled(&Order::Enrol(Box::new(wanted)))?, uri, backup })
}

fn kind(new: &New) -> Code {
    let (kind, period) =
        if new.kind.hotp { (Moves::Hotp, None) } else { (Moves::Totp, Some(new.kind.period.unwrap_or(30))) };
    Code { kind, algorithm: new.kind.algorithm.name().to_owned(), digits: new.kind.digits, period }
}

fn long_enough(pin: &[u8], new: &New) -> Result<(), Failure> {
    let characters = String::from_utf8_lossy(pin).chars().count();
    match characters {
        0 => Err(Failure::no("a PIN is not empty")),
        _ if pin.len() > MAX_PIN => Err(Failure::no(format!("that PIN has more than {MAX_PIN} bytes"))),
        short if short < PIN_CHARACTERS && !new.weak_pin => Err(Failure::no(format!(
            "that PIN has {short} characters, fewer than {PIN_CHARACTERS}"
        ))
        .hint("whoever copies the header can guess at it for as long as they like: take several words, or --weak-pin")),
        _ => Ok(()),
    }
}

fn secret(new: &New) -> Result<Secret, Failure> {
    // As long as the hash (RFC 4226 §4, RFC 6238 §5.1).
    let bytes = match new.kind.algorithm {
        otp_core::Algorithm::Sha1 => 20,
        otp_core::Algorithm::Sha256 => 32,
        otp_core::Algorithm::Sha512 => 64,
    };
    let random = |place: &mut [u8]| {
        let wanted = place.len();
        match rustix::rand::getrandom(place, rustix::rand::GetRandomFlags::empty()) {
            Ok(count) if count == wanted => Ok(()),
            _ => Err(otp_core::secret::SecretError::Empty),
        }
    };
    Secret::fill(bytes, random).map_err(|_| Failure::undecided("the kernel gives no random numbers"))
}

fn uri(volume: &Volume, new: &New, secret: &Secret) -> Result<Zeroizing<String>, Failure> {
    let file = volume.device.rsplit('/').next().unwrap_or_default();
    let name = new.label.as_ref().map_or_else(|| file.to_owned(), ToString::to_string);
    let kind = match new.kind.hotp {
        true => Kind::Hotp { counter: 0 },
        false => Kind::Totp { period: new.kind.period.unwrap_or(30).into() },
    };
    let secret = Secret::copy(secret.expose()).map_err(Failure::undecided)?;
    let (issuer, algorithm, digits) = ("oathgate disk".to_owned(), new.kind.algorithm, new.kind.digits);
    Ok(KeyUri { kind, issuer, label_issuer: None, name, secret, algorithm, digits }.format())
}

/// The first state that counts: after the first code, where it is asked for.
fn first(source: Source<'_>, new: &New, kind: &Code, secret: &Secret, out: &mut Output) -> Result<State, Failure> {
    let broken = |why: &'static str| Failure::undecided(why);
    let state = code::first_state(kind, clock::now()).map_err(broken)?;
    if new.no_confirm || new.json.json {
        return Ok(state);
    }
    for _ in 0..TRIES {
        let typed = source.ask("First code: ")?;
        match code::judge(kind, state, secret, Codes::One(&typed), clock::now()).map_err(broken)? {
            Found::New { state, .. } => return Ok(state),
            Found::Used { .. } | Found::Wrong => out.line("That code is wrong.")?,
        }
    }
    Err(Failure::no("no right code")
        .hint("nothing was changed; is the clock of the device right, and of this machine?"))
}

impl Made {
    /// For programs, with the line of a new disk.
    ///
    /// # Errors
    /// When it can't be shown.
    pub fn json(&self, device: &str, crypttab: Option<&str>, out: &mut Output) -> Result<(), Failure> {
        let mut shown = Shown::of(device, &self.enrolled, &self.backup);
        (shown.uri, shown.crypttab) = (Some(self.uri.as_str()), crypttab);
        out.json(&shown)
    }

    /// For people.
    ///
    /// # Errors
    /// When it can't be shown.
    pub fn tell(&self, device: &str, out: &mut Output) -> Result<(), Failure> {
        let new = &self.enrolled;
        out.line(out.bold(&format!("Enrolled: token {} for keyslot {} of {device}.", new.token, new.keyslot)))?;
        out.line("At the prompt type the PIN, then the code, with nothing in between.")?;
        out.line("If a clock is wrong: the PIN, then two codes in a row.")?;
        out.line("")?;
        tell_recovery(new, out)?;
        out.line("")?;
        let warning = "Whoever copies the disk's header can guess at the PIN for as long as they like, and needs no code \
                       once it is found. The code stops who saw the PIN and has no copy.";
        out.line(out.warning(warning))?;
        let backup = &self.backup;
        out.line(format!("The header as it was is in {backup}. When all is well:"))?;
        out.line(format!("  shred -u {backup}"))
    }
}
