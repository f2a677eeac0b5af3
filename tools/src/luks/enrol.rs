//! `luks enrol`.

use luks_unlock::order::{View, Volume};

use super::arguments::{Enrol, Gate};
use super::crypttab::{self, Asks};
use super::helper::{look, volume, words};
use super::show::without_code;
use super::{header, store};
use crate::client::Client;
use crate::error::Failure;
use crate::output::Output;
use crate::terminal::{Console, Person};

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
    let made = header::make(&volume, &view, &arguments.new, &arguments.change, None, out)?;
    if arguments.new.json.json {
        made.json(&volume.device, Some(&line), out)?;
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

fn next(volume: &Volume, view: &View, line: &str, out: &mut Output) -> Result<(), Failure> {
    let disk = words(volume);
    out.line("")?;
    out.line("Next:")?;
    out.line(format!("  oathgate luks open {disk} --test      tries PIN and code"))?;
    out.line(format!("  oathgate luks open {disk} NAME        opens it as /dev/mapper/NAME"))?;
    out.line(format!("  {line}      in /etc/crypttab"))?;
    let slots: Vec<String> = without_code(view).iter().map(ToString::to_string).collect();
    out.line(format!(
        "These keyslots open it without a code, the recovery passphrase's among them: {}.",
        slots.join(", ")
    ))?;
    out.line(format!("To remove another one: cryptsetup luksKillSlot {disk} N"))
}
