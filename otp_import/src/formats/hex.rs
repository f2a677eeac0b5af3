//! Secrets in hexadecimal.

use otp_core::Secret;
use otp_core::secret::SecretError;

/// The secret; `None` where the text is anything but pairs of digits, or is too long.
pub(super) fn secret(text: &str) -> Option<Secret> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0);
    let filled = Secret::fill(text.len() / 2, |place| {
        for (byte, pair) in place.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = pair.iter().fold(0, |value, character| value << 4 | digit(character));
        }
        Ok::<_, SecretError>(())
    });
    filled.ok()
}
