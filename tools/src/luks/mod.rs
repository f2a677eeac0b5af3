//! `oathgate luks`: codes for encrypted disks.
//!
//! What touches a header or a mapping is done by `oathgate-luks` ([`helper`]);
//! here people are asked and told.

pub mod arguments;
pub mod crypttab;
mod enrol;
mod header;
pub mod helper;
mod made;
mod open;
mod remove;
mod rotate;
pub mod show;
pub mod store;
mod typed;

use arguments::Luks;

use crate::client::Client;
use crate::error::Failure;
use crate::output::Output;

/// Does what stands behind `luks`.
///
/// # Errors
/// When it was not done.
pub fn run<'a>(
    client: impl FnOnce() -> Result<Client<'a>, Failure>,
    verb: &Luks,
    out: &mut Output,
) -> Result<(), Failure> {
    match verb {
        Luks::Enrol(arguments) => enrol::enrol(client, arguments, out),
        Luks::Rotate(arguments) => rotate::rotate(client, arguments, out),
        Luks::Remove(arguments) => remove::remove(client, arguments, out),
        Luks::Open(arguments) => open::open(arguments, out),
        Luks::Close(arguments) => open::close(arguments),
        Luks::Suspend(arguments) => open::suspend(arguments, out),
        Luks::Resume(arguments) => open::resume(arguments),
        Luks::Status(arguments) => show::status(arguments, out),
        Luks::List(json) => show::list(*json, out),
    }
}
