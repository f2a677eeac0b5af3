//! `oathgate-luks`: does one [`Order`] of `oathgate luks` to a LUKS2 header or
//! a mapping, and reports. It asks nobody and prints nothing but its report.
//!
//! It is a program of its own so that `oathgate` runs where there is no
//! libcryptsetup. In an initramfs it serves our keyscript, see [`keyscript`].

#![forbid(unsafe_code)]

mod enrol;
mod failure;
mod keyscript;
mod look;
mod open;
mod remove;
mod renew;
mod volume;

use std::io::{Read, Write};
use std::process::ExitCode;

use luks_cryptsetup::{hear, heard};
use luks_unlock::order::{MAX_MESSAGE, Order, Outcome, Report};
use otp_wire::frame;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use zeroize::Zeroizing;

use crate::failure::Failure;

fn main() -> ExitCode {
    // Secrets pass through here: no core dump and no debugger may see them.
    if set_dumpable_behavior(DumpableBehavior::NotDumpable).is_err() {
        return ExitCode::from(3);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => report(),
        ["--ready", header] => keyscript::ready(header),
        ["--key", header] => keyscript::key(header),
        _ => {
            eprintln!("usage: oathgate-luks [--ready HEADER | --key HEADER]; people use oathgate luks");
            ExitCode::from(2)
        }
    }
}

/// One order, one report.
fn report() -> ExitCode {
    hear();
    let outcome = order().and_then(obey).unwrap_or_else(Failure::outcome);
    let report = Report { said: heard(), outcome };
    let written = frame::encode(&report, MAX_MESSAGE).and_then(|line| std::io::stdout().write_all(&line));
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(3) }
}

/// The order on standard input.
fn order() -> Result<Order, Failure> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_MESSAGE));
    let limit = u64::try_from(MAX_MESSAGE).unwrap_or(u64::MAX);
    let read = std::io::stdin().take(limit).read_to_end(&mut line);
    let order = read.and_then(|_| frame::decode(&line));
    order.map_err(|error| Failure::new(format!("not an order: {error}")).hint("use oathgate luks"))
}

fn obey(order: Order) -> Result<Outcome, Failure> {
    match order {
        Order::Look(volume) => look::look(&volume),
        Order::List {} => look::list(),
        Order::Plugin {} => look::plugin(),
        Order::Ready(volume) => open::ready(&volume),
        Order::Enrol(enrol) => enrol::enrol(&enrol),
        Order::EnrolStore(enrol) => enrol::enrol_store(&enrol),
        Order::Renew(order) => renew::renew(&order),
        Order::Settle(order) => renew::settle(&order),
        Order::Open(open) => open::open(&open),
        Order::Close { name } => open::close(&name),
        Order::Suspend { name } => open::suspend(&name),
        Order::Resume { name, header, answer } => open::resume(&name, header.as_deref(), &answer),
        Order::Remove { volume, token, proof, backup } => remove::remove(&volume, token, &proof, &backup),
    }
}
