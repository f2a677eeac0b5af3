//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use luks_unlock::store_gate::SOCKET;

use crate::{Refused, refused};

const HELP: &str = "\
usage: oathgate-disk-key [--crypttab FILE] [--socket PATH] [--ask PROGRAM]

Gives systemd-cryptsetup the key of a volume for a code; started by systemd
(oathgate-disk-key.socket) with the connection as standard input.

  --crypttab FILE   where volumes are listed (/etc/crypttab)
  --socket PATH     root's socket of the verifier (/run/oathgate/root)
  --ask PROGRAM     asks for a code (/usr/bin/systemd-ask-password)
";

/// What the unit says.
#[derive(Debug)]
pub struct Arguments {
    /// crypttab(5).
    pub crypttab: PathBuf,
    /// The verifier's socket for root.
    pub socket: PathBuf,
    /// systemd-ask-password(1), or what takes its arguments.
    pub ask: PathBuf,
}

/// Reads them; none where only help was asked for.
///
/// # Errors
/// When one is unknown or has no value.
pub fn read() -> Result<Option<Arguments>, Refused> {
    let mut words = std::env::args_os().skip(1);
    let mut arguments = Arguments {
        crypttab: "/etc/crypttab".into(),
        socket: SOCKET.into(),
        ask: "/usr/bin/systemd-ask-password".into(),
    };
    while let Some(word) = words.next() {
        let mut path = || value(&word, words.next());
        match word.to_str() {
            Some("--help" | "-h") => {
                print!("{HELP}");
                return Ok(None);
            }
            Some("--version") => {
                println!("oathgate-disk-key {}", env!("CARGO_PKG_VERSION"));
                return Ok(None);
            }
            Some("--crypttab") => arguments.crypttab = path()?,
            Some("--socket") => arguments.socket = path()?,
            Some("--ask") => arguments.ask = path()?,
            _ => return Err(refused(format!("unknown argument {word:?}; see --help"))),
        }
    }
    Ok(Some(arguments))
}

fn value(name: &OsString, value: Option<OsString>) -> Result<PathBuf, Refused> {
    value.map(PathBuf::from).ok_or_else(|| refused(format!("{name:?} needs a value; see --help")))
}
