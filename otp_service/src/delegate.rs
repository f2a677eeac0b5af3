//! System accounts that ask for others: a web server for the people who log in
//! to it. They ask whether a code is right, under one service name, and nothing
//! else; what they say besides is a claim.

use nix::unistd::Gid;
use otp_core::record::is_service;
use serde::Deserialize;

use crate::Failure;
use crate::access::{Peer, Role};
use crate::account;

/// One `[[delegate]]` of the settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// The account that asks.
    pub user: String,
    /// The PAM service under which it does.
    pub service: String,
    /// The group of those for whom it does.
    pub group: String,
}

/// The same, as the system's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegate {
    /// Who asks.
    pub uid: u32,
    /// The PAM service.
    pub service: String,
    /// For whom.
    pub group: Gid,
}

impl Delegate {
    /// Finds who is meant.
    ///
    /// # Errors
    /// When there is no such user or group, or the user is root.
    pub fn find(setting: &Setting) -> Result<Self, Failure> {
        let Setting { user, service, group } = setting;
        let failure = |why: String| Failure::at("delegate", why);
        let (uid, _) = account::uid_of(user).ok_or_else(|| failure(format!("there is no user {user:?}")))?;
        if uid.is_root() {
            return Err(failure(format!("{user} may ask for everybody anyway; remove this one")));
        }
        if !is_service(service) {
            return Err(failure(format!("service: 1 to 64 printable characters, not {service:?}")));
        }
        let group = account::gid_of(group).ok_or_else(|| failure(format!("there is no group {group:?}")))?;
        Ok(Self { uid: uid.as_raw(), service: service.clone(), group })
    }
}

/// The groups for whose members `peer` may ask under this service name; none
/// where it isn't a delegate there.
#[must_use]
pub fn groups(delegates: &[Delegate], peer: Peer, service: &str) -> Vec<Gid> {
    let here =
        |delegate: &&Delegate| peer.role == Role::Account && delegate.uid == peer.uid && delegate.service == service;
    delegates.iter().filter(here).map(|delegate| delegate.group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_an_error() {
        let setting = |user: &str, service: &str, group: &str| {
            let (user, service, group) = (user.to_owned(), service.to_owned(), group.to_owned());
            Delegate::find(&Setting { user, service, group }).map_err(|failure| failure.to_string())
        };
        let found = setting("www-data", "nginx", "daemon").unwrap();
        assert_eq!((found.uid, found.service.as_str(), found.group.as_raw()), (33, "nginx", 1));
        for (user, service, group, why) in [
            ("no-such-user", "nginx", "daemon", "no user"),
            ("", "nginx", "daemon", "no user"),
            ("root", "nginx", "daemon", "anyway"),
            ("www-data", "", "daemon", "service"),
            ("www-data", "nginx\n", "daemon", "service"),
            ("www-data", "nginx", "no-such-group", "no group"),
        ] {
            let error = setting(user, service, group).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
