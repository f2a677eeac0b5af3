//! Exports that are locked with a password. `locked.txt` holds one of each
//! kind, made for this by other libraries: its format and, in base64, its bytes.

#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions

use base64ct::{Base64, Encoding};
use otp_import::{Error, Kind, Parsed, Source, read};

const PASSWORD: &[u8] = b"open sesame";

fn all() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    include_str!("locked.txt").lines().map(|line| {
        let (format, bytes) = line.split_once(' ').unwrap();
        (format, Base64::decode_vec(bytes).unwrap())
    })
}

fn opened(bytes: &[u8], password: Option<&[u8]>) -> Result<Parsed, Error> {
    read(&[Source { password, ..Source::of("export", bytes) }])
}

#[test]
fn the_right_password_opens_each() {
    for (format, bytes) in all() {
        let parsed = opened(&bytes, Some(PASSWORD)).unwrap_or_else(|error| panic!("{format}: {error}"));
        let [entry] = parsed.entries.as_slice() else { panic!("{format}: {parsed:?}") };
        assert_eq!((parsed.format.as_str(), entry.issuer.as_str(), entry.name.as_str()), (format, "Site", "ann"));
        assert_eq!(entry.secret.expose(), b"12345678901234567890");
    }
}

#[test]
fn without_one_it_is_said_and_a_wrong_one_opens_nothing() {
    for (format, bytes) in all().filter(|(format, _)| *format != "andotp-encrypted-old") {
        let missing = opened(&bytes, None).unwrap_err();
        assert!(missing.locked && missing.reason.contains(format), "{missing}");
        for password in [&b""[..], b"open sesam", b"open sesame ", b"\xff\0"] {
            let wrong = opened(&bytes, Some(password)).unwrap_err();
            assert!(!wrong.locked && wrong.reason.contains("password is wrong"), "{format}: {wrong}");
        }
    }
    let (_, old) = all().find(|(format, _)| *format == "andotp-encrypted-old").unwrap();
    for password in [None, Some(&b"open"[..])] {
        assert!(opened(&old, password).unwrap_err().reason.contains("none of the formats"));
    }
}

#[test]
fn what_is_cut_or_changed_is_refused() {
    for (format, bytes) in all().filter(|(format, _)| !format.starts_with("stratum")) {
        for part in 1..6 {
            assert!(opened(&bytes[..bytes.len() * part / 6], Some(PASSWORD)).is_err(), "{format}, {part}/6");
        }
        let mut flipped = bytes.clone();
        let end = flipped.len() - 8;
        flipped[end] ^= 1;
        assert!(opened(&flipped, Some(PASSWORD)).is_err(), "{format}");
    }
    for (format, mut bytes) in all().filter(|(format, _)| format.starts_with("stratum")) {
        assert!(opened(&bytes[..40], Some(PASSWORD)).is_err(), "{format}");
        bytes.pop();
        assert!(opened(&bytes, Some(PASSWORD)).is_err(), "{format}");
    }
}

/// An archive with one file, deflated.
fn archive(name: &str, content: &[u8], password: Option<&str>) -> Vec<u8> {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let plain = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    let options = password.map_or(plain, |password| plain.with_aes_encryption(zip::AesMode::Aes256, password));
    writer.start_file(name, options).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap().into_inner()
}

#[test]
fn archives_hold_one_file_of_a_bounded_size() {
    let uri = b"otpauth://totp/Site:ann?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=My+Site\n";
    for (name, issuer) in [("Accounts.txt", "My Site"), ("winauth-2024-05-01.txt", "My+Site")] {
        let locked = archive(name, uri, Some("open sesame"));
        assert!(opened(&locked, None).unwrap_err().locked);
        assert!(opened(&locked, Some(b"open")).unwrap_err().reason.contains("password is wrong"));
        let parsed = opened(&locked, Some(PASSWORD)).unwrap();
        assert_eq!((parsed.format.as_str(), parsed.entries[0].issuer.as_str()), ("zip", issuer));
        let plain = archive(name, uri, None);
        assert_eq!(opened(&plain, None).unwrap().entries.len(), 1, "no password where none is needed");
        assert!(opened(&plain[..plain.len() - 30], None).is_err());
    }
    let bomb = archive("Accounts.txt", &vec![b'a'; 65 << 20], None);
    assert!(bomb.len() < 1 << 20 && opened(&bomb, None).unwrap_err().reason.contains("too much"));
    let foreign = archive("photo.jpg", b"x", None);
    assert!(opened(&foreign, None).unwrap_err().reason.contains("not one file"));
}

#[test]
fn a_key_may_not_cost_what_the_file_says() {
    for (format, costs, more) in [
        ("aegis-json-encrypted", "\"n\": 1024", "\"n\": 1073741824"),
        ("aegis-json-encrypted", "\"r\": 8", "\"r\": 4294967295"),
        ("aegis-json-encrypted", "\"p\": 1", "\"p\": 4000000000"),
        ("bitwarden-json-encrypted", "\"kdfIterations\": 5000", "\"kdfIterations\": 4000000000"),
        ("bitwarden-json-encrypted", "\"kdfMemory\": 1", "\"kdfMemory\": 4000000"),
        ("bitwarden-json-encrypted", "\"kdfIterations\": 2", "\"kdfIterations\": 4000000000"),
    ] {
        let texts = all().filter(|(name, _)| *name == format).map(|(_, bytes)| String::from_utf8(bytes).unwrap());
        let text = texts.into_iter().find(|text| text.contains(costs)).unwrap();
        let error = opened(text.replace(costs, more).as_bytes(), Some(PASSWORD)).unwrap_err();
        assert!(error.reason.contains("MB of memory"), "{format} {more}: {error}");
    }
    for (costs, zero) in [("\"n\": 1024", "\"n\": 0"), ("\"n\": 1024", "\"n\": 1023"), ("\"r\": 8", "\"r\": 0")] {
        let (_, aegis) = all().next().unwrap();
        let text = String::from_utf8(aegis).unwrap().replace(costs, zero);
        assert!(opened(text.as_bytes(), Some(PASSWORD)).is_err(), "{zero}");
    }
}

/// A container's key and what it encrypts, made with openssl: the MACs' key, and
/// values with their MACs.
const PSKC_KEY: &[u8] = b"00112233445566778899aabbccddeeff";
const HMAC_KEY: &str = "oKCgoKCgoKCgoKCgoKCgoHdUodfa2JXZ4clKiZuXQEqOhdNL2EmBZrMkc3Cz9twy";
const SECRET: [&str; 2] =
    ["oaGhoaGhoaGhoaGhoaGhoWMQKP9jLn4pddAvoOd/tCydXSLxT4D2aw2TdYDuPyxN", "pq6Va3wrBzft8qRRGrvJI0PqgIg="];
const SEVEN: [&str; 2] = ["oqKioqKioqKioqKioqKiojnyPImoJ3+W4XXqvgeNdPU=", "lFT9jbjOB5t7Sz2bFAyDZ68FNac="];
const SIXTY: [&str; 2] = ["o6Ojo6Ojo6Ojo6Ojo6Ojo6awvHyB5+joHIrbn3oXus0=", "IbIo6bR8H3iAPtuR8ev8K35l3XI="];
const NO_NUMBER: [&str; 2] = ["pKSkpKSkpKSkpKSkpKSkpD73tN9Lkqgl2DTtPOfsw6c=", "JBEKQV4GqaAD9CaUUPM2n3mfAaw="];

fn sealed([value, mac]: [&str; 2]) -> String {
    format!(
        "<EncryptedValue><CipherData><CipherValue>{value}</CipherValue></CipherData></EncryptedValue>\
         <ValueMAC>{mac}</ValueMAC>"
    )
}

/// A container with one key of this kind, secret and further data.
fn pskc(kind: &str, secret: &str, data: &str) -> String {
    format!(
        r#"<?xml version="1.0"?><KeyContainer xmlns="urn:ietf:params:xml:ns:keyprov:pskc">
        <MACMethod><MACKey><CipherData><CipherValue>{HMAC_KEY}</CipherValue></CipherData></MACKey></MACMethod>
        <KeyPackage><Key Id="1" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:{kind}">
        <Data><Secret>{secret}</Secret>{data}</Data></Key></KeyPackage></KeyContainer>"#
    )
}

#[test]
fn what_moves_a_token_may_be_encrypted() {
    let plain = "<PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue>".to_owned();
    let (seven, sixty) = (Kind::Hotp { stored: 7, next: 7 }, Kind::Totp { period: 60 });
    for secret in [sealed(SECRET), plain] {
        for (name, kind, value, expected) in [("hotp", "Counter", SEVEN, seven), ("totp", "TimeInterval", SIXTY, sixty)]
        {
            let text = pskc(name, &secret, &format!("<{kind}>{}</{kind}>", sealed(value)));
            assert!(opened(text.as_bytes(), None).unwrap_err().locked);
            let parsed = opened(text.as_bytes(), Some(PSKC_KEY)).unwrap();
            assert_eq!(parsed.entries.iter().map(|entry| entry.kind).collect::<Vec<_>>(), [expected], "{parsed:?}");
            assert_eq!(parsed.entries[0].secret.expose(), b"12345678901234567890");
        }
        let bad = [sealed(NO_NUMBER), sealed([SEVEN[0], SIXTY[1]]), String::new(), "<PlainValue/>".to_owned()];
        for counter in bad {
            let text = pskc("hotp", &secret, &format!("<Counter>{counter}</Counter>"));
            let parsed = opened(text.as_bytes(), Some(PSKC_KEY)).unwrap();
            assert_eq!((parsed.entries.len(), parsed.skipped.len()), (0, 1), "{counter}");
        }
    }
}
