//! `oathgate-luks`, which alone knows libcryptsetup.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use luks_unlock::order::{Enrolled, MAX_MESSAGE, Order, Outcome, Report, View, Volume};
use otp_wire::frame;
use otp_wire::spawn::beside_caller;
use otp_wire::syslog::escape;
use zeroize::Zeroizing;

use super::arguments::Disk;
use crate::error::Failure;

/// Has an order done. What was said meanwhile is on standard error.
///
/// # Errors
/// When it could not be done.
pub fn order(order: &Order) -> Result<Outcome, Failure> {
    told(order).map(|(outcome, _)| outcome)
}

/// The same, and what was said.
///
/// # Errors
/// See [`order`].
pub fn told(order: &Order) -> Result<(Outcome, Vec<String>), Failure> {
    let report = report(order)?;
    report.said.iter().for_each(|line| eprintln!("{}", escape(line)));
    match report.outcome {
        Outcome::Failed { what, hint, refused } => {
            let failure = if refused { Failure::no(escape(&what)) } else { Failure::undecided(escape(&what)) };
            Err(match hint {
                Some(hint) => failure.hint(escape(&hint)),
                None => failure,
            })
        }
        outcome => Ok((outcome, report.said)),
    }
}

fn report(order: &Order) -> Result<Report, Failure> {
    let program = beside_caller("oathgate-luks").map_err(|error| {
        Failure::undecided(error).hint("install oathgate-luks, and libcryptsetup with it, into ../libexec/oathgate")
    })?;
    let failed = |error: std::io::Error| Failure::undecided(format!("can't use oathgate-luks: {error}"));
    let line = frame::encode(order, MAX_MESSAGE).map_err(failed)?;
    let mut child = Command::new(program)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    // It reads everything before it writes anything; what it does not read, it says in its report.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(&line));
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_MESSAGE));
    let limit = u64::try_from(MAX_MESSAGE).unwrap_or(u64::MAX);
    let read = child.stdout.take().map_or(Ok(0), |stdout| stdout.take(limit).read_to_end(&mut bytes));
    let _ = child.wait();
    read.and_then(|_| frame::decode(&bytes)).map_err(|error| {
        failed(error).hint("is libcryptsetup installed, and of the same version as when oathgate-luks was built?")
    })
}

/// What is in a disk's header.
///
/// # Errors
/// When there is none that can be used.
pub fn look(volume: &Volume) -> Result<View, Failure> {
    match order(&Order::Look(volume.clone()))? {
        Outcome::Header(view) => Ok(view),
        other => Err(unexpected(&other)),
    }
}

/// Has an order done that makes a token.
///
/// # Errors
/// When it was not made.
pub fn enrolled(wanted: &Order) -> Result<Enrolled, Failure> {
    match order(wanted)? {
        Outcome::Enrolled(enrolled) => Ok(*enrolled),
        other => Err(unexpected(&other)),
    }
}

/// A disk, as an order names it.
///
/// # Errors
/// When its path is no text.
pub fn volume(disk: &Disk) -> Result<Volume, Failure> {
    Ok(Volume { device: text(&disk.device)?, header: disk.header.as_deref().map(text).transpose()? })
}

/// A disk as commands name it, ours and cryptsetup's.
pub fn words(volume: &Volume) -> String {
    with_header(&volume.device, volume.header.as_deref())
}

/// The same for an open one.
pub fn with_header(name: &str, header: Option<&str>) -> String {
    header.map_or_else(|| name.to_owned(), |header| format!("{name} --header {header}"))
}

/// A path as text.
///
/// # Errors
/// When it is none.
pub fn text(path: &Path) -> Result<String, Failure> {
    path.to_str().map(str::to_owned).ok_or_else(|| Failure::usage(format!("{} is no text", path.display())))
}

/// An outcome that does not go with the order.
pub fn unexpected(outcome: &Outcome) -> Failure {
    match outcome {
        Outcome::Refused { .. } => Failure::no("refused"),
        _ => Failure::undecided("oathgate-luks answered something else")
            .hint("are oathgate and oathgate-luks of the same version?"),
    }
}
