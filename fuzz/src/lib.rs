//! What several fuzz targets share.

#![forbid(unsafe_code)]

use otp_wire::frame;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Room for a message whose short forms were written out in full.
const ROOM: usize = 16 * 1024 * 1024;

/// Reads a message, and returns how it is written; reading that again must lead
/// to the same. `None` where it is refused.
#[must_use]
pub fn rewritten<T: Serialize + DeserializeOwned>(line: &[u8]) -> Option<Vec<u8>> {
    let write = |message: &T| frame::encode(message, ROOM).expect("a message that was read can be written").to_vec();
    let message: T = frame::decode(line).ok()?;
    assert!(line.trim_ascii_start().starts_with(b"{"), "a message is an object");
    let written = write(&message);
    let again: T = frame::decode(&written).expect("a message that was written can be read");
    assert_eq!(write(&again), written);
    Some(written)
}
