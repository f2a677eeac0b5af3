//! otpauth URIs.

#![no_main]

use libfuzzer_sys::fuzz_target;
use otp_core::uri::{KeyUri, MAX_URI};

fuzz_target!(|text: &str| {
    let Ok(mut uri) = KeyUri::parse(text) else { return };
    let written = uri.format();
    let room = (uri.issuer.len() * 2 + uri.name.len()) * 3 + uri.secret.expose().len() * 2 + 200;
    assert!(written.len() <= room, "the text outgrew its buffer, and left a copy of the secret behind");
    // Names may be three times as long once they are encoded.
    if written.len() <= MAX_URI {
        // The prefix that contradicted the issuer is not written.
        uri.label_issuer = None;
        assert_eq!(KeyUri::parse(&written), Ok(uri));
    }
});
