//! `doctor luks`: whether each disk will ask for its code, and can be opened
//! when it does not.
//!
//! Here it is looked: `oathgate-luks` reads headers, [`host`] finds what has to
//! be installed, the verifier says what it keeps. The rest judges: [`mod@line`]
//! what stands in crypttab(5), [`header`] what is in a header.

mod header;
mod host;
mod line;

use std::fs::{self, File};
use std::path::Path;

use luks_unlock::Moment;
use luks_unlock::crypttab::Line;
use luks_unlock::order::{Order, Outcome, View, Volume};
use luks_unlock::token::Gate;
use otp_wire::message::OwnerRow;

use crate::cli::DoctorLuks;
use crate::client::Client;
use crate::clock;
use crate::doctor::finding::{Finding, State, report};
use crate::doctor::{from_failure, person};
use crate::error::Failure;
use crate::luks::helper::{look, order, text, unexpected, words};
use crate::luks::show::is_of_store;
use crate::luks::store::record;
use crate::output::Output;
use host::Host;
use line::Told;

/// Where the line of a volume stands.
struct Placed<'a> {
    line: Line<'a>,
    /// `FILE:LINE`
    at: String,
}

/// A volume that was looked at.
struct Seen<'a> {
    volume: Volume,
    view: View,
    placed: Option<&'a Placed<'a>>,
}

/// Looks at every volume of crypttab and at those that are named.
///
/// # Errors
/// When something is bad, or could not be seen.
pub fn run<'a>(
    client: impl FnOnce() -> Result<Client<'a>, Failure>,
    arguments: &DoctorLuks,
    out: &mut Output,
) -> Result<(), Failure> {
    // Who can't be asked about plugins can't be asked about headers.
    let plugin = plugin()?;
    let crypttab = read(&arguments.crypttab)?;
    let placed = placed(&arguments.crypttab, &crypttab);
    let (mut seen, mut findings) = (vec![], vec![]);
    for placed in &placed {
        match of_line(placed) {
            Ok(found) => seen.extend(found),
            Err(finding) => findings.push(*finding),
        }
    }
    for device in &arguments.devices {
        let volume = Volume { device: text(device)?, header: None };
        match look(&volume) {
            Ok(view) if seen.iter().any(|seen: &Seen| seen.view.uuid == view.uuid) => {}
            Ok(view) => seen.push(Seen { volume, view, placed: None }),
            Err(failure) => findings.push(from_failure(failure)),
        }
    }
    if seen.is_empty() && findings.is_empty() {
        let line = format!("no volume of {} asks for a code", arguments.crypttab.display());
        findings.push(Finding::warning(line).run("oathgate luks list, and oathgate luks enrol DEVICE"));
    }
    if !seen.is_empty() {
        findings.push(plugin);
        findings.extend(judge(client, &seen));
    }
    report(&findings, arguments.json.json, out)
}

/// crypttab's text; nothing where there is no such file.
fn read(path: &Path) -> Result<String, Failure> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        text => text.map_err(|error| Failure::undecided(format!("{}: {error}", path.display()))),
    }
}

fn placed<'a>(path: &Path, text: &'a str) -> Vec<Placed<'a>> {
    let at = |number: usize| format!("{}:{}", path.display(), number + 1);
    let lines = text.lines().enumerate();
    lines.filter_map(|(number, text)| Some(Placed { line: Line::parse(text)?, at: at(number) })).collect()
}

/// The volume of a line, where codes have to do with it.
fn of_line<'a>(placed: &'a Placed<'a>) -> Result<Option<Seen<'a>>, Box<Finding>> {
    let line = &placed.line;
    if line::is_no_luks(line) {
        return Ok(None);
    }
    let device = device(line.device);
    let header = line.option("header").map(str::to_owned);
    let volume = Volume { device: device.clone(), header };
    let named = || format!("{} ({})", line.name, volume.header.as_ref().unwrap_or(&device));
    if let Err(error) = File::open(volume.header.as_ref().unwrap_or(&device)) {
        let finding = Finding::unseen(format!("{} can't be looked at: {error}", named())).at(&placed.at);
        return Err(Box::new(finding.run("sudo oathgate doctor luks, with the disk there")));
    }
    match look(&volume) {
        Ok(view) if !view.tokens.is_empty() || line::names_us(line) => {
            Ok(Some(Seen { volume, view, placed: Some(placed) }))
        }
        // Another volume's line; or what there is asks for no code.
        Ok(_) => Ok(None),
        Err(failure) if line::names_us(line) => Err(Box::new(from_failure(failure).at(&placed.at))),
        Err(_) => Ok(None),
    }
}

/// The device behind a field of crypttab(5).
fn device(field: &str) -> String {
    const NAMES: [(&str, &str); 4] =
        [("UUID=", "by-uuid"), ("LABEL=", "by-label"), ("PARTUUID=", "by-partuuid"), ("PARTLABEL=", "by-partlabel")];
    let named = NAMES.iter().find_map(|(tag, folder)| Some((field.strip_prefix(tag)?.trim_matches('"'), folder)));
    named.map_or_else(|| field.to_owned(), |(name, folder)| format!("/dev/disk/{folder}/{name}"))
}

fn judge<'a>(client: impl FnOnce() -> Result<Client<'a>, Failure>, seen: &[Seen]) -> Vec<Finding> {
    let host = Host::look();
    let moment = Moment::of_this_boot(clock::now());
    let mut findings: Vec<Finding> = seen.iter().flat_map(|seen| of_volume(seen, &host, &moment)).collect();
    findings.extend(host.judge(&seen.iter().filter_map(told).collect::<Vec<_>>()));
    let sealed: Vec<&Seen> = seen.iter().filter(|seen| gate(&seen.view) == Some(Gate::Store)).collect();
    if !sealed.is_empty() {
        match client() {
            Ok(client) => findings.extend(sealed.iter().flat_map(|seen| kept(&client, seen))),
            Err(failure) => findings.push(from_failure(failure)),
        }
    }
    findings
}

/// What a volume's token demands of its line; the header's gate comes first.
fn gate(view: &View) -> Option<Gate> {
    let sealed = view.tokens.iter().map(|(_, json)| is_of_store(json));
    sealed.min().map(|store| if store { Gate::Store } else { Gate::Header })
}

fn told<'a>(seen: &'a Seen<'a>) -> Option<Told<'a>> {
    let (gate, placed) = (gate(&seen.view)?, seen.placed?);
    let header = seen.volume.header.as_deref();
    Some(Told {
        line: placed.line,
        at: &placed.at,
        gate,
        root: host::is_root(&seen.view.names),
        uuid: &seen.view.uuid,
        header,
    })
}

fn of_volume(seen: &Seen, host: &Host, moment: &Moment) -> Vec<Finding> {
    let place = seen.volume.header.as_deref().unwrap_or(&seen.volume.device);
    let mut findings = header::judge(&seen.volume, &seen.view, moment);
    match told(seen) {
        Some(told) => findings.extend(line::judge(&told)),
        None if gate(&seen.view).is_some() => {
            let line = format!("{place} is not in crypttab: nobody asks for its code at boot");
            findings.push(Finding::warning(line).run(format!("oathgate luks open {place} NAME, by hand")));
        }
        None => {}
    }
    findings.extend(host.copies(&seen.view.uuid));
    if findings.is_empty() {
        let name = seen.placed.map_or(place, |placed| placed.line.name);
        findings.push(Finding::new(
            State::Good,
            format!("{name} asks for a code, and has a passphrase for the day it can't"),
        ));
    }
    findings
}

fn plugin() -> Result<Finding, Failure> {
    match order(&Order::Plugin {})? {
        Outcome::Plugin(plugin) => Ok(host::plugin(&plugin)),
        other => Err(unexpected(&other)),
    }
}

/// What the verifier keeps for a volume.
fn kept(client: &Client, seen: &Seen) -> Vec<Finding> {
    match record(client, &seen.view.uuid) {
        Err(failure) => vec![from_failure(failure)],
        Ok(Some(owner)) if owner.credentials.iter().any(|each| each.state == "active") => person(&owner, &client.call),
        Ok(owner) => vec![no_code(&client.call, seen, owner.as_ref())],
    }
}

fn no_code(call: &str, seen: &Seen, owner: Option<&OwnerRow>) -> Finding {
    let disk = words(&seen.volume);
    let remove = |(token, _): &(i32, String)| format!("{call} luks remove {disk} --token {token}, then ");
    let disabled = owner.and_then(|owner| owner.credentials.iter().find(|each| each.state == "disabled"));
    let line = format!("the verifier takes no code for {}: no credential of it is active", seen.volume.device);
    Finding::bad(line).run(match disabled {
        Some(credential) => format!("{call} enable {}", credential.id),
        None => seen.view.tokens.iter().map(remove).collect::<String>() + &format!("{call} luks enrol {disk}"),
    })
}

#[cfg(test)]
mod tests;
