//! `luks rotate`.

use super::arguments::{Gate, Rotate};
use super::helper::{look, volume};
use super::show::known;
use super::{header, store};
use crate::client::Client;
use crate::error::Failure;
use crate::output::Output;

/// Puts a new token into the place of an old one; at the store gate a new key.
///
/// # Errors
/// When it was not replaced.
pub fn rotate<'a>(
    client: impl FnOnce() -> Result<Client<'a>, Failure>,
    arguments: &Rotate,
    out: &mut Output,
) -> Result<(), Failure> {
    let Rotate { named, new } = arguments;
    let volume = volume(&named.disk)?;
    let view = look(&volume)?;
    if known(&view, named.token)? == Gate::Store {
        return store::rotate(&client()?, &volume, &view, arguments, out);
    }
    let made = header::make(&volume, &view, new, &named.change, Some(named.token), out)?;
    if new.json.json {
        return made.json(&volume.device, None, out);
    }
    made.tell(&volume.device, out)?;
    out.line(format!("Token {} and its keyslot are gone.", named.token))
}
