//! Codes, as another implementation has them.

#![allow(clippy::unwrap_used)] // helpers of tests

#[path = "common/cases.rs"]
mod cases;

use otp_core::otp::Codes;
use otp_core::{Algorithm, Digits, Secret, otp};
use proptest::prelude::*;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use totp_lite::totp_custom;

/// With steps of one second the time is the moving factor.
fn expected(secret: &[u8], algorithm: Algorithm, digits: u8, factor: u64) -> String {
    match algorithm {
        Algorithm::Sha1 => totp_custom::<Sha1>(1, digits.into(), secret, factor),
        Algorithm::Sha256 => totp_custom::<Sha256>(1, digits.into(), secret, factor),
        Algorithm::Sha512 => totp_custom::<Sha512>(1, digits.into(), secret, factor),
    }
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop_oneof![Just(Algorithm::Sha1), Just(Algorithm::Sha256), Just(Algorithm::Sha512)]
}

/// Short ones, those of a block and around it, and the longest.
fn secret() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![10..=128_usize, Just(20), Just(63), Just(64), Just(65), Just(127), Just(128)];
    length.prop_flat_map(|length| proptest::collection::vec(any::<u8>(), length))
}

proptest! {
    #![proptest_config(cases::cases(512))]

    #[test]
    fn every_code_is_that_of_another_implementation(
        bytes in secret(),
        algorithm in algorithm(),
        digits in 6..=8_u8,
        factors in proptest::collection::vec(prop_oneof![any::<u64>(), 0..100_u64, Just(u64::MAX)], 1..4),
    ) {
        let (secret, length) = (Secret::copy(&bytes).unwrap(), Digits::new(digits).unwrap());
        let codes = Codes::new(&secret, algorithm, length);
        for factor in factors {
            let code = expected(&bytes, algorithm, digits, factor);
            prop_assert_eq!(codes.code(factor).to_string(), code.clone());
            prop_assert_eq!(otp::code(&secret, algorithm, length, factor).to_string(), code.clone());
            prop_assert!(codes.fits(code.as_bytes(), factor));
        }
    }

    #[test]
    fn nothing_else_fits(
        bytes in secret(),
        algorithm in algorithm(),
        digits in 6..=8_u8,
        factor in any::<u64>(),
        place in 0..8_usize,
        other in any::<u8>(),
    ) {
        let (secret, length) = (Secret::copy(&bytes).unwrap(), Digits::new(digits).unwrap());
        let codes = Codes::new(&secret, algorithm, length);
        let code = codes.code(factor).as_bytes().to_vec();
        let mut changed = code.clone();
        let place = place % code.len();
        changed[place] = other;
        prop_assert_eq!(codes.fits(&changed, factor), changed == code);
        for cut in [&code[1..], &code[..code.len() - 1], &[&code[..], b"0"].concat(), &[b"0", &code[..]].concat(), b""] {
            prop_assert!(!codes.fits(cut, factor));
        }
    }
}
