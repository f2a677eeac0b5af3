//! The store gate: the verifier keeps the key of a disk.

use luks_unlock::SlotKey;
use luks_unlock::order::{EnrolStore, Enrolled, Order, Outcome, Proof, Renew, Settle, View, Volume};
use otp_core::{Owner, Secret};
use otp_wire::message::{self, DiskEnrol, DiskKey, OwnerRow, Unseal, VolumeName};
use otp_wire::{Ask, SecretText};
use zeroize::Zeroizing;

use super::arguments::{Enrol, New, Rotate};
use super::helper::{enrolled, order, unexpected, words};
use super::made::{Shown, show, tell_recovery};
use super::show::is_of_store;
use super::typed::{Source, backup};
use crate::client::{self, Client};
use crate::enrol::{label_of, uri};
use crate::error::Failure;
use crate::list::owners;
use crate::output::Output;

/// Wrong first codes before it is left at that.
const TRIES: usize = 3;

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
    // All of the store first, then the header: a key that opens nothing does no
    // harm, and a header is not left with a token that nothing opens.
    let key = SlotKey::random().map_err(Failure::undecided)?;
    client.done(Ask::DiskKey(DiskKey { volume: view.uuid.clone(), key: base32(&key)? }))?;
    let both = credential(client, view, volume, &arguments.new)
        .and_then(|credential| Ok((put(volume, proof, &key, &backup)?, credential)));
    let (header, credential) = both.inspect_err(|_| drop(forget(client, &view.uuid)))?;
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

/// Puts a new key into the place of the old one; the code stays.
///
/// # Errors
/// When it was not replaced; the disk opens with the same code then.
pub fn rotate(
    client: &Client,
    volume: &Volume,
    view: &View,
    arguments: &Rotate,
    out: &mut Output,
) -> Result<(), Failure> {
    let Rotate { named, new } = arguments;
    if new.is_about_codes() {
        return Err(Failure::usage("the verifier keeps the key of that token, and the code stays as it is")
            .hint("for another code: oathgate luks remove, then oathgate luks enrol"));
    }
    let kept =
        record(client, &view.uuid)?.is_some_and(|owner| owner.credentials.iter().any(|one| one.state != "revoked"));
    if !kept {
        return Err(Failure::no("the verifier keeps no key of this disk")
            .hint("oathgate luks remove takes the token away; then enrol the disk again"));
    }
    let proof = Source::of(named.change.stdin, &volume.device).proof(&named.change)?;
    let (backup, key) = (backup(&named.change, view)?, SlotKey::random().map_err(Failure::undecided)?);
    let renewed = renew(volume, named.token, proof, &key, &backup)?;
    // Whichever key it has now, the header has a keyslot for it.
    client.done(Ask::DiskKey(DiskKey { volume: view.uuid.clone(), key: base32(&key)? })).map_err(half)?;
    settle(volume, &renewed, &key).map_err(half)?;
    if new.json.json {
        return out.json(&Shown::of(&volume.device, &renewed, &backup));
    }
    out.line(format!(
        "Token {} has a new key, in keyslot {}; the old one opens nothing any more.",
        named.token, renewed.keyslot
    ))?;
    out.line("The code is the same as before.")?;
    out.line(format!("  shred -u {backup}      the header as it was, when all is well"))
}

/// With a keyslot for the old key and one for the new one.
fn half(failure: Failure) -> Failure {
    failure.hint("the disk still opens with the same code; rotate again, which removes what is left over")
}

fn renew(volume: &Volume, token: i32, proof: Proof, key: &SlotKey, backup: &str) -> Result<Enrolled, Failure> {
    let (volume, key, backup) = (volume.clone(), base32(key)?, backup.to_owned());
    enrolled(&Order::Renew(Box::new(Renew { volume, token, proof, key, backup })))
}

fn settle(volume: &Volume, renewed: &Enrolled, key: &SlotKey) -> Result<(), Failure> {
    let (volume, key) = (volume.clone(), base32(key)?);
    match order(&Order::Settle(Settle { volume, token: renewed.token, keyslot: renewed.keyslot, key }))? {
        Outcome::Done {} => Ok(()),
        other => Err(unexpected(&other)),
    }
}

/// What the verifier has about a disk.
///
/// # Errors
/// When it does not say.
pub fn record(client: &Client, uuid: &str) -> Result<Option<OwnerRow>, Failure> {
    let volume = uuid.to_ascii_lowercase().parse().map_err(|error| Failure::no(format!("{uuid}: {error}")))?;
    Ok(owners(client, None, Some(Owner::of_volume(&volume).to_string()))?.pop())
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

fn put(volume: &Volume, proof: Proof, key: &SlotKey, backup: &str) -> Result<Enrolled, Failure> {
    let (volume, key, backup) = (volume.clone(), base32(key)?, backup.to_owned());
    enrolled(&Order::EnrolStore(Box::new(EnrolStore { volume, proof, key, backup })))
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
        let mut shown = Shown::of(&self.volume.device, &self.header, &self.backup);
        (shown.credential, shown.uri) = (Some(self.credential.credential.as_str()), Some(self.uri.as_str()));
        shown.crypttab = Some(self.crypttab);
        out.json(&shown)
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
        let disk = words(self.volume);
        let warning = "Whoever has this disk and the one with the verifier's store and sealing keys needs no code; so \
                       that one is encrypted too, or is in another machine.";
        out.line(out.warning(warning))?;
        out.line("")?;
        out.line("Next:")?;
        out.line(format!("  oathgate luks open {disk} --test      tries a code"))?;
        out.line(format!("  oathgate luks open {disk} NAME        opens it as /dev/mapper/NAME"))?;
        out.line(format!("  {}      in /etc/crypttab", self.crypttab))?;
        out.line("  systemctl enable --now oathgate-disk-key.socket      asks for the code at boot")?;
        out.line(format!("  oathgate revoke {}      takes the code back", self.credential.credential))?;
        out.line(format!("  shred -u {}      the header as it was, when all is well", self.backup))
    }
}
