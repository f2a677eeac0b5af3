//! Lines with SSH keys, and the keys themselves.

#![no_main]

use base64ct::{Base64, Encoding};
use libfuzzer_sys::fuzz_target;
use otp_core::Fingerprint;

/// Types of certificates, of the keys in them, and the number of a key's fields.
const TYPES: [(&str, &str, usize); 8] = [
    ("ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519", 1),
    ("ssh-rsa-cert-v01@openssh.com", "ssh-rsa", 2),
    ("ssh-dss-cert-v01@openssh.com", "ssh-dss", 4),
    ("ecdsa-sha2-nistp256-cert-v01@openssh.com", "ecdsa-sha2-nistp256", 2),
    ("ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp384", 2),
    ("ecdsa-sha2-nistp521-cert-v01@openssh.com", "ecdsa-sha2-nistp521", 2),
    ("sk-ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com", 2),
    ("sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", 3),
];

fuzz_target!(|bytes: &[u8]| {
    if let Some((first, rest)) = bytes.split_first()
        && let Some(types) = TYPES.get(usize::from(*first))
    {
        certificate(*types, rest);
    } else if let Ok(text) = std::str::from_utf8(bytes) {
        line(text);
    }
});

fn line(text: &str) {
    let Ok((key, comment)) = Fingerprint::of_line(text) else { return };
    assert!(text.trim().ends_with(&comment));
    assert_eq!(key.to_string().parse(), Ok(key));
}

/// A certificate's key counts as the same key does without a certificate,
/// whatever stands around it.
fn certificate((certificate, plain, count): (&str, &str, usize), rest: &[u8]) {
    let found = Fingerprint::of_key(certificate, &blob(certificate, rest));
    let key = fields(rest, 1).and_then(|after| Some((after, after.len() - fields(after, count)?.len())));
    let key = key.and_then(|(after, length)| after.get(..length));
    assert_eq!(found.ok(), key.and_then(|key| Fingerprint::of_key(plain, &blob(plain, key)).ok()));
}

fn blob(key_type: &str, rest: &[u8]) -> String {
    let length = u32::try_from(key_type.len()).expect("a short name").to_be_bytes();
    Base64::encode_string(&[&length, key_type.as_bytes(), rest].concat())
}

/// What follows `count` fields, each behind its length.
fn fields(bytes: &[u8], count: usize) -> Option<&[u8]> {
    (0..count).try_fold(bytes, |bytes, _| {
        let (length, rest) = bytes.split_first_chunk()?;
        rest.get(usize::try_from(u32::from_be_bytes(*length)).ok()?..)
    })
}
