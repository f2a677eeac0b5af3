//! What was made, for programs and for people.

use luks_unlock::order::Enrolled;
use otp_wire::SecretText;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::output::{Output, grouped};
use crate::qr;

/// A token that was made or changed, for programs; with secrets.
#[derive(Serialize)]
pub struct Shown<'a> {
    device: &'a str,
    uuid: &'a str,
    token: i32,
    keyslot: i32,
    /// The verifier's name of what shows the codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<&'a str>,
    /// Where there is a new secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<&'a str>,
    backup: &'a str,
    recovery_keyslot: Option<i32>,
    recovery: Option<&'a SecretText>,
    /// The line of a new disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crypttab: Option<&'a str>,
}

impl<'a> Shown<'a> {
    /// What every change has.
    pub fn of(device: &'a str, new: &'a Enrolled, backup: &'a str) -> Self {
        let (recovery_keyslot, recovery) = new.recovery.as_ref().map(|(keyslot, text)| (*keyslot, text)).unzip();
        let (uuid, token, keyslot) = (&new.uuid, new.token, new.keyslot);
        let (credential, uri, crypttab) = (None, None, None);
        Self { device, uuid, token, keyslot, credential, uri, backup, recovery_keyslot, recovery, crypttab }
    }
}

/// The new secret.
///
/// # Errors
/// When it can't be shown.
pub fn show(uri: &str, secret: &str, out: &mut Output) -> Result<(), Failure> {
    out.line("Scan the QR code with an authenticator, or type the secret. It is shown only now.")?;
    let mut text = Zeroizing::new(String::with_capacity(uri.len() + 512));
    text.push_str("  secret  ");
    text.push_str(&grouped(secret));
    text.push_str("\n  URI     ");
    text.push_str(uri);
    text.push('\n');
    out.print(&text)?;
    qr::show(uri, out)
}

/// The recovery passphrase, where one was made.
///
/// # Errors
/// When it can't be shown.
pub fn tell_recovery(new: &Enrolled, out: &mut Output) -> Result<(), Failure> {
    let Some((keyslot, passphrase)) = &new.recovery else { return Ok(()) };
    out.line(format!("Recovery passphrase, keyslot {keyslot}, tried and right. It is shown only now:"))?;
    let mut text = Zeroizing::new(String::with_capacity(passphrase.expose().len() + 8));
    text.push_str("  ");
    text.push_str(passphrase.expose());
    text.push('\n');
    out.print(&text)?;
    out.line("Write it on paper, and keep that where the disk is not.")
}
