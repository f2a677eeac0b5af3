//! SSH keys by fingerprint: the identity that a code belongs to.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

use crate::name::NameError;

/// The longest public key or certificate in bytes that is looked at: an RSA
/// certificate of 16384 bits with room for its principals.
pub const MAX_BLOB: usize = 64 * 1024;

/// SHA-256 of a public key's blob, as `ssh-keygen -l` prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; 43];
        let length = BASE64_STANDARD_NO_PAD.encode_slice(self.0, &mut buffer).map_err(|_| fmt::Error)?;
        f.write_str("SHA256:")?;
        f.write_str(buffer.get(..length).and_then(|text| std::str::from_utf8(text).ok()).ok_or(fmt::Error)?)
    }
}

impl FromStr for Fingerprint {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let error = NameError("a fingerprint is SHA256: and 43 base64 characters, as ssh-keygen -l prints it");
        let encoded = text.strip_prefix("SHA256:").ok_or(error)?;
        let mut hash = [0; 32];
        match BASE64_STANDARD_NO_PAD.decode_slice(encoded, &mut hash) {
            Ok(32) => Ok(Self(hash)),
            _ => Err(error),
        }
    }
}

impl Fingerprint {
    /// The fingerprint of the key in `TYPE BASE64`; of a certificate, that of
    /// the key inside it (PROTOCOL.certkeys), so that renewing a certificate
    /// changes nothing.
    ///
    /// # Errors
    /// When the base64 is broken, or the blob is not of the type it is said to be.
    pub fn of_key(key_type: &str, base64: &str) -> Result<Self, NameError> {
        let error = NameError("not an OpenSSH public key");
        if base64.len() > MAX_BLOB * 2 {
            return Err(error);
        }
        let mut blob = vec![0; base64.len() / 4 * 3];
        let length = BASE64_STANDARD.decode_slice(base64, &mut blob).map_err(|_| error)?;
        blob.truncate(length);
        let mut fields = Fields(&blob);
        if fields.next() != Some(key_type.as_bytes()) {
            return Err(error);
        }
        match plain_type(key_type) {
            None => Ok(Self(Sha256::digest(&blob).into())),
            Some((plain, count)) => {
                fields.next().ok_or(error)?; // the CA's nonce
                let start = fields.0;
                for _ in 0..count {
                    fields.next().ok_or(error)?;
                }
                let key = &start[..start.len() - fields.0.len()];
                let mut hash = Sha256::new();
                hash.update(u32::try_from(plain.len()).map_err(|_| error)?.to_be_bytes());
                hash.update(plain);
                hash.update(key);
                Ok(Self(hash.finalize().into()))
            }
        }
    }

    /// Finds the key in a line of a `.pub` file or of `authorized_keys`
    /// (sshd(8)), after its options, and returns it with its comment.
    ///
    /// # Errors
    /// When there is no public key in the line.
    pub fn of_line(line: &str) -> Result<(Self, String), NameError> {
        let mut rest = line.trim();
        while !rest.is_empty() {
            let (word, after) = split_word(rest);
            let (blob, comment) = split_word(after);
            if let Ok(key) = Self::of_key(word, blob) {
                return Ok((key, comment.to_owned()));
            }
            rest = after;
        }
        Err(NameError("no OpenSSH public key in this line"))
    }
}

/// The next word, quotes respected as sshd does, and what follows it. Inside
/// or outside, a backslash takes the quote behind it along.
fn split_word(text: &str) -> (&str, &str) {
    let mut quoted = false;
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((index, byte)) = bytes.next() {
        match byte {
            b'\\' if bytes.peek().is_some_and(|(_, next)| *next == b'"') => drop(bytes.next()),
            b'"' => quoted = !quoted,
            b' ' | b'\t' if !quoted => return (&text[..index], text[index..].trim_start()),
            _ => {}
        }
    }
    (text, "")
}

/// For a certificate's type, the type of the key inside and the number of
/// fields that make it up (PROTOCOL.certkeys, PROTOCOL.u2f).
fn plain_type(key_type: &str) -> Option<(&'static [u8], usize)> {
    Some(match key_type {
        "ssh-ed25519-cert-v01@openssh.com" => (b"ssh-ed25519", 1),
        "ssh-rsa-cert-v01@openssh.com" => (b"ssh-rsa", 2),
        "ssh-dss-cert-v01@openssh.com" => (b"ssh-dss", 4),
        "ecdsa-sha2-nistp256-cert-v01@openssh.com" => (b"ecdsa-sha2-nistp256", 2),
        "ecdsa-sha2-nistp384-cert-v01@openssh.com" => (b"ecdsa-sha2-nistp384", 2),
        "ecdsa-sha2-nistp521-cert-v01@openssh.com" => (b"ecdsa-sha2-nistp521", 2),
        "sk-ssh-ed25519-cert-v01@openssh.com" => (b"sk-ssh-ed25519@openssh.com", 2),
        "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com" => (b"sk-ecdsa-sha2-nistp256@openssh.com", 3),
        _ => return None,
    })
}

/// The length-prefixed fields of a blob (RFC 4251 §5 string).
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let (field, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        self.0 = rest;
        Some(field)
    }
}
