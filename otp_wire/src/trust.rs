//! Whom to believe that answers in the verifier's place.

use std::fs;

use crate::passwd;

/// The service's user.
pub const SERVICE_USER: &str = "_oathgate";

/// The uids under which the system's verifier may run: root's and the service
/// user's. That one is read from /etc/passwd itself: it is a static user, and
/// a directory server is not to say who the verifier is.
#[must_use]
pub fn system_uids() -> Vec<u32> {
    let users = fs::read("/etc/passwd").unwrap_or_default();
    [Some(0), local_uid(&users, SERVICE_USER)].into_iter().flatten().collect()
}

/// A user's uid in the text of passwd(5).
fn local_uid(users: &[u8], name: &str) -> Option<u32> {
    passwd::entries(users).find(|entry| entry.name == name).map(|entry| entry.uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_uid_is_read_from_the_local_file() {
        let users = b"root:x:0:0::/root:/bin/sh\nj\xf8rn:x:7:7:::\n+_oathgate:x:6:6:::\n_oathgate2:x:5:5:::\n\
                      _oathgate:x:998:998::/:/x\n_oathgate:x:0:0:::\n";
        assert_eq!(local_uid(users, SERVICE_USER), Some(998));
        assert_eq!(local_uid(users, "nobody"), None);
        for odd in [&b""[..], b"_oathgate", b"_oathgate:x:", b"_oathgate:x:-1:0:::", b"_oathgate:x:99999999999:0:::"] {
            assert_eq!(local_uid(odd, SERVICE_USER), None, "{odd:?}");
        }
        assert!(system_uids().contains(&0));
    }
}
