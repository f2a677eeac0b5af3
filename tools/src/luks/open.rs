//! `luks open`, `close`, `suspend`, `resume`.

use luks_unlock::failures::MAX_FAILURES;
use luks_unlock::order::{self, Order, Outcome, Typed, View, Volume};

use super::arguments::{Close, Open, Resume};
use super::helper::{look, order, told, unexpected, volume, with_header, words};
use super::show::is_of_store;
use super::typed::{Source, typed};
use crate::error::Failure;
use crate::output::Output;

/// What is asked for: without a gate of the header's, a code alone.
fn prompt(view: &View) -> &'static str {
    if view.tokens.iter().all(|(_, json)| is_of_store(json)) { "Code: " } else { "PIN and code: " }
}

/// Opens a disk, or only tries to.
///
/// # Errors
/// When it stays shut.
pub fn open(arguments: &Open, out: &mut Output) -> Result<(), Failure> {
    let volume = volume(&arguments.disk)?;
    let instead = to_open(&volume, arguments.name.as_deref());
    match order(&Order::Ready(volume.clone()))? {
        Outcome::Done {} => {}
        _ => return Err(aside(&instead)),
    }
    let flags = arguments.mapping.into();
    let prompt = prompt(&look(&volume)?);
    answered(Source::of(arguments.stdin, &volume.device), prompt, &instead, |answer| {
        let (volume, name) = (volume.clone(), arguments.name.clone());
        Order::Open(order::Open { volume, name, answer, flags })
    })?;
    match &arguments.name {
        None => out.line("That is right; the code is used up."),
        Some(name) => {
            out.line(format!("Opened: /dev/mapper/{name}"))?;
            out.line(format!("To close it: oathgate luks close {name}"))
        }
    }
}

/// Closes an open disk.
///
/// # Errors
/// When it stays open.
pub fn close(arguments: &Close) -> Result<(), Failure> {
    done(&Order::Close { name: arguments.name.clone() })
}

/// Stops an open disk.
///
/// # Errors
/// When it goes on.
pub fn suspend(arguments: &Close, out: &mut Output) -> Result<(), Failure> {
    done(&Order::Suspend { name: arguments.name.clone() })?;
    out.line(format!("Suspended: whatever uses it waits. To let it go on: oathgate luks resume {}", arguments.name))
}

/// Lets a suspended disk go on.
///
/// # Errors
/// When it stays suspended.
pub fn resume(arguments: &Resume) -> Result<(), Failure> {
    let header = arguments.header.as_deref().map(super::helper::text).transpose()?;
    let instead = to_resume(&arguments.name, header.as_deref());
    answered(Source::of(arguments.stdin, &arguments.name), "PIN and code, or code: ", &instead, |answer| {
        Order::Resume { name: arguments.name.clone(), header: header.clone(), answer }
    })
}

/// Asks until an answer is taken, or no further one will be; then it says what
/// to run `instead`.
fn answered(source: Source<'_>, prompt: &str, instead: &str, make: impl Fn(Typed) -> Order) -> Result<(), Failure> {
    let tries = if source == Source::Stdin { 1 } else { MAX_FAILURES };
    let mut why = String::new();
    for _ in 0..tries {
        let answer = typed(&source.ask_after(&why, prompt)?)?;
        match told(&make(answer))? {
            (Outcome::Done {}, _) => return Ok(()),
            (Outcome::Refused { again: true }, said) => why = said.join(" "),
            (Outcome::Refused { again: false }, _) => return Err(aside(instead)),
            (other, _) => return Err(unexpected(&other)),
        }
    }
    Err(Failure::no("refused"))
}

/// What asks for a passphrase.
fn to_open(volume: &Volume, name: Option<&str>) -> String {
    format!("cryptsetup open {} {}", words(volume), name.unwrap_or("NAME"))
}

/// The same for a suspended volume, which is open.
fn to_resume(name: &str, header: Option<&str>) -> String {
    format!("cryptsetup luksResume {}", with_header(name, header))
}

fn aside(instead: &str) -> Failure {
    Failure::no("no code is taken now").hint(format!("use a passphrase: {instead}"))
}

fn done(wanted: &Order) -> Result<(), Failure> {
    match order(wanted)? {
        Outcome::Done {} => Ok(()),
        other => Err(unexpected(&other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_advised_works() {
        let mut volume = Volume { device: "/dev/sdb1".to_owned(), header: None };
        assert_eq!(to_open(&volume, Some("data")), "cryptsetup open /dev/sdb1 data");
        volume.header = Some("/boot/h".to_owned());
        assert_eq!(to_open(&volume, None), "cryptsetup open /dev/sdb1 --header /boot/h NAME");
        assert_eq!(to_resume("data", None), "cryptsetup luksResume data");
        assert_eq!(to_resume("data", Some("/boot/h")), "cryptsetup luksResume data --header /boot/h");
    }
}
