//! Authy's accounts, each locked with the back-up password of its time.

use serde_json::Value;

use super::{base64, cipher, kdf};

/// Fixed by the program.
const ROUNDS: u32 = 1000;

/// Whether this account's secret is locked.
pub(crate) fn is_locked(account: &Value) -> bool {
    account.get("encryptedSecret").is_some_and(Value::is_string) && account.get("decryptedSecret").is_none()
}

/// Puts the secret into the account, where this is its password.
pub(crate) fn unlock(account: &mut Value, password: &[u8]) {
    if let (Some(secret), Some(fields)) = (secret(account, password), account.as_object_mut()) {
        fields.insert("decryptedSecret".to_owned(), Value::String(secret));
    }
}

fn secret(account: &Value, password: &[u8]) -> Option<String> {
    let text = |field: &str| account.get(field).and_then(Value::as_str);
    // The salt is the text itself.
    let key = kdf::pbkdf2(kdf::Prf::Sha1, password, text("salt")?.as_bytes(), ROUNDS).ok()?;
    let plain = cipher::cbc(&key, &[0; 16], &base64(text("encryptedSecret")?).ok()?).ok()?;
    // Padding comes out right by chance now and then.
    let secret = std::str::from_utf8(&plain).ok()?;
    secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'=').then(|| secret.to_owned())
}
