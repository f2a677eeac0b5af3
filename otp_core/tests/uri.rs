//! otpauth URIs: our own vectors, those of other programs where they lie
//! beside the repository, and the round trip.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

#[path = "common/cases.rs"]
mod cases;

use std::path::Path;

use otp_core::uri::{KeyUri, Kind, UriError};
use otp_core::{Algorithm, Digits, Period, Secret, otp};
use proptest::prelude::*;

const SECRET: &str = "JBSWY3DPEHPK3PXP";

#[test]
fn a_full_uri() {
    let text = format!(
        "otpauth://totp/ACME%20Co:john@example.com?secret={SECRET}&issuer=ACME%20Co&algorithm=SHA256&digits=8&period=60"
    );
    let uri = KeyUri::parse(&text).unwrap();
    assert_eq!(uri.kind, Kind::Totp { period: 60 });
    assert_eq!((uri.issuer.as_str(), uri.name.as_str()), ("ACME Co", "john@example.com"));
    assert_eq!((uri.algorithm, uri.digits, uri.label_issuer.as_deref()), (Algorithm::Sha256, 8, None));
    assert_eq!(uri.secret, Secret::from_base32(SECRET).unwrap());
    assert_eq!(
        uri.format().as_str(),
        text.replace("&issuer=ACME%20Co", "").replace(SECRET, &format!("{SECRET}&issuer=ACME%20Co"))
    );
}

#[test]
fn the_parameter_beats_the_prefix() {
    let uri = KeyUri::parse(&format!("otpauth://totp/Old%3A bob?issuer=New&secret={SECRET}")).unwrap();
    assert_eq!((uri.issuer.as_str(), uri.label_issuer.as_deref(), uri.name.as_str()), ("New", Some("Old"), "bob"));
    let uri = KeyUri::parse(&format!("otpauth://totp/Old:bob:x?issuer=&secret={SECRET}")).unwrap();
    assert_eq!((uri.issuer.as_str(), uri.label_issuer, uri.name.as_str()), ("Old", None, "bob:x"));
}

#[test]
fn case_blanks_and_unknown_parameters_do_not_matter() {
    let uri =
        KeyUri::parse(" OtpAuth://HOTP/a#b?SeCrEt=jbsw+y3dp+ehpk+3pxp&COUNTER=7&image=https%3A//x&lock \n").unwrap();
    assert_eq!((uri.kind, uri.name.as_str()), (Kind::Hotp { counter: 7 }, "a#b"));
    assert_eq!(uri.secret, Secret::from_base32(SECRET).unwrap());
}

#[test]
fn steam_has_five_letters() {
    for text in ["steam://JBSWY3DPEHPK3PXP", "otpauth://totp/Steam:?secret=JBSWY3DPEHPK3PXP&digits=7&encoder=STEAM"] {
        let uri = KeyUri::parse(text).unwrap();
        assert_eq!((uri.kind, uri.digits, uri.issuer.as_str()), (Kind::Steam { period: 30 }, 5, "Steam"), "{text}");
    }
}

#[test]
fn nonsense_is_refused_without_quoting_it() {
    let long = format!("otpauth://totp/{}?secret={SECRET}", "x".repeat(5000));
    let cases: &[(&str, UriError)] = &[
        ("", UriError::Scheme),
        ("https://example.com/?secret=JBSWY3DPEHPK3PXP", UriError::Scheme),
        ("otpauth:/totp/x?secret=JBSWY3DPEHPK3PXP", UriError::Scheme),
        ("otpauth://motp/x?secret=JBSWY3DPEHPK3PXP", UriError::Type),
        ("otpauth://totp/x", UriError::NoSecret),
        ("otpauth://totp/x?secret=", UriError::NoSecret),
        ("otpauth://totp/x?secret=JBSWY3DPEHPK3PX1", UriError::Secret(otp_core::secret::SecretError::NotBase32)),
        ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&algorithm=MD5", UriError::Algorithm),
        ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&algorithm=", UriError::Algorithm),
        ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&digits=", UriError::Number("digits")),
        ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&digits=+6", UriError::Number("digits")),
        ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&digits=11", UriError::Number("digits")),
        ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&period=0", UriError::Number("period")),
        ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&period=4294967296", UriError::Number("period")),
        ("otpauth://hotp/x?secret=JBSWY3DPEHPK3PXP&counter=18446744073709551616", UriError::Number("counter")),
        ("otpauth://hotp/x?secret=JBSWY3DPEHPK3PXP&counter=-1", UriError::Number("counter")),
        ("otpauth://hotp/x?secret=JBSWY3DPEHPK3PXP", UriError::NoCounter),
        ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&Secret=JBSWY3DPEHPK3PXP", UriError::Twice("secret")),
        ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&digits=6&digits=8", UriError::Twice("digits")),
        ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&issuer=a&issuer=b", UriError::Twice("issuer")),
        ("otpauth://totp/x%4?secret=JBSWY3DPEHPK3PXP", UriError::Encoding),
        ("otpauth://totp/x%ff?secret=JBSWY3DPEHPK3PXP", UriError::Encoding),
        ("otpauth://totp/x%0ay?secret=JBSWY3DPEHPK3PXP", UriError::Control),
        ("otpauth://totp/x\u{1b}y?secret=JBSWY3DPEHPK3PXP", UriError::Control),
        ("otpauth://totp/x\u{202e}y?secret=JBSWY3DPEHPK3PXP", UriError::Control),
        ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&issuer=%00", UriError::Control),
        (&long, UriError::TooLong),
    ];
    for (text, expected) in cases {
        let error = KeyUri::parse(text).unwrap_err();
        assert_eq!(error, *expected, "{text:.100}");
        assert!(!error.to_string().contains("JBSW"), "{error}");
    }
}

#[test]
fn a_colon_in_a_name_survives() {
    for (issuer, name) in [("", "a:b"), ("x:y", "a"), ("x:y", "a:b"), ("x", ":"), ("", "")] {
        let secret = Secret::from_base32(SECRET).unwrap();
        let (issuer, name) = (issuer.to_owned(), name.to_owned());
        let kind = Kind::Totp { period: 30 };
        let uri = KeyUri { kind, issuer, label_issuer: None, name, secret, algorithm: Algorithm::Sha1, digits: 6 };
        assert_eq!(KeyUri::parse(&uri.format()).unwrap(), uri);
    }
}

fn kinds() -> impl Strategy<Value = (Kind, u8)> {
    prop_oneof![
        (1..=u32::MAX, 1..=10_u8).prop_map(|(period, digits)| (Kind::Totp { period }, digits)),
        (any::<u64>(), 1..=10_u8).prop_map(|(counter, digits)| (Kind::Hotp { counter }, digits)),
        (1..=u32::MAX).prop_map(|period| (Kind::Steam { period }, 5)),
    ]
}

fn uris() -> impl Strategy<Value = KeyUri> {
    let text = || "\\PC{0,40}".prop_map(|text| text.trim().to_owned());
    let algorithm = prop::sample::select(vec![Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512]);
    let secret = prop::collection::vec(any::<u8>(), 1..=128);
    (kinds(), text(), text(), secret, algorithm).prop_filter_map(
        "no character that is refused",
        |((kind, digits), issuer, name, secret, algorithm)| {
            let secret = Secret::copy(&secret).ok()?;
            let uri = KeyUri { kind, issuer, label_issuer: None, name, secret, algorithm, digits };
            KeyUri::parse(&uri.format()).ne(&Err(UriError::Control)).then_some(uri)
        },
    )
}

proptest! {
    #![proptest_config(cases::cases(256))]

    #[test]
    fn what_is_written_is_read_back(uri in uris()) {
        prop_assert_eq!(KeyUri::parse(&uri.format()), Ok(uri));
    }

    #[test]
    fn nothing_makes_the_reader_panic(text in "(otpauth://[th]otp/|steam://)?\\PC{0,80}") {
        let _ = KeyUri::parse(&text);
    }
}

/// The vectors that other programs' URIs were collected in. They have licences
/// of their own and are no part of this repository.
#[test]
fn uris_of_other_programs() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/import/fixtures/expected/otpauth_uri_vectors.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: no vectors at {}", path.display());
        return;
    };
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 78);
    for vector in vectors {
        let text = vector["uri"].as_str().unwrap();
        match (KeyUri::parse(text), &vector["recommended"]["accept"]) {
            (Err(_), serde_json::Value::Null) => {}
            (Ok(uri), accept) if accept.is_object() => compare(&uri, accept, text),
            (result, _) => panic!("{text}: {result:?}"),
        }
    }
}

fn compare(uri: &KeyUri, expected: &serde_json::Value, text: &str) {
    let (kind, period, counter) = match uri.kind {
        Kind::Totp { period } => ("totp", Some(period), None),
        Kind::Hotp { counter } => ("hotp", None, Some(counter)),
        Kind::Steam { period } => ("steam", Some(period), None),
    };
    let hex: String = uri.secret.expose().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut found = serde_json::json!({
        "type": kind, "period": period, "counter": counter, "issuer": uri.issuer, "name": uri.name,
        "algo": uri.algorithm.name(), "digits": uri.digits, "secret_hex": hex, "secret": *uri.secret.to_base32(),
    });
    if let Some(issuer) = &uri.label_issuer {
        found["label_issuer"] = issuer.as_str().into();
    }
    for key in ["check", "secret_raw"] {
        found[key] = expected[key].clone();
    }
    found.as_object_mut().unwrap().retain(|key, _| expected.get(key).is_some() || key == "label_issuer");
    assert_eq!(&found, expected, "{text}");
    if let Ok(digits) = Digits::new(uri.digits) {
        check_codes(uri, digits, &expected["check"], text);
    }
}

fn check_codes(uri: &KeyUri, digits: Digits, check: &serde_json::Value, text: &str) {
    for (moment, code) in check.as_object().unwrap() {
        let (what, number) = moment.split_once('=').unwrap();
        let number: u64 = number.parse().unwrap();
        let factor = match (what, uri.kind) {
            ("counter", Kind::Hotp { .. }) => number,
            ("unix", Kind::Totp { period }) => Period::new(u16::try_from(period).unwrap()).unwrap().step(number),
            _ => panic!("{text}: {moment}"),
        };
        assert_eq!(Some(otp::code(&uri.secret, uri.algorithm, digits, factor).as_str()), code.as_str(), "{text}");
    }
}
