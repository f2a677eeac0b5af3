//! What somebody types at the prompt.

#![no_main]

use libfuzzer_sys::fuzz_target;
use otp_core::Input;
use otp_core::input::MAX_INPUT;

fuzz_target!(|typed: &[u8]| {
    let plain: Vec<u8> = typed.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase).collect();
    match Input::parse(typed) {
        Input::Digits(text) => {
            assert!((6..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()));
            assert_eq!(text.as_bytes(), plain);
        }
        Input::Scratch(code) => {
            assert_eq!(code.expose(), plain);
            let Input::Scratch(again) = Input::parse(code.grouped().as_bytes()) else { panic!("not what was printed") };
            assert_eq!(again.expose(), code.expose());
        }
        Input::Malformed => {
            let code = (6..=8).contains(&plain.len()) && plain.iter().all(u8::is_ascii_digit);
            assert!(!code || typed.len() > MAX_INPUT || typed.len() > plain.len(), "a code was refused");
        }
    }
    assert!(typed.len() <= MAX_INPUT || matches!(Input::parse(typed), Input::Malformed));
});
