//! RFC 4226, appendix D.

use otp_core::{Algorithm, Digits, Secret, otp};

#[test]
fn appendix_d() {
    let secret = Secret::copy(b"12345678901234567890").unwrap();
    let rows = include_str!("vectors/rfc4226.txt").lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for row in rows {
        let (counter, expected) = row.split_once(' ').unwrap();
        let code = otp::code(&secret, Algorithm::Sha1, Digits::SIX, counter.parse().unwrap());
        assert_eq!(code.as_str(), expected, "counter {counter}");
        count += 1;
    }
    assert_eq!(count, 10);
}
