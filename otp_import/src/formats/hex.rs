//! Secrets in hexadecimal.

use otp_core::Secret;
use zeroize::Zeroizing;

/// The bytes; `None` where the text is anything but pairs of digits.
pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

/// The secret; `None` where the text is anything but pairs of digits, or is too long.
pub(super) fn secret(text: &str) -> Option<Secret> {
    Secret::copy(&Zeroizing::new(bytes(text)?)).ok()
}
