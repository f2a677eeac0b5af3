//! `init`: the system's store is made by the only program that opens it.

use std::process::Command;

use nix::unistd::Uid;
use otp_wire::SpawnVerifier;

use crate::cli::Reach;
use crate::error::Failure;
use crate::output::Output;

/// Has `oathgated` make folders, a sealing key and the store.
///
/// # Errors
/// When that is not for the caller, or fails.
pub fn run(reach: &Reach, out: &mut Output) -> Result<(), Failure> {
    if reach.user_store {
        return Err(Failure::usage("a store of your own needs no preparation")
            .hint("oathgate --user-store enrol makes it when it is missing"));
    }
    if !Uid::effective().is_root() {
        return Err(Failure::no("the system's store belongs to the system")
            .hint("sudo oathgate init; or add --user-store to your commands for a store of your own, without root"));
    }
    let program = SpawnVerifier::beside_caller()
        .map_err(|error| Failure::undecided(error).hint("install oathgated in /usr/libexec/oathgate"))?;
    let status = Command::new(&program).arg("--init").env_clear().current_dir("/").status();
    match status {
        Ok(status) if status.success() => {
            out.line("Next: systemctl enable --now oathgated-root.socket oathgated.socket, and then: sudo oathgate enrol ACCOUNT")
        }
        Ok(_) => Err(Failure::undecided("oathgated did not make the store; its message stands above")),
        Err(error) => Err(Failure::undecided(format!("can't start {}: {error}", program.display()))),
    }
}
