//! Accounts as the system spells them.

use std::collections::HashSet;

use nix::unistd::{Gid, Uid};
use otp_core::Account;
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

/// Accounts for many questions: those of `/etc/passwd` are read once, since
/// getpwnam(3) reads the whole file for each.
pub struct Accounts(HashSet<String>);

impl Accounts {
    /// Reads the file.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn listed() -> Result<Self, String> {
        passwd::names().map(Self).map_err(|why| format!("user database: {why}"))
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
        let listed = Accounts::listed().unwrap();
        for name in ["root", "daemon", "no-such-account", "ROOT", "root\n", ""] {
            assert_eq!(listed.find(root, name), find(root, name), "{name:?}");
            assert_eq!(listed.find(nobody, name), find(nobody, name), "{name:?}");
        }
        assert_eq!(find(nobody, "root").unwrap(), Found::Foreign);
        assert_eq!(find(nobody, "nobody").unwrap(), Found::Account("nobody".parse().unwrap()));
    }
}
