//! Doing something with the rights of somebody else, as root.

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, getegid, geteuid, getgroups, setegid, seteuid, setgroups};

use crate::as_person;
use crate::as_person::Person;
use crate::error::Failure;

/// Does `work` with the uid, the group and the supplementary groups of
/// `person`: what they may not open is not opened for them. None where one of
/// these is no number here (user_namespaces(7)): nobody has such rights.
///
/// # Errors
/// When the rights can't be changed, or not be had back: then nothing more may
/// be done.
pub fn as_person<T>(person: &Person, work: impl FnOnce() -> T) -> Result<Option<T>, Failure> {
    let failed = |why: Errno| Failure::undecided(format!("can't take the rights of {}: {why}", person.name));
    let (uid, gid, groups) = (geteuid(), getegid(), getgroups().map_err(failed)?);
    let own = as_person::groups(&person.name, Gid::from_raw(person.gid)).map_err(|_| failed(Errno::EIO))?;
    let theirs = setgroups(&own)
        .and_then(|()| setegid(Gid::from_raw(person.gid)))
        .and_then(|()| seteuid(Uid::from_raw(person.uid)));
    let done = theirs.map(|()| work());
    seteuid(uid).and_then(|()| setegid(gid)).and_then(|()| setgroups(&groups)).map_err(failed)?;
    match done {
        Err(Errno::EINVAL) => Ok(None),
        done => done.map(Some).map_err(failed),
    }
}
