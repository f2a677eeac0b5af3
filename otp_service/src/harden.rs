//! What the process gives up before it listens to anybody.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setpriority_process, setrlimit,
};

use crate::Failure;

/// No core dump, no debugger of the same uid: both would show secrets.
///
/// # Errors
/// When the kernel refuses.
pub fn no_dumps() -> Result<(), Failure> {
    let at = |why| Failure::at("core dumps can't be switched off", why);
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(at)?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(at)
}

/// Lifts what the caller of a setuid program may have limited: a verifier that ends at a
/// limit before it has written leaves no trace of a try.
///
/// # Errors
/// When files are still limited: then nothing is certain to be written.
pub fn lift_limits() -> Result<(), Failure> {
    let none = || Rlimit { current: None, maximum: None };
    for resource in [Resource::Fsize, Resource::Cpu, Resource::Data, Resource::As, Resource::Nproc] {
        let _ = setrlimit(resource, none());
    }
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(1024), maximum: Some(1024) });
    let _ = setpriority_process(None, 0);
    match getrlimit(Resource::Fsize).current {
        None => Ok(()),
        Some(bytes) => Err(Failure::at("limits", format!("files may have {bytes} bytes only (ulimit -f)"))),
    }
}

/// Closes every descriptor that a caller may have left open above standard error.
///
/// # Errors
/// When `/proc` can't be read.
pub fn close_inherited() -> Result<(), Failure> {
    let at = |why| Failure::at("/proc/self/fd", why);
    let mut open = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd").map_err(at)? {
        let name = entry.map_err(at)?.file_name();
        open.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()).filter(|fd| *fd > 2));
    }
    for fd in open {
        // The folder's own descriptor is among them and closed by now.
        let _ = nix::unistd::close(fd);
    }
    Ok(())
}

/// Overwrites what earlier calls left on the stack below the caller: the hash
/// of a request keeps its last bytes there, and those can be a code.
#[inline(never)]
pub fn wipe_stack() {
    // One memset, which the black box keeps: volatile stores took a quarter of
    // a request's time. A test searches the memory for what it must wipe; in a
    // build without optimisation a quarter of this is enough.
    let mut below = [0_u8; 16 * 1024];
    std::hint::black_box(&mut below);
}

/// Becomes the user that `folder` belongs to, if we are root; also where that is
/// root, since whoever called a setuid program is still its real user, and may
/// stop it while it has locked the store.
///
/// # Errors
/// When it can't be done; to go on as root is no way out.
pub fn become_owner_of(folder: &Path) -> Result<(), Failure> {
    let metadata = std::fs::metadata(folder).map_err(|why| Failure::at(folder.display(), why))?;
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let at = |why| Failure::at("root's privileges can't be given up", why);
    if metadata.uid() == 0 {
        return setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).map_err(at);
    }
    let (uid, gid) = (Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid()));
    setgroups(&[gid]).map_err(at)?;
    setresgid(gid, gid, gid).map_err(at)?;
    setresuid(uid, uid, uid).map_err(at)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::process::{geteuid, getuid};

    use super::*;

    /// As su calls a verifier: root's rights and the caller's real uid, which
    /// may stop it as long as it has that.
    #[test]
    fn the_caller_of_a_setuid_host_has_no_power_over_it() {
        const CHILD: &str = "OATHGATE_TEST_REAL_UID";
        if std::env::var_os(CHILD).is_some() {
            assert!(!getuid().is_root() && geteuid().is_root());
            become_owner_of(Path::new("/")).unwrap();
            assert!(getuid().is_root() && geteuid().is_root());
            return;
        }
        if !getuid().is_root() {
            eprintln!("skipped: needs root");
            return;
        }
        let mut again = Command::new("setpriv");
        again.args(["--ruid", "65534"]).arg(std::env::current_exe().unwrap()).env(CHILD, "1");
        let output =
            again.args(["--exact", "harden::tests::the_caller_of_a_setuid_host_has_no_power_over_it"]).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
