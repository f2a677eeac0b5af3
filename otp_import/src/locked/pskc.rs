//! PSKC (RFC 6030 §6): AES-CBC with a key that both sides have, whose
//! hexadecimal digits are the password, and an HMAC over each value.

use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::{Fault, Plain, base64, cipher, hex};

/// What opens a container's values.
pub(crate) struct Opener<'a> {
    /// The key's digits.
    pub password: Option<&'a [u8]>,
    /// The MAC's key, itself encrypted.
    pub mac_key: Option<&'a str>,
}

impl Opener<'_> {
    /// Opens a value after its MAC was found right.
    ///
    /// # Errors
    /// When there is no password or another one, or no MAC.
    pub fn open(&self, value: &str, mac: &str) -> Result<Plain, Fault> {
        let digits = self.password.and_then(|digits| std::str::from_utf8(digits).ok()).ok_or(Fault::Password)?;
        let key = zeroize::Zeroizing::new(hex(digits.trim()).map_err(|_| Fault::Password)?);
        let mac_key = cipher::cbc_any(&key, &bytes(self.mac_key.ok_or(Fault::Form("it has no MAC"))?)?)?;
        let sealed = bytes(value)?;
        // Before anything of it is opened (§6.2).
        let mut hmac = <Hmac<Sha1> as Mac>::new_from_slice(&mac_key).map_err(|_| Fault::Form("its MAC's key"))?;
        hmac.update(&sealed);
        hmac.verify_slice(&bytes(mac)?).map_err(|_| Fault::Password)?;
        cipher::cbc_any(&key, &sealed)
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, Fault> {
    base64(&text.split_whitespace().collect::<String>())
}
