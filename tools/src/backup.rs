//! `backup` and `restore`: root's files, read and written for the program that
//! alone opens the store.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::Uid;
use otp_wire::SpawnVerifier;

use crate::cli::{Backup, Reach, Restore};
use crate::client::home;
use crate::error::Failure;
use crate::output::Output;

/// Writes a copy of the store into a new file.
///
/// # Errors
/// When there is such a file, or the store can't be read; then no file is left.
pub fn backup(reach: &Reach, arguments: &Backup, out: &mut Output) -> Result<(), Failure> {
    let path = &arguments.file;
    let mut oathgated = oathgated(reach, "--backup")?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|why| at(path, &why))?;
    let copied = run(oathgated.stdin(Stdio::null()).stdout(shared(path, &file)?), "made no back-up")
        .and_then(|()| file.sync_all().map_err(|why| at(path, &why)));
    if copied.is_err() {
        let _ = fs::remove_file(path);
    }
    copied?;
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    out.line(format!("Wrote {} ({} kB).", path.display(), bytes.div_ceil(1024)))?;
    out.line("The sealing keys are not in it: keep a copy of their folder, apart from this file.")
}

/// Puts a copy in the place of the store.
///
/// # Errors
/// When it is no copy of a store, or a verifier is running.
pub fn restore(reach: &Reach, arguments: &Restore, out: &mut Output) -> Result<(), Failure> {
    let path = &arguments.file;
    let mut oathgated = oathgated(reach, "--restore")?;
    let file = File::open(path).map_err(|why| at(path, &why))?;
    let restored = run(oathgated.stdin(Stdio::from(file)), "did not restore it");
    restored.map_err(|failure| match reach.user_store {
        true => failure,
        false => failure.hint(
            "stop the verifier first: systemctl stop oathgated-root.socket oathgated.socket oathgated; \
             afterwards start it again",
        ),
    })?;
    out.line(if reach.user_store { "Done." } else { "Now start the verifier again." })
}

fn at(path: &Path, why: &std::io::Error) -> Failure {
    let failure = Failure::no(format!("{}: {why}", path.display()));
    match why.kind() {
        std::io::ErrorKind::AlreadyExists => failure.hint("back-ups are never overwritten; choose another name"),
        _ => failure,
    }
}

fn shared(path: &Path, file: &File) -> Result<Stdio, Failure> {
    file.try_clone().map(Stdio::from).map_err(|why| at(path, &why))
}

/// The program, told to do `what`. It reports on standard error.
fn oathgated(reach: &Reach, what: &str) -> Result<Command, Failure> {
    let program: PathBuf = SpawnVerifier::beside_caller()
        .map_err(|error| Failure::undecided(error).hint("install oathgated in /usr/libexec/oathgate"))?;
    let mut command = Command::new(program);
    command.arg(what).env_clear().current_dir("/");
    match (reach.user_store, &reach.socket) {
        (_, Some(_)) => return Err(Failure::usage("back-ups do not go through a socket").hint("leave --socket out")),
        (true, None) => {
            command.arg("--user-store").arg("--home").arg(home()?);
        }
        (false, None) if !Uid::effective().is_root() => {
            return Err(Failure::no("the system's store belongs to the system")
                .hint("try it with sudo; or add --user-store for the store of your own"));
        }
        (false, None) => {}
    }
    Ok(command)
}

fn run(command: &mut Command, failed: &str) -> Result<(), Failure> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failure::undecided(format!("oathgated {failed}; its message stands above"))),
        Err(error) => {
            Err(Failure::undecided(format!("can't start {}: {error}", command.get_program().to_string_lossy())))
        }
    }
}
