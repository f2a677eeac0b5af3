//! `otpauth-migration`: what Google Authenticator imports.

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use super::Written;
use crate::protobuf::{put_bytes, put_number};
use crate::{Entry, Hash, Kind};

/// At most so many entries stand in one picture.
const BATCH: usize = 10;

/// Version 1 texts of at most ten entries each, for a picture each.
/// `batch_id` tells this export from others: any random number.
#[must_use]
pub fn migration(entries: &[&Entry], batch_id: i32) -> Written {
    let mut written = Written::default();
    let mut parameters = Vec::new();
    for entry in entries {
        match message(entry) {
            Ok(message) => {
                parameters.push(message);
                written.lose_login(entry);
                if matches!(entry.kind, Kind::Hotp { next: 0, .. }) {
                    written.lose(entry, "the app begins at counter 1; a verifier must look one ahead");
                }
            }
            Err(reason) => written.leave_out(entry, reason),
        }
    }
    let batches = parameters.chunks(BATCH);
    let size = batches.len() as u64;
    written.texts = batches.zip(0..).map(|(batch, index)| text(batch, [size, index], batch_id)).collect();
    written
}

/// `OtpParameters`.
fn message(entry: &Entry) -> Result<Zeroizing<Vec<u8>>, String> {
    let (kind, counter) = match entry.kind {
        Kind::Totp { period: 30 } => (2, None),
        Kind::Totp { period } => return Err(format!("a period of {period} s; the app knows 30 s only")),
        // The app keeps the counter used last.
        Kind::Hotp { next, .. } if next <= i64::MAX as u64 => (1, Some(next.saturating_sub(1))),
        Kind::Hotp { .. } => return Err("its counter is too large".to_owned()),
        Kind::Steam { .. } => return Err("Steam's codes; the app does not know them".to_owned()),
    };
    let digits = match entry.digits {
        6 => 1,
        8 => 2,
        other => return Err(format!("{other} digits; the export knows 6 and 8")),
    };
    let algorithm = match entry.algorithm {
        Hash::Sha1 => 1,
        Hash::Sha256 => 2,
        Hash::Sha512 => 3,
        Hash::Md5 => 4,
        other => return Err(format!("{}; the export does not know it", other.name())),
    };
    let label = if entry.issuer.is_empty() { entry.name.clone() } else { entry.title() };
    let room = entry.secret.expose().len() + label.len() + entry.issuer.len() + 64;
    let mut message = Zeroizing::new(Vec::with_capacity(room));
    put_bytes(&mut message, 1, entry.secret.expose());
    put_bytes(&mut message, 2, label.as_bytes());
    put_bytes(&mut message, 3, entry.issuer.as_bytes());
    put_number(&mut message, 4, algorithm);
    put_number(&mut message, 5, digits);
    put_number(&mut message, 6, kind);
    if let Some(counter) = counter {
        put_number(&mut message, 7, counter);
    }
    Ok(message)
}

/// `MigrationPayload`, as the text of a picture.
fn text(batch: &[Zeroizing<Vec<u8>>], [size, index]: [u64; 2], batch_id: i32) -> Zeroizing<String> {
    let room = batch.iter().map(|message| message.len() + 8).sum::<usize>() + 64;
    let mut payload = Zeroizing::new(Vec::with_capacity(room));
    for message in batch {
        put_bytes(&mut payload, 1, message);
    }
    put_number(&mut payload, 2, 1);
    put_number(&mut payload, 3, size);
    put_number(&mut payload, 4, index);
    // Negative numbers go out as 64 bits.
    put_number(&mut payload, 5, i64::from(batch_id) as u64);
    let base64 = Zeroizing::new(Base64::encode_string(&payload));
    let mut text = Zeroizing::new(String::with_capacity(base64.len() * 3 + 64));
    text.push_str("otpauth-migration://offline?data=");
    for character in base64.chars() {
        match character {
            '+' => text.push_str("%2B"),
            '/' => text.push_str("%2F"),
            '=' => text.push_str("%3D"),
            other => text.push(other),
        }
    }
    text
}
