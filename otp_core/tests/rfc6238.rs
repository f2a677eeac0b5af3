//! RFC 6238, appendix B.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use otp_core::{Algorithm, Digits, Period, Secret, otp};

fn key(algorithm: Algorithm) -> Secret {
    let length = match algorithm {
        Algorithm::Sha1 => 20,
        Algorithm::Sha256 => 32,
        Algorithm::Sha512 => 64,
    };
    let bytes: Vec<u8> = b"1234567890".iter().copied().cycle().take(length).collect();
    Secret::copy(&bytes).unwrap()
}

#[test]
fn appendix_b() {
    let rows = include_str!("vectors/rfc6238.txt").lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for row in rows {
        let [time, algorithm, expected] = row.split(' ').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let algorithm: Algorithm = algorithm.parse().unwrap();
        let step = Period::DEFAULT.step(time.parse().unwrap());
        let code = otp::code(&key(algorithm), algorithm, Digits::new(8).unwrap(), step);
        assert_eq!(code.as_str(), expected, "{row}");
        count += 1;
    }
    assert_eq!(count, 18);
}
