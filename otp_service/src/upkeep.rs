//! What is done once and then ends: back-ups, restoring one, the next sealing key.
//!
//! The store's own user reads and writes it; root's files come and go by
//! standard input and output, which root opens.

use std::fs::File;
use std::os::fd::AsFd;

use otp_store::{Restored, SealingKeys};

use crate::start::Plan;
use crate::{Failure, harden, now};

/// Copies the store to standard output, beside a running service.
///
/// # Errors
/// When the store can't be read or the copy not be written.
pub(crate) fn backup(plan: &Plan) -> Result<(), Failure> {
    let mut out = file("standard output", std::io::stdout().as_fd())?;
    harden::become_owner_of(plan.folder())?;
    otp_store::backup(&plan.store, &mut out)?;
    Ok(())
}

/// Puts the back-up from standard input in the place of the store.
///
/// # Errors
/// When a verifier runs, or that is no back-up; then the store is as it was.
pub(crate) fn restore(plan: &Plan) -> Result<(), Failure> {
    let mut back = file("standard input", std::io::stdin().as_fd())?;
    let keys = SealingKeys::load(&plan.keys)?;
    harden::become_owner_of(plan.folder())?;
    let restored = otp_store::restore(&plan.store, &mut back, &keys, now())?;
    told(&restored).iter().for_each(|line| println!("{line}"));
    let text = format!("restored a back-up of {} owner(s) to {}", restored.owners, plan.store.display());
    otp_wire::syslog::authpriv("oathgated", &text);
    Ok(())
}

/// A descriptor that is no terminal: a store is nothing to look at or to type.
fn file(name: &str, descriptor: std::os::fd::BorrowedFd<'_>) -> Result<File, Failure> {
    if rustix::termios::isatty(descriptor) {
        return Err(Failure::at(name, "is a terminal; use oathgate backup or oathgate restore"));
    }
    Ok(File::from(descriptor.try_clone_to_owned().map_err(|why| Failure::at(name, why))?))
}

fn told(restored: &Restored) -> Vec<String> {
    let mut lines = vec![format!("restored {} owner(s)", restored.owners)];
    if restored.lost > 0 {
        lines.push(format!(
            "of {} of them nobody knows what was used since: their HOTP credentials are disabled, their scratch codes \
             used up, and TOTP begins with the code after the next",
            restored.lost
        ));
    }
    if restored.kept > 0 {
        lines.push(format!("{} owner(s) enrolled since the back-up stay", restored.kept));
    }
    if let Some(aside) = &restored.aside {
        lines.push(format!("the store before is kept as {}", aside.display()));
    }
    lines
}

/// Makes the next sealing key. What is there stays: older records need it.
///
/// # Errors
/// When there is no key yet, or none can be made.
pub(crate) fn rotate(plan: &Plan) -> Result<(), Failure> {
    let before = SealingKeys::load(&plan.keys)?.current();
    let key = SealingKeys::create(&plan.keys)?;
    println!("made the sealing key {}; keep a copy of it apart from copies of the store", key.display());
    println!("restart the verifier to use it: systemctl restart oathgated");
    println!("keep {before}.key until oathgate status says that no record needs an older key");
    Ok(())
}
