//! Google Authenticator's export: the message inside the text.

#![no_main]

use base64ct::{Base64Url, Encoding};
use libfuzzer_sys::fuzz_target;
use otp_import::{Entry, Source, read, write};

fuzz_target!(|payload: &[u8]| {
    let text = format!("otpauth-migration://offline?data={}", Base64Url::encode_string(payload));
    let parsed = read(&[Source::of("fuzz", text.as_bytes())]).expect("lines are skipped, not refused");
    let entries: Vec<&Entry> = parsed.entries.iter().collect();
    let written = write::migration(&entries, -1);
    assert_eq!(written.left_out.len(), 0, "what stood in an export can stand in one");
    let lines: Vec<&str> = written.texts.iter().map(|text| text.as_str()).collect();
    let again = read(&[Source::of("fuzz", lines.join("\n").as_bytes())]).expect("what was written is read");
    assert_eq!(again.entries.len(), parsed.entries.len(), "{:?}", again.skipped);
    for (one, other) in again.entries.iter().zip(&parsed.entries) {
        assert!(one.secret == other.secret && one.algorithm == other.algorithm && one.digits == other.digits);
        assert_eq!(one.kind, other.kind);
    }
});
