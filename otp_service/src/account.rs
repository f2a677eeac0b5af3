//! Accounts as the system spells them.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nix::unistd::{Gid, Uid};
use otp_core::{Account, UnixTime};
use otp_wire::passwd::{self, Entry};

use crate::access::{Peer, Role};

/// What an account's name turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// This account, and the peer may speak for it.
    Account(Account),
    /// No such account.
    Unknown,
    /// Another uid's account.
    Foreign,
}

/// Finds the canonical name (getpwnam(3)) of the account that `peer` names.
///
/// # Errors
/// When the user database can't be asked; nothing may be decided then.
pub fn find(peer: Peer, name: &str) -> Result<Found, String> {
    let Ok(account) = name.parse::<Account>() else { return Ok(Found::Unknown) };
    let user = of_name(name).map_err(|why| format!("user database: {why}"))?;
    Ok(match (user, peer.role) {
        (Some(user), Role::Root) => canonical(&user),
        (Some(user), _) if user.uid == peer.uid => canonical(&user),
        (Some(_), _) => Found::Foreign,
        // A static program does not see directory accounts, and everything in
        // a user's own store is that user's anyway.
        (None, Role::Owner) => Found::Account(account),
        (None, _) => Found::Unknown,
    })
}

/// Finds the account that a delegate names. Unknown, too, is who is in none of
/// `groups`, so that nobody learns who exists, and every name of uid 0.
///
/// # Errors
/// When the user database can't be asked; nothing may be decided then.
pub fn find_member(name: &str, groups: &[Gid]) -> Result<Found, String> {
    if name.parse::<Account>().is_err() {
        return Ok(Found::Unknown);
    }
    let failed = |why| format!("user database: {why}");
    let user = of_name(name).map_err(failed)?.filter(|user| user.uid != 0);
    let Some(user) = user else { return Ok(Found::Unknown) };
    let member = groups_of(&user).map_err(failed)?.iter().any(|group| groups.contains(group));
    Ok(if member { canonical(&user) } else { Found::Unknown })
}

/// The names in a file like `/etc/passwd`, for many questions: getpwnam(3) reads the whole
/// file for each.
pub struct Listed(HashSet<String>);

impl Listed {
    /// Reads the file.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read(file: &Path) -> Result<Self, String> {
        passwd::names(file).map(Self).map_err(|why| format!("user database: {why}"))
    }

    /// As [`find`] does.
    ///
    /// # Errors
    /// As [`find`].
    pub fn find(&self, peer: Peer, name: &str) -> Result<Found, String> {
        match name.parse() {
            Ok(account) if peer.role == Role::Root && self.0.contains(name) => Ok(Found::Account(account)),
            _ => find(peer, name),
        }
    }
}

/// The same for as long as the file stays as it is.
pub struct Accounts {
    file: PathBuf,
    kept: Mutex<Option<(Version, Arc<Listed>)>>,
}

/// What differs once the file was written or replaced: device, inode, length, and
/// seconds and nanoseconds of its last change.
type Version = (u64, u64, u64, i64, i64);

/// A longer file is not kept in memory, in bytes.
const KEPT: u64 = 1 << 20;
/// A file that was changed within so many seconds may be changed again without
/// another time of its last change.
const SETTLED: i64 = 2;

impl Accounts {
    /// Those of a file like `/etc/passwd`.
    #[must_use]
    pub fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), kept: Mutex::default() }
    }

    /// As [`find`] does.
    ///
    /// # Errors
    /// As [`find`].
    pub fn find(&self, peer: Peer, name: &str, now: UnixTime) -> Result<Found, String> {
        match self.listed(now)? {
            Some(listed) => listed.find(peer, name),
            None => find(peer, name),
        }
    }

    fn listed(&self, now: UnixTime) -> Result<Option<Arc<Listed>>, String> {
        let Some(version) = version(&self.file, now) else { return Ok(None) };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, listed)) = kept.as_ref()
            && *of == version
        {
            return Ok(Some(Arc::clone(listed)));
        }
        // Whatever comes after what is read here has another version.
        let listed = Arc::new(Listed::read(&self.file)?);
        *kept = Some((version, Arc::clone(&listed)));
        Ok(Some(listed))
    }
}

/// The version of the file, where its names may be kept.
fn version(file: &Path, now: UnixTime) -> Option<Version> {
    let file = fs::metadata(file).ok().filter(|file| file.len() <= KEPT)?;
    let settled = file.ctime() <= i64::try_from(now).ok()?.saturating_sub(SETTLED);
    settled.then(|| (file.dev(), file.ino(), file.len(), file.ctime(), file.ctime_nsec()))
}

fn canonical(user: &Entry) -> Found {
    user.name.parse().map_or(Found::Unknown, Found::Account)
}

/// The uid and the group of a system user, if it exists.
#[must_use]
pub fn uid_of(name: &str) -> Option<(Uid, Gid)> {
    of_name(name).ok().flatten().map(|user| (Uid::from_raw(user.uid), Gid::from_raw(user.gid)))
}

#[cfg(not(target_feature = "crt-static"))]
fn of_name(name: &str) -> std::io::Result<Option<Entry>> {
    let entry = |user: nix::unistd::User| Entry {
        name: user.name,
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        home: user.dir,
        shell: user.shell,
    };
    Ok(nix::unistd::User::from_name(name)?.map(entry))
}

/// A user's own group and all others (getgrouplist(3)).
#[cfg(not(target_feature = "crt-static"))]
fn groups_of(user: &Entry) -> std::io::Result<Vec<Gid>> {
    let name = std::ffi::CString::new(user.name.as_str())?;
    Ok(nix::unistd::getgrouplist(&name, Gid::from_raw(user.gid))?)
}

/// The gid of a group, if it exists.
#[cfg(not(target_feature = "crt-static"))]
#[must_use]
pub fn gid_of(group: &str) -> Option<Gid> {
    nix::unistd::Group::from_name(group).ok().flatten().map(|group| group.gid)
}

/// As for [`of_name`]; without groups there are no delegates.
#[cfg(target_feature = "crt-static")]
fn groups_of(_: &Entry) -> std::io::Result<Vec<Gid>> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// As for [`of_name`].
#[cfg(target_feature = "crt-static")]
#[must_use]
pub fn gid_of(_: &str) -> Option<Gid> {
    None
}

/// A static program must not load the libraries of the system's other sources:
/// they belong to another libc.
#[cfg(target_feature = "crt-static")]
fn of_name(name: &str) -> std::io::Result<Option<Entry>> {
    passwd::by_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_members_of_a_group_have_a_delegate() {
        // On every Debian, man's own group is man, and it is in no other.
        let group = |name| gid_of(name).unwrap();
        let man = Found::Account("man".parse().unwrap());
        assert_eq!(find_member("man", &[group("man")]).unwrap(), man);
        assert_eq!(find_member("man", &[group("bin"), group("man")]).unwrap(), man);
        for (name, groups) in [
            ("man", &[group("bin")][..]),
            ("man", &[]),
            ("root", &[group("root")]),
            ("no-such-account", &[group("man")]),
            ("man\n", &[group("man")]),
            ("", &[group("man")]),
        ] {
            assert_eq!(find_member(name, groups).unwrap(), Found::Unknown, "{name:?}");
        }
    }

    #[test]
    fn names_are_the_systems() {
        let root = Peer { uid: 0, role: Role::Root };
        let nobody = Peer { uid: 65534, role: Role::Account };
        assert_eq!(find(root, "root").unwrap(), Found::Account("root".parse().unwrap()));
        let long = "a".repeat(10_240);
        for unknown in ["no-such-account", "ROOT", "root\n", "../root", "root/", "", &long] {
            assert_eq!(find(root, unknown).unwrap(), Found::Unknown, "{unknown:?}");
        }
        let (listed, accounts) = (Listed::read(passwd::FILE.as_ref()).unwrap(), Accounts::new(passwd::FILE.as_ref()));
        for name in ["root", "daemon", "no-such-account", "ROOT", "root\n", ""] {
            for peer in [root, nobody] {
                assert_eq!(listed.find(peer, name), find(peer, name), "{name:?}");
                assert_eq!(accounts.find(peer, name, crate::now()), find(peer, name), "{name:?}");
            }
        }
        assert_eq!(find(nobody, "root").unwrap(), Found::Foreign);
        assert_eq!(find(nobody, "nobody").unwrap(), Found::Account("nobody".parse().unwrap()));
    }

    #[test]
    fn a_file_that_changes_is_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passwd");
        let accounts = Accounts::new(&file);
        let root = Peer { uid: 0, role: Role::Root };
        let finds = |name, seconds| {
            let known = accounts.find(root, name, crate::now() + seconds).unwrap() != Found::Unknown;
            (known, accounts.kept.lock().unwrap().is_some())
        };
        let line = |name: &str| format!("{name}:x:4000:4000:::\n");
        assert_eq!(finds("no-such-ann", 10), (false, false), "there is no file");
        fs::write(&file, line("no-such-ann")).unwrap();
        assert_eq!(finds("no-such-ann", 0), (false, false), "it was written just now: the system is asked");
        assert_eq!(finds("no-such-ann", 10), (true, true));
        assert_eq!(finds("no-such-bob", 10), (false, true));
        // Within the kernel's tick it has the same time.
        let before = version(&file, u64::MAX >> 1);
        while version(&file, u64::MAX >> 1) == before {
            fs::write(&file, line("no-such-bob")).unwrap();
        }
        assert_eq!(finds("no-such-ann", 10), (false, true), "written over, as long as before");
        assert_eq!(finds("no-such-bob", 10), (true, true));
        fs::write(folder.path().join("new"), line("no-such-eve")).unwrap();
        fs::rename(folder.path().join("new"), &file).unwrap();
        assert_eq!(finds("no-such-bob", 10), (false, true), "replaced");
        assert_eq!(finds("no-such-eve", 10), (true, true));
        fs::write(&file, "#".repeat(usize::try_from(KEPT).unwrap()) + "\n").unwrap();
        assert_eq!(finds("no-such-eve", 10), (false, true), "too long to be kept");
        fs::remove_file(&file).unwrap();
        assert_eq!(finds("no-such-eve", 10), (false, true), "removed");
    }
}
