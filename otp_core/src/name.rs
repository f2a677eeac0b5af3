//! Names: accounts, owners, labels, credential ids. Each is checked once, where
//! it comes in, and is harmless in a log line, a path or a query ever after.

use std::fmt;
use std::str::FromStr;

/// Why a name was refused; the text says what is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameError(pub &'static str);

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NameError {}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:expr, $rule:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(NameError($rule)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// What a directory may call a person or an account: LDAP and Active Directory
/// names with spaces, backslashes and letters of any script are in; what could
/// be a path, an option or a line break is out.
fn is_login_name(text: &str) -> bool {
    (1..=256).contains(&text.len())
        && !text.starts_with(['-', ' '])
        && !text.ends_with(' ')
        && !matches!(text, "." | "..")
        && !text.chars().any(|c| c.is_control() || matches!(c, '/' | ':' | ',' | '"'))
}

fn is_label(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._@-".contains(&b))
}

/// RFC 9562 §4, of any version.
fn is_uuid(text: &str) -> bool {
    let part =
        |part: &str, length| part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let mut parts = text.split('-');
    [8, 4, 4, 4, 12].into_iter().all(|length| parts.next().is_some_and(|text| part(text, length)))
        && parts.next().is_none()
}

fn is_credential_id(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
}

name!(
    /// A login name, canonical: as the system's user database spells it.
    Account, is_login_name,
    "an account name has 1 to 256 bytes, without slash, colon, comma, quote or control characters"
);
name!(
    /// The person a credential belongs to.
    Owner, is_login_name,
    "an owner's name has 1 to 256 bytes, without slash, colon, comma, quote or control characters"
);
name!(
    /// A credential's label.
    Label, is_label,
    "a label has 1 to 64 characters out of A-Z a-z 0-9 . _ @ -"
);
name!(
    /// A credential's id: eight base32 characters in lower case, random.
    CredentialId, is_credential_id,
    "a credential id has eight characters out of a-z 2-7"
);

name!(
    /// A LUKS volume: the UUID in its header, in small letters.
    Volume, is_uuid,
    "a volume is a UUID in small letters, as cryptsetup luksUUID prints it"
);

/// What stands before a volume in the names of its owner and its account. No
/// login name has a colon, so a login's code never opens a disk, nor a disk's
/// a login.
const DISK: &str = "disk:";

macro_rules! of_volumes {
    ($name:ident) => {
        impl $name {
            /// That of a volume's own record.
            #[must_use]
            pub fn of_volume(volume: &Volume) -> Self {
                Self(format!("{DISK}{volume}"))
            }

            /// A name as the verifier itself wrote it, a volume's too.
            ///
            /// # Errors
            /// When it is none.
            pub fn stored(text: &str) -> Result<Self, NameError> {
                match text.strip_prefix(DISK) {
                    Some(volume) => volume.parse().map(|volume| Self::of_volume(&volume)),
                    None => text.parse(),
                }
            }

            /// Whether it is a volume's.
            #[must_use]
            pub fn is_volume(&self) -> bool {
                self.0.starts_with(DISK)
            }
        }
    };
}

of_volumes!(Owner);
of_volumes!(Account);

/// No name that can be typed, or be found in a user database.
const NOBODY: &str = "/";

impl Owner {
    /// Nobody: there is a record under this name, so that a login that leads to
    /// no owner is as much work as another.
    #[must_use]
    pub fn nobody() -> Self {
        Self(NOBODY.to_owned())
    }

    /// Whether it is nobody.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        self.0 == NOBODY
    }
}

impl Account {
    /// The account of a login to an account that doesn't exist.
    #[must_use]
    pub fn nobody() -> Self {
        Self(NOBODY.to_owned())
    }
}

impl CredentialId {
    /// Makes an id of 40 random bits.
    #[must_use]
    pub fn from_random(bits: [u8; 5]) -> Self {
        Self(base32::encode(crate::secret::ALPHABET, &bits).to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_names() {
        for good in ["alice", "DOM\\alice b", "alice@example.com", "j\u{f8}rgen", "a$", "_oathgate"] {
            assert!(good.parse::<Account>().is_ok(), "{good}");
        }
        let long = "a".repeat(10_240);
        for bad in ["", "a/b", "../x", "..", "a\nb", "a\0", "-rf", "a:b", " a", "a ", "a\u{85}", &long] {
            assert!(bad.parse::<Account>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_volumes_names_are_nobody_elses() {
        let text = "0a1b2c3d-0000-4000-8000-00000000000f";
        let volume: Volume = text.parse().unwrap();
        let (owner, account) = (Owner::of_volume(&volume), Account::of_volume(&volume));
        assert!(owner.is_volume() && account.is_volume() && !Owner::nobody().is_volume());
        assert_eq!(Owner::stored(owner.as_str()), Ok(owner.clone()));
        assert_eq!(Account::stored("alice"), "alice".parse());
        assert!(owner.as_str().parse::<Owner>().is_err() && account.as_str().parse::<Account>().is_err());
        for bad in ["", "0A1b2c3d-0000-4000-8000-00000000000f", &text[1..], &format!("{text}-"), "/dev/sda"] {
            assert!(bad.parse::<Volume>().is_err(), "{bad}");
            assert!(Owner::stored(&format!("disk:{bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn labels() {
        assert!("alice@phone-2.x_y".parse::<Label>().is_ok());
        for bad in ["", "a b", "a\u{e4}", "a/b", &"x".repeat(65)] {
            assert!(bad.parse::<Label>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn credential_ids() {
        let id = CredentialId::from_random([0xff, 0, 1, 2, 3]);
        assert_eq!(id.as_str().parse::<CredentialId>(), Ok(id.clone()));
        assert!("K3F7Q2MZ".parse::<CredentialId>().is_err());
    }
}
