//! The store gate: the verifier keeps the key of a disk.

use luks_unlock::SlotKey;
use luks_unlock::order::{EnrolStore, Enrolled, Order, Outcome, View, Volume};
use otp_core::Secret;
use otp_wire::message::{self, DiskEnrol, DiskKey, Unseal, VolumeName};
use otp_wire::{Ask, SecretText};
use serde::Serialize;
use zeroize::Zeroizing;

use super::arguments::{Enrol, New};
use super::enrol::{backup, show, tell_recovery};
use super::helper::{order, unexpected};
use super::show::is_of_store;
use super::typed::Source;
use crate::client::{self, Client};
use crate::enrol::{label_of, uri};
use crate::error::Failure;
use crate::output::Output;

/// Wrong first codes before it is left at that.
const TRIES: usize = 3;

/// What was enrolled, for programs; with secrets.
#[derive(Serialize)]
struct Shown<'a> {
    device: &'a str,
    uuid: &'a str,
    token: i32,
    keyslot: i32,
    credential: &'a str,
    uri: &'a str,
    backup: &'a str,
    recovery_keyslot: Option<i32>,
    recovery: Option<&'a SecretText>,
    crypttab: &'a str,
}

/// What was made.
struct Made<'a> {
    volume: &'a Volume,
    header: Enrolled,
    credential: message::Enrolled,
    uri: Zeroizing<String>,
    backup: String,
    crypttab: &'a str,
}

/// Adds a token whose key the verifier keeps, and a credential for it.
///
/// # Errors
/// When the disk can't be opened so.
pub fn enrol(
    client: &Client,
    volume: &Volume,
    view: &View,
    arguments: &Enrol,
    crypttab: &str,
    out: &mut Output,
) -> Result<(), Failure> {
    if view.tokens.iter().any(|(_, json)| is_of_store(json)) {
        return Err(Failure::no("the verifier keeps a key of this disk already")
            .hint("oathgate luks remove takes that token away"));
    }
    let source = Source::of(arguments.change.stdin, &volume.device);
    let (proof, backup) = (source.proof(&arguments.change)?, backup(&arguments.change, view)?);
    // First the store, then the header: a key that opens nothing does no harm.
    let key = SlotKey::random().map_err(Failure::undecided)?;
    client.done(Ask::DiskKey(DiskKey { volume: view.uuid.clone(), key: base32(&key)? }))?;
    let put = put(volume, proof, &key, &backup)
        .and_then(|header| Ok((header, credential(client, view, volume, &arguments.new)?)));
    let (header, credential) = put.inspect_err(|_| drop(forget(client, &view.uuid)))?;
    let uri = uri(&credential)?;
    let made = Made { volume, header, credential, uri, backup, crypttab };
    if arguments.new.json.json {
        return made.json(out);
    }
    made.tell(out)?;
    if !arguments.new.no_confirm {
        confirm(client, source, &view.uuid, out)?;
    }
    made.next(out)
}

/// Has the verifier forget the key of a disk; what it says.
///
/// # Errors
/// When it still keeps it.
pub fn forget(client: &Client, uuid: &str) -> Result<String, Failure> {
    client.done(Ask::DiskRemove(VolumeName { volume: uuid.to_owned() }))
}

fn base32(key: &SlotKey) -> Result<SecretText, Failure> {
    let secret = Secret::copy(key.expose()).map_err(Failure::undecided)?;
    SecretText::new(&secret.to_base32()).ok_or_else(|| Failure::undecided("no key"))
}

fn put(volume: &Volume, proof: luks_unlock::order::Proof, key: &SlotKey, backup: &str) -> Result<Enrolled, Failure> {
    let (volume, key, backup) = (volume.clone(), base32(key)?, backup.to_owned());
    match order(&Order::EnrolStore(Box::new(EnrolStore { volume, proof, key, backup })))? {
        Outcome::Enrolled(enrolled) => Ok(*enrolled),
        other => Err(unexpected(&other)),
    }
}

fn credential(client: &Client, view: &View, volume: &Volume, new: &New) -> Result<message::Enrolled, Failure> {
    let file = volume.device.rsplit('/').next().unwrap_or_default();
    let ask = DiskEnrol {
        volume: view.uuid.clone(),
        label: new.label.as_ref().map(ToString::to_string).or_else(|| label_of(file)),
        kind: if new.kind.hotp { "hotp" } else { "totp" }.to_owned(),
        algorithm: new.kind.algorithm.to_string(),
        digits: new.kind.digits,
        period: new.kind.period,
    };
    match client.answer(Ask::DiskEnrol(ask))? {
        message::Outcome::Enrolled(enrolled) => Ok(*enrolled),
        other => Err(client::unexpected(&other)),
    }
}

/// Has the first code tried, as it will be at the next unlock.
fn confirm(client: &Client, source: Source<'_>, uuid: &str, out: &mut Output) -> Result<(), Failure> {
    for _ in 0..TRIES {
        let code = SecretText::typed(&source.ask("First code: ")?);
        match client.answer(Ask::Unseal(Unseal { volume: uuid.to_owned(), code, next: None }))? {
            message::Outcome::Unsealed(_) => return out.line("That is right; the code is used up."),
            message::Outcome::Refused { line, .. } => out.line(line)?,
            other => return Err(client::unexpected(&other)),
        }
    }
    out.line(out.warning("No right code was given. The disk is enrolled all the same; try it before you need it."))
}

impl Made<'_> {
    fn json(&self, out: &mut Output) -> Result<(), Failure> {
        out.json(&Shown {
            device: &self.volume.device,
            uuid: &self.header.uuid,
            token: self.header.token,
            keyslot: self.header.keyslot,
            credential: &self.credential.credential,
            uri: &self.uri,
            backup: &self.backup,
            recovery_keyslot: self.header.recovery.as_ref().map(|(keyslot, _)| *keyslot),
            recovery: self.header.recovery.as_ref().map(|(_, text)| text),
            crypttab: self.crypttab,
        })
    }

    fn tell(&self, out: &mut Output) -> Result<(), Failure> {
        let (new, device) = (&self.header, &self.volume.device);
        out.line(out.bold(&format!("Enrolled: token {} for keyslot {} of {device}.", new.token, new.keyslot)))?;
        tell_recovery(new, out)?;
        out.line("Without the verifier's store it is the only way in.")?;
        out.line("")?;
        show(&self.uri, self.credential.secret.expose(), out)
    }

    fn next(&self, out: &mut Output) -> Result<(), Failure> {
        let device = &self.volume.device;
        let header = self.volume.header.as_ref().map(|header| format!(" --header {header}")).unwrap_or_default();
        let warning = "Whoever has this disk and the one with the verifier's store and sealing keys needs no code; so \
                       that one is encrypted too, or is in another machine.";
        out.line(out.warning(warning))?;
        out.line("")?;
        out.line("Next:")?;
        out.line(format!("  oathgate luks open {device}{header} --test      tries a code"))?;
        out.line(format!("  oathgate luks open {device}{header} NAME        opens it as /dev/mapper/NAME"))?;
        out.line(format!("  {}      in /etc/crypttab", self.crypttab))?;
        out.line("  systemctl enable --now oathgate-disk-key.socket      asks for the code at boot")?;
        out.line(format!("  oathgate revoke {}      takes the code back", self.credential.credential))?;
        out.line(format!("  shred -u {}      the header as it was, when all is well", self.backup))
    }
}
