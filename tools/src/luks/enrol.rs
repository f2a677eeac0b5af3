//! `luks enrol`, `rotate` and `remove`.

use luks_unlock::Cost;
use luks_unlock::answer::Codes;
use luks_unlock::code::{self, Found};
use luks_unlock::order::{self, Enrolled, Order, Outcome, View, Volume};
use luks_unlock::token::{Code, Kind as Moves, State};
use otp_core::Secret;
use otp_core::uri::{KeyUri, Kind};
use otp_wire::SecretText;
use serde::Serialize;
use zeroize::Zeroizing;

use super::arguments::{Change, Enrol, Gate, New, Remove, Rotate};
use super::crypttab::{self, Asks};
use super::helper::{look, order, text, unexpected, volume};
use super::show::{is_of_store, without_code};
use super::store;
use super::typed::{Source, typed};
use crate::client::Client;
use crate::clock;
use crate::error::Failure;
use crate::output::{Output, grouped};
use crate::qr;
use crate::terminal::{Console, Person};

/// A PIN of fewer characters must be asked for.
const PIN_CHARACTERS: usize = 12;
/// The longest PIN in bytes: with codes behind it, it must fit into every prompt.
const MAX_PIN: usize = 100;
/// Wrong first codes before enrolment is broken off.
const TRIES: usize = 3;

/// What was enrolled, for programs; with secrets.
#[derive(Serialize)]
struct Shown<'a> {
    device: &'a str,
    uuid: &'a str,
    token: i32,
    keyslot: i32,
    uri: &'a str,
    backup: &'a str,
    recovery_keyslot: Option<i32>,
    recovery: Option<&'a SecretText>,
    crypttab: &'a str,
}

/// Adds a token to a disk.
///
/// # Errors
/// When it was not added.
pub fn enrol<'a>(
    client: impl FnOnce() -> Result<Client<'a>, Failure>,
    arguments: &Enrol,
    out: &mut Output,
) -> Result<(), Failure> {
    if let Some(name) = arguments.write_crypttab.as_deref().filter(|name| !crypttab::is_name(name)) {
        return Err(
            Failure::usage(format!("{name:?} can't be the name of a disk")).hint("use letters, digits, . _ - +")
        );
    }
    let volume = volume(&arguments.disk)?;
    let view = look(&volume)?;
    let gate = gate(arguments)?;
    let name = arguments.write_crypttab.as_deref().unwrap_or("NAME");
    let line = crypttab::line(name, &view.uuid, volume.header.as_deref(), asks(gate, arguments.initramfs));
    if gate == Gate::Store {
        store::enrol(&client()?, &volume, &view, arguments, &line, out)?;
        return written(arguments, &view, &line, out);
    }
    let made = make(&volume, &view, &arguments.new, &arguments.change, None, out)?;
    if arguments.new.json.json {
        made.json(&volume.device, &line, out)?;
    } else {
        made.tell(&volume.device, out)?;
        next(&volume, &look(&volume)?, &line, out)?;
    }
    written(arguments, &view, &line, out)
}

/// Writes the line into crypttab, where that is wanted.
fn written(arguments: &Enrol, view: &View, line: &str, out: &mut Output) -> Result<(), Failure> {
    let Some(name) = &arguments.write_crypttab else { return Ok(()) };
    let kept = crypttab::write(&arguments.crypttab, name, &view.uuid, line)?;
    if arguments.new.json.json {
        return Ok(());
    }
    out.line(format!("The line is in {} now.", arguments.crypttab.display()))?;
    kept.map_or(Ok(()), |kept| out.line(format!("What was there is in {kept}.")))?;
    match arguments.initramfs {
        true => out.line("For the initramfs: update-initramfs -u"),
        false => out.line("For systemd: systemctl daemon-reload"),
    }
}

/// The gate that was chosen, or that goes with the volume.
fn gate(arguments: &Enrol) -> Result<Gate, Failure> {
    let question = "Does this machine start from this volume? Then the key stays in its header. [y/N] ";
    let asked = || if arguments.initramfs { Some(true) } else { Console.agrees(question) };
    match arguments.gate.or_else(|| asked().map(|root| if root { Gate::Header } else { Gate::Store })) {
        Some(Gate::Store) if arguments.initramfs => {
            Err(Failure::usage("there is no verifier in the initramfs").hint("take --gate header"))
        }
        Some(gate) => Ok(gate),
        None => Err(Failure::usage("which gate?").hint("--gate header for a root volume, --gate store for others")),
    }
}

/// Who asks for the code at boot.
fn asks(gate: Gate, initramfs: bool) -> Asks {
    match (gate, initramfs) {
        (Gate::Store, _) => Asks::KeyService,
        (Gate::Header, true) => Asks::Keyscript,
        (Gate::Header, false) => Asks::Plugin,
    }
}

/// Puts a new token into the place of an old one.
///
/// # Errors
/// When it was not replaced.
pub fn rotate(arguments: &Rotate, out: &mut Output) -> Result<(), Failure> {
    let volume = volume(&arguments.disk)?;
    let view = look(&volume)?;
    if known(&view, arguments.token)? == Gate::Store {
        return Err(Failure::no("the verifier keeps the key of that token").hint("remove it, and enrol the disk again"));
    }
    let made = make(&volume, &view, &arguments.new, &arguments.change, Some(arguments.token), out)?;
    if arguments.new.json.json {
        return made.json(&volume.device, "", out);
    }
    made.tell(&volume.device, out)?;
    out.line(format!("Token {} and its keyslot are gone.", arguments.token))
}

/// Takes a token away.
///
/// # Errors
/// When it stays.
pub fn remove<'a>(
    client: impl FnOnce() -> Result<Client<'a>, Failure>,
    arguments: &Remove,
    out: &mut Output,
) -> Result<(), Failure> {
    let volume = volume(&arguments.disk)?;
    let view = look(&volume)?;
    let gate = known(&view, arguments.token)?;
    let backup = backup(&arguments.change, &view)?;
    let proof = Source::of(arguments.change.stdin, &volume.device).proof(&arguments.change)?;
    match order(&Order::Remove { volume, token: arguments.token, proof, backup: backup.clone() })? {
        Outcome::Done {} => {
            out.line(format!("Token {} and its keyslot are gone.", arguments.token))?;
            if gate == Gate::Store {
                out.line(store::forget(&client()?, &view.uuid)?)?;
                return out.line(format!("The header as it was is in {backup}."));
            }
            out.line(format!("The header as it was is in {backup}; PIN and code still open it. When you are sure:"))?;
            out.line(format!("  shred -u {backup}"))
        }
        other => Err(unexpected(&other)),
    }
}

/// The gate of a token, before anybody is asked for anything.
fn known(view: &View, token: i32) -> Result<Gate, Failure> {
    match view.tokens.iter().find(|(number, _)| *number == token) {
        Some((_, json)) if is_of_store(json) => Ok(Gate::Store),
        Some(_) => Ok(Gate::Header),
        None => Err(Failure::no(format!("there is no token {token} of oathgate's"))
            .hint("oathgate luks status shows the tokens")),
    }
}

/// A token that was made.
struct Made {
    enrolled: Enrolled,
    uri: Zeroizing<String>,
    backup: String,
}

fn make(
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
    match order(&Order::Enrol(Box::new(wanted)))? {
        Outcome::Enrolled(enrolled) => Ok(Made { enrolled: *enrolled, uri, backup }),
        other => Err(unexpected(&other)),
    }
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

pub fn show(uri: &str, secret: &str, out: &mut Output) -> Result<(), Failure> {
    out.line("Scan the QR code with an authenticator, or type the secret. It is shown only now.")?;
    let mut text = Zeroizing::new(String::with_capacity(uri.len() + 512));
    text.push_str("  secret  ");
    text.push_str(&grouped(secret));
    text.push_str("\n  URI     ");
    text.push_str(uri);
    text.push('\n');
    out.print(&text)?;
    qr::show(uri, out)
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

/// The new file for a copy of the header.
pub fn backup(change: &Change, view: &View) -> Result<String, Failure> {
    match &change.backup {
        Some(path) => text(path),
        None => Ok(format!("/var/backups/oathgate-luks-{}-{}.header", view.uuid, clock::stamp(clock::now()))),
    }
}

impl Made {
    fn json(&self, device: &str, crypttab: &str, out: &mut Output) -> Result<(), Failure> {
        let new = &self.enrolled;
        out.json(&Shown {
            device,
            uuid: &new.uuid,
            token: new.token,
            keyslot: new.keyslot,
            uri: &self.uri,
            backup: &self.backup,
            recovery_keyslot: new.recovery.as_ref().map(|(keyslot, _)| *keyslot),
            recovery: new.recovery.as_ref().map(|(_, text)| text),
            crypttab,
        })
    }

    fn tell(&self, device: &str, out: &mut Output) -> Result<(), Failure> {
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

/// The recovery passphrase, where one was made.
pub fn tell_recovery(new: &Enrolled, out: &mut Output) -> Result<(), Failure> {
    let Some((keyslot, passphrase)) = &new.recovery else { return Ok(()) };
    out.line(format!("Recovery passphrase, keyslot {keyslot}, tried and right. It is shown only now:"))?;
    let mut text = Zeroizing::new(String::with_capacity(passphrase.expose().len() + 8));
    text.push_str("  ");
    text.push_str(passphrase.expose());
    text.push('\n');
    out.print(&text)?;
    out.line("Write it on paper, and keep that where the disk is not.")
}

fn next(volume: &Volume, view: &View, line: &str, out: &mut Output) -> Result<(), Failure> {
    let device = &volume.device;
    let header = volume.header.as_ref().map(|header| format!(" --header {header}")).unwrap_or_default();
    out.line("")?;
    out.line("Next:")?;
    out.line(format!("  oathgate luks open {device}{header} --test      tries PIN and code"))?;
    out.line(format!("  oathgate luks open {device}{header} NAME        opens it as /dev/mapper/NAME"))?;
    out.line(format!("  {line}      in /etc/crypttab"))?;
    let slots: Vec<String> = without_code(view).iter().map(ToString::to_string).collect();
    let place = volume.header.as_ref().unwrap_or(device);
    out.line(format!(
        "These keyslots open it without a code, the recovery passphrase's among them: {}.",
        slots.join(", ")
    ))?;
    out.line(format!("To remove another one: cryptsetup luksKillSlot {place} N"))
}
