//! `oathgate-disk-key`: gives systemd-cryptsetup the key of a volume, for a
//! code that the verifier accepts (crypttab(5), "AF_UNIX KEY FILES").
//!
//! systemd starts it for each connection, with the connection as standard
//! input. The peer must be root: anybody may take a name like systemd's.

#![forbid(unsafe_code)]

mod arguments;
mod ask;
mod caller;
mod crypttab;
mod header;
mod wait;

use std::fmt;
use std::io::stdin;
use std::process::ExitCode;

use luks_unlock::SlotKey;
use luks_unlock::store_gate::{Unsealed, unseal};
use otp_core::Volume;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use crate::arguments::Arguments;

/// Codes that are asked for; then systemd asks for the passphrase.
const TRIES: usize = 5;

/// Why no key is given away, for the log.
#[derive(Debug, PartialEq, Eq)]
struct Refused(String);

fn refused(why: impl fmt::Display) -> Refused {
    Refused(why.to_string())
}

fn main() -> ExitCode {
    let given = arguments::read().and_then(|arguments| match arguments {
        None => Ok(()),
        Some(arguments) => serve(&arguments),
    });
    match given {
        Ok(()) => ExitCode::SUCCESS,
        Err(Refused(why)) => {
            eprintln!("oathgate-disk-key: {why}");
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: &Arguments) -> Result<(), Refused> {
    // A key passes through here: no core dump and no debugger may see it.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused)?;
    let connection = stdin();
    let name = caller::volume(&connection)?;
    let volume = crypttab::volume(&arguments.crypttab, &name)?;
    let key = key(arguments, &name, &volume)?;
    caller::give(&connection, key.expose()).map_err(|why| refused(format!("{name}: nobody took the key: {why}")))
}

/// Asks for codes until one opens the volume.
fn key(arguments: &Arguments, name: &str, volume: &Volume) -> Result<SlotKey, Refused> {
    wait::wait_for(&arguments.socket)?;
    let mut line = String::new();
    for _ in 0..TRIES {
        let typed = ask::code(&arguments.ask, name, &line)?;
        match unseal(&arguments.socket, volume.as_str(), &typed) {
            Unsealed::Key(key) => return Ok(key),
            Unsealed::No(said) => line = said,
            Unsealed::Unasked(why) => return Err(refused(why)),
        }
    }
    Err(refused(format!("{name}: {TRIES} codes were refused")))
}
