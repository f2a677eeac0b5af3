//! What the process gives up.

use std::io;

use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use otp_import::pipe::{MEMORY, SECONDS};
use rustix::process::{DumpableBehavior, Resource, Rlimit, geteuid, set_dumpable_behavior, setrlimit};

/// `nobody` and `nogroup`. The descriptors are open already, so no more is
/// needed: not even the rights of the files' owners.
const NOBODY: u32 = 65_534;

/// Privileges, core dumps, children, files of any size, memory and time.
///
/// # Errors
/// When the kernel refuses: then nothing is read.
pub fn give_up_everything() -> io::Result<()> {
    if geteuid().is_root() {
        let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        let at = |why| io::Error::other(format!("can't become nobody: {why}"));
        setgroups(&[]).and_then(|()| setresgid(gid, gid, gid)).and_then(|()| setresuid(uid, uid, uid)).map_err(at)?;
    }
    // After the change of uid, which may have made it dumpable again.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::thread::set_no_new_privs(true)?;
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nproc, 0),
        (Resource::As, MEMORY),
        (Resource::Cpu, SECONDS),
    ] {
        limit(resource, most)?;
    }
    Ok(())
}

/// From here on no file and no socket can be opened.
///
/// # Errors
/// When the kernel refuses.
pub fn open_nothing_more() -> io::Result<()> {
    limit(Resource::Nofile, 0)
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}
