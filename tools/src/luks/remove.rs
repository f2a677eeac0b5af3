//! `luks remove`.

use luks_unlock::order::{Order, Outcome};

use super::arguments::{Gate, Named};
use super::helper::{look, order, unexpected, volume};
use super::show::known;
use super::store;
use super::typed::{Source, backup};
use crate::client::Client;
use crate::error::Failure;
use crate::output::Output;

/// Takes a token away.
///
/// # Errors
/// When it stays.
pub fn remove<'a>(
    client: impl FnOnce() -> Result<Client<'a>, Failure>,
    arguments: &Named,
    out: &mut Output,
) -> Result<(), Failure> {
    let volume = volume(&arguments.disk)?;
    let view = look(&volume)?;
    let gate = known(&view, arguments.token)?;
    let backup = backup(&arguments.change, &view)?;
    let proof = Source::of(arguments.change.stdin, &volume.device).proof(&arguments.change)?;
    match order(&Order::Remove { volume, token: arguments.token, proof, backup: backup.clone() })? {
        Outcome::Done {} => {
            out.line(format!("Token {} and its keyslot are gone.", arguments.token))?;
            if gate == Gate::Store {
                out.line(store::forget(&client()?, &view.uuid)?)?;
                return out.line(format!("The header as it was is in {backup}."));
            }
            out.line(format!("The header as it was is in {backup}; PIN and code still open it. When you are sure:"))?;
            out.line(format!("  shred -u {backup}"))
        }
        other => Err(unexpected(&other)),
    }
}
