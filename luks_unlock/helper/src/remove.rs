//! Taking a token away.

use luks_unlock::order::{Outcome, Proof, Volume};

use crate::enrol::{discard, keyslots};
use crate::failure::Failure;
use crate::volume::{back_up, changeable, load, passphrase, proven};

/// Removes a token and its keyslot, where something else opens the volume.
pub fn remove(volume: &Volume, token: i32, proof: &Proof, backup: &str) -> Result<Outcome, Failure> {
    let device = load(volume)?;
    changeable(&device)?;
    let slots = keyslots(&device, token)?;
    let by = proven(&device, &passphrase(proof)?)?;
    if slots.contains(&by) {
        return Err(Failure::no("that passphrase goes with the token; what opens the volume afterwards is needed"));
    }
    back_up(&device, backup)?;
    discard(&device, token, &slots)?;
    Ok(Outcome::Done {})
}
