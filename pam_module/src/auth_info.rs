//! SSH_AUTH_INFO_0: what sshd says about the methods that have succeeded.
//!
//! sshd writes one line a method (auth2.c, auth2_update_session_info):
//! `publickey TYPE BASE64`, possibly with more behind it, or another method.
//! Certificates stand there whole.

use std::fmt;

use otp_core::Fingerprint;
use otp_wire::message::MAX_KEYS;

/// The variable's name.
pub const NAME: &std::ffi::CStr = c"SSH_AUTH_INFO_0";
/// The longest value in bytes that is looked at: an SSH packet's length.
pub const MAX_BYTES: usize = 256 * 1024;

/// Why the value can't be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthInfoError {
    /// Longer than [`MAX_BYTES`].
    TooLong,
    /// Not text.
    NotText,
    /// A line of the method publickey without a key that can be read.
    NotAKey,
    /// More than [`MAX_KEYS`] keys.
    TooManyKeys,
}

impl fmt::Display for AuthInfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "SSH_AUTH_INFO_0 is too long",
            Self::NotText => "SSH_AUTH_INFO_0 is not text",
            Self::NotAKey => "SSH_AUTH_INFO_0 has a publickey line without a key that can be read",
            Self::TooManyKeys => "SSH_AUTH_INFO_0 has more keys than can be asked for",
        })
    }
}

impl std::error::Error for AuthInfoError {}

/// The keys that were used, in sshd's order; of certificates the keys inside.
///
/// # Errors
/// See [`AuthInfoError`]: then nobody knows which key was used, and whoever
/// asked must refuse.
pub fn keys(value: &[u8]) -> Result<Vec<Fingerprint>, AuthInfoError> {
    if value.len() > MAX_BYTES {
        return Err(AuthInfoError::TooLong);
    }
    let text = std::str::from_utf8(value).map_err(|_| AuthInfoError::NotText)?;
    let mut keys = Vec::new();
    for line in text.split('\n') {
        if let Some(key) = key(line)? {
            if keys.len() == MAX_KEYS {
                return Err(AuthInfoError::TooManyKeys);
            }
            keys.push(key);
        }
    }
    Ok(keys)
}

/// The key in one line; `None` for another method.
fn key(line: &str) -> Result<Option<Fingerprint>, AuthInfoError> {
    let Some(rest) = line.strip_prefix("publickey ") else {
        // What looks as if it were about a key must not count as no key.
        let odd = line.trim_start().starts_with("publickey");
        return if odd { Err(AuthInfoError::NotAKey) } else { Ok(None) };
    };
    let (key_type, rest) = rest.split_once(' ').ok_or(AuthInfoError::NotAKey)?;
    let base64 = rest.split(' ').next().unwrap_or_default();
    Fingerprint::of_key(key_type, base64).map(Some).map_err(|_| AuthInfoError::NotAKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made for these tests with ssh-keygen; the certificate is of the first key.
    const KEY: &str = include_str!("../tests/keys/ed25519.pub");
    const CERTIFICATE: &str = include_str!("../tests/keys/ed25519-cert.pub");
    const RSA: &str = include_str!("../tests/keys/rsa.pub");
    const FINGERPRINT: &str = include_str!("../tests/keys/ed25519.fingerprint");

    fn word(line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().take(2).collect();
        format!("publickey {}", words.join(" "))
    }

    fn read(value: &str) -> Result<Vec<String>, AuthInfoError> {
        keys(value.as_bytes()).map(|keys| keys.iter().map(Fingerprint::to_string).collect())
    }

    #[test]
    fn a_key_is_found() {
        let expected = Ok(vec![FINGERPRINT.trim().to_owned()]);
        let key = word(KEY);
        for value in [
            format!("{key}\n"),
            key.clone(),
            format!("{key} and what a later sshd may add\n"),
            format!("password\nkeyboard-interactive/pam\n{key}\n"),
            format!("hostbased ssh-ed25519 !!!\n{key}\n\n"),
        ] {
            assert_eq!(read(&value), expected, "{value}");
        }
    }

    #[test]
    fn a_certificate_counts_as_its_key() {
        assert_eq!(read(&word(CERTIFICATE)), Ok(vec![FINGERPRINT.trim().to_owned()]));
    }

    #[test]
    fn several_keys_keep_their_order() {
        let found = read(&format!("{}\n{}\n", word(RSA), word(KEY))).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[1], FINGERPRINT.trim());
    }

    #[test]
    fn no_key_is_no_error() {
        for value in ["", "\n", "password\n", "keyboard-interactive/pam\npassword", "gssapi-with-mic x@y"] {
            assert_eq!(read(value), Ok(vec![]), "{value}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_read_is_an_error() {
        let key = word(KEY);
        for bad in [
            "publickey".to_owned(),
            "publickey ".to_owned(),
            "publickey ssh-ed25519".to_owned(),
            "publickey ssh-ed25519 ".to_owned(),
            "publickey ssh-ed25519 !!!!".to_owned(),
            "publickey ssh-ed25519 AAAA".to_owned(),
            "publickey\tssh-ed25519 AAAA".to_owned(),
            " publickey ssh-ed25519 AAAA".to_owned(),
            "publickey/x ssh-ed25519 AAAA".to_owned(),
            key.replace("ssh-ed25519", "ssh-rsa"),
            key.replace("publickey ", "publickey  "),
            format!("{key}\r\n"),
            format!("{key}\npublickey x y\n"),
            key[..key.len() - 1].to_owned(),
        ] {
            assert_eq!(read(&bad), Err(AuthInfoError::NotAKey), "{bad:?}");
        }
    }

    #[test]
    fn garbage_is_bounded() {
        assert_eq!(keys(&vec![b'a'; 1 << 20]), Err(AuthInfoError::TooLong));
        assert_eq!(keys(b"\xff\xfe"), Err(AuthInfoError::NotText));
        assert_eq!(keys(&vec![b'\n'; MAX_BYTES]), Ok(vec![]));
        let many = format!("{}\n", word(KEY)).repeat(MAX_KEYS + 1);
        assert_eq!(read(&many), Err(AuthInfoError::TooManyKeys));
        assert_eq!(keys(&many.as_bytes()[..many.len() / (MAX_KEYS + 1) * MAX_KEYS]).unwrap().len(), MAX_KEYS);
        let noise: Vec<u8> = (0..MAX_BYTES).map(|index| (index * 7919 % 128) as u8).collect();
        let _ = keys(&noise);
    }
}
