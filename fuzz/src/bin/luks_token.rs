//! Tokens, as they lie in LUKS2 headers, which whoever has the disk can write.

#![no_main]

use libfuzzer_sys::fuzz_target;
use luks_unlock::answer::Codes;
use luks_unlock::{Moment, StoreToken, Token, code, judge, token};
use otp_core::Secret;

const NOW: u64 = 1_800_000_000;
/// Argon2id's memory in KiB that a run has time for.
const LITTLE: u32 = 64;

fuzz_target!(
    init: {
        // A token of an older form is a poor seed.
        assert!(Token::parse(include_str!("../../seeds/luks_token/totp").trim_end()).is_ok());
    },
    |text: &str| {
        let _ = token::keyslots(text);
        if let Ok(token) = StoreToken::parse(text) {
            assert_eq!(StoreToken::parse(&token.to_json()), Ok(token));
        }
        let Ok(token) = Token::parse(text) else { return };
        let written = token.to_json().expect("a token that was read can be written");
        assert_eq!(Token::parse(&written), Ok(token.clone()));
        let secret = Secret::copy(b"12345678901234567890").expect("a secret");
        let _ = code::judge(&token.code, token.state, &secret, Codes::One(b"123456"), NOW).expect("a kind of code");
        let later = code::no_earlier(&token.code, token.state, NOW);
        assert!(later.next >= token.state.next);
        let _ = code::clock_is_behind(&token.code, later, NOW);
        if token.pin.cost.memory <= LITTLE && token.pin.cost.passes == 1 {
            let _ = judge(&token, b"correct horse755224", &Moment { now: NOW, floor: 0, boot: "one".to_owned() });
        }
    }
);
