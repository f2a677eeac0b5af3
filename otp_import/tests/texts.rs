//! Formats that are text, with files of our own.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers outside of #[test] functions

use otp_core::{Algorithm, Digits, Secret, otp};
use otp_import::login::Pin;
use otp_import::{Entry, Kind, Parsed, Source, read, write};

const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const HEX: &str = "3132333435363738393031323334353637383930";

fn parse(text: &str) -> Parsed {
    read(&[Source::of("file", text.as_bytes())]).unwrap()
}

fn format(text: &str) -> String {
    read(&[Source::of("file", text.as_bytes())]).map_or_else(|error| error.reason, |parsed| parsed.format)
}

#[test]
fn formats_are_not_taken_for_each_other() {
    for (text, name) in [
        (format!("{SECRET}\n\" TOTP_AUTH\n"), "google-authenticator-pam-state"),
        (format!("BM{SECRET}\n\" TOTP_AUTH\n"), "google-authenticator-pam-state"),
        (format!("HOTP\totpauth-migration://x\t-\t{HEX}\n"), "users-oath"),
        (format!("# comment\n\nHOTP/T30 alice - {HEX}\n"), "users-oath"),
        (format!("otpauth://totp/a:otpauth-migration://x?secret={SECRET}\n"), "otpauth-uri-list"),
        (format!("\u{feff}OTPAUTH://totp/a?secret={SECRET}\r\n"), "otpauth-uri-list"),
        ("steam://JBSWY3DPEHPK3PXP".to_owned(), "otpauth-uri-list"),
        ("QR-Code:otpauth-migration://offline?data=AA".to_owned(), "otpauth-migration"),
        ("QR-Code: otpauth-migration://offline?data=AA".to_owned(), "otpauth-migration"),
        (SECRET.to_owned(), "none of the formats that are known"),
        ("HOTP is a standard of 2005".to_owned(), "none of the formats that are known"),
        ("hotp/t30 alice - 00".to_owned(), "none of the formats that are known"),
    ] {
        assert_eq!(format(&text), name, "{text}");
    }
}

#[test]
fn users_oath_says_what_was_used() {
    let code = |step| otp::code(&Secret::from_base32(SECRET).unwrap(), Algorithm::Sha1, Digits::SIX, step).to_string();
    let step = 1_234_567_890 / 30;
    let row = |rest: &str| parse(&format!("HOTP/{rest}\n"));
    let used = |parsed: &Parsed| parsed.entries[0].login.as_ref().unwrap().used.clone();
    let time = "2009-02-13T23:31:30L";
    for (accepted, expected) in [(step - 2, step - 2), (step, step), (step + 9, step + 9)] {
        let parsed = row(&format!("T30 alice - {HEX} 0 {} {time}", code(accepted)));
        assert_eq!(used(&parsed), [expected]);
    }
    // A code that fits nowhere: whatever could have been used counts as used.
    assert!(used(&row(&format!("T30 alice - {HEX} 0 000000 {time}")))[0] > step);
    for (rest, next) in [("", 0), (" 7", 7), (&*format!(" 7 755224 {time}"), 8)] {
        let Kind::Hotp { next: found, .. } = row(&format!("E alice + {HEX}{rest}")).entries[0].kind else { panic!() };
        assert_eq!(found, next, "{rest:?}");
    }
    for bad in [
        format!("T30 alice - {HEX}0"),
        "T30 alice - ".to_owned() + &"00".repeat(33),
        format!("E alice - {HEX} x"),
        format!("E alice - {HEX} 18446744073709551615 755224 {time}"),
        format!("T30 alice - {HEX} 0 755224 yesterday"),
        format!("T30 alice - {HEX} 0 755224 {time} more"),
        format!("T90 alice - {HEX}"),
    ] {
        let text = format!("HOTP/T30 good - {HEX}\nHOTP/{bad}\n");
        let parsed = parse(&text);
        assert_eq!((parsed.entries.len(), parsed.skipped.len()), (1, 1), "{bad}");
        assert_eq!(parsed.skipped[0].row, Some(2));
    }
    let pins =
        ["-", "+", "1234"].map(|pin| row(&format!("E alice {pin} {HEX}")).entries[0].login.as_ref().unwrap().pin);
    assert_eq!(pins, [Pin::None, Pin::Elsewhere, Pin::Literal]);
}

#[test]
fn a_state_file_that_the_module_would_not_take_is_refused() {
    for bad in [
        format!("{SECRET}=\n\" TOTP_AUTH\n"),
        format!("{SECRET}\n\" WINDOW_SIZE 3\n"),
        format!("{SECRET}\n\" HOTP_COUNTER 0\n"),
        format!("{SECRET}\n\" HOTP_COUNTER -1\n"),
        format!("{SECRET}\n\" WINDOW_SIZE 101\n\" TOTP_AUTH\n"),
        format!("{SECRET}\n\" TIME_SKEW one\n\" TOTP_AUTH\n"),
        format!("{SECRET}\n\" RATE_LIMIT 3\n\" TOTP_AUTH\n"),
        format!("{SECRET}\n\" TOTP_AUTH\n1234\n"),
        format!("{SECRET}\n\" TOTP_AUTH\n{}", "12345678\n".repeat(8000)),
    ] {
        let end = bad.len().min(80);
        assert!(read(&[Source::of("file", bad.as_bytes())]).is_err(), "{}", &bad[..end]);
    }
    let first = parse(&format!("{SECRET}\n\" WINDOW_SIZE 5\n\" WINDOW_SIZE 7\n\" TOTP_AUTH\n"));
    assert_eq!(first.entries[0].login.as_ref().unwrap().window, Some(5), "the first of several counts");
}

#[test]
fn missing_parts_are_named_and_no_size_is_a_bomb() {
    let payload = |size: u64, index: u64| {
        let mut text = vec![0x10, 1, 0x18];
        let mut size = size;
        while size >= 0x80 {
            text.push((size & 0x7f) as u8 | 0x80);
            size >>= 7;
        }
        text.extend([size as u8, 0x20, index as u8]);
        let digits = text.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("otpauth-migration://offline?data={}\n", base64(&digits))
    };
    let notes = |text: String| parse(&text).notes;
    assert_eq!(notes(payload(2, 0) + &payload(2, 1)).len(), 0);
    assert!(notes(payload(3, 2) + &payload(3, 0))[0].starts_with("part 2 of 3"));
    assert!(notes(payload(3, 1))[0].starts_with("parts 1, 3 of 3"));
    assert!(notes(payload(0x7fff_ffff, 1))[0].contains("and more of 2147483647"));
    assert_eq!(notes(payload(u64::MAX, 1)).len(), 0, "a negative size");
}

/// Hexadecimal to base64, by hand: the test needs no crate for it.
fn base64(hex: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String = hex.chars().map(|digit| format!("{:04b}", digit.to_digit(16).unwrap())).collect();
    let six = bits.as_bytes().chunks(6).map(|six| format!("{:0<6}", std::str::from_utf8(six).unwrap()));
    six.map(|six| DIGITS[usize::from_str_radix(&six, 2).unwrap()] as char).collect()
}

#[test]
fn nothing_prints_a_secret() {
    let parsed = parse(&format!("{SECRET}\n\" TOTP_AUTH\n12345678\n"));
    let text = format!("{parsed:?}");
    assert!(!text.contains(SECRET) && !text.contains("12345678"), "{text}");
}

#[test]
fn an_entry_crosses_the_pipe_unchanged() {
    use otp_import::pipe::{Answer, receive, send};
    let state = format!("{SECRET}\n\" WINDOW_SIZE 5\n\" DISALLOW_REUSE 1 2\n\" MINE \"x\n\" TOTP_AUTH\n12345678\n");
    let answer = Answer::Parsed(parse(&state));
    let mut line = Vec::new();
    send(&answer, &mut line).unwrap();
    let Answer::Parsed(again) = receive(&line).unwrap() else { panic!() };
    let Answer::Parsed(parsed) = answer else { panic!() };
    assert_eq!(again.entries, parsed.entries);
    assert!(receive(&line[..line.len() - 1]).is_err());
    let entries: Vec<&Entry> = again.entries.iter().collect();
    assert!(write::libpam(&entries).texts[0].contains("MINE \"x"));
}

/// The secrets that were found, as text; every row that was put aside; and the kinds.
fn found(text: &str) -> (Vec<String>, Vec<Option<u64>>, Vec<Kind>) {
    let parsed = parse(text);
    let secrets = parsed.entries.iter().map(|entry| String::from_utf8_lossy(entry.secret.expose()).into_owned());
    let rows = parsed.skipped.iter().map(|skipped| skipped.row).collect();
    (secrets.collect(), rows, parsed.entries.iter().map(|entry| entry.kind).collect())
}

#[test]
fn every_secret_of_a_password_managers_item_counts() {
    // base32 of "first", "second" and "third"
    let secrets = ["MZUXE43U", "ONSWG33OMQ", "ORUGS4TE"];
    let [first, second, third] = secrets;
    let one_password = format!(
        r#"{{"accounts":[{{"vaults":[{{"items":[{{"categoryUuid":"001","overview":{{"title":"Site"}},"details":{{"sections":[
        {{"fields":[{{"value":{{"totp":"{first}"}}}},{{"value":{{"totp":"!"}}}},{{"value":{{"totp":""}}}},
        {{"value":{{"string":"x"}}}},{{"value":{{"totp":"otpauth://totp/a?secret={second}"}}}}]}},
        {{"fields":[{{"value":{{"totp":"{third}"}}}}]}}]}}}}]}}]}}]}}"#
    );
    let proton = format!(
        r#"{{"vaults":{{"v":{{"items":[{{"itemId":"1","data":{{"metadata":{{"name":"Site"}},
        "extraFields":[{{"type":"totp","data":{{"totpUri":"{second}"}}}},{{"type":"totp","data":{{"totpUri":"!"}}}},
        {{"type":"text","data":{{"content":"x"}}}},{{"type":"totp","data":{{"totpUri":"{third}"}}}}],
        "content":{{"totpUri":"{first}"}}}}}}]}}}}}}"#
    );
    for text in [one_password, proton] {
        let (found, skipped, _) = found(&text);
        assert_eq!((found, skipped), (["first", "second", "third"].map(str::to_owned).to_vec(), vec![Some(1)]));
        assert_eq!((parse(&text).entries[0].issuer.as_str(), parse(&text).skipped[0].name.as_str()), ("Site", "Site"));
    }
}

#[test]
fn bitwardens_counter_may_be_used_already() {
    let json = |counter: u64| {
        let uri = format!("otpauth://hotp/ann?secret={SECRET}&counter={counter}");
        format!(r#"{{"encrypted":false,"items":[{{"name":"Site","login":{{"username":"ann","totp":"{uri}"}}}}]}}"#)
    };
    let csv = format!("name,login_username,login_totp\nSite,ann,otpauth://hotp/ann?secret={SECRET}&counter=7\n");
    for text in [json(7), csv] {
        assert_eq!(parse(&text).entries[0].kind, Kind::Hotp { stored: 7, next: 8 });
    }
    let end = parse(&json(u64::MAX));
    assert_eq!((end.entries.len(), end.skipped.len()), (0, 1));
    let other = format!("name,username,totp\nSite,ann,otpauth://hotp/ann?secret={SECRET}&counter=7\n");
    assert_eq!(parse(&other).entries[0].kind, Kind::Hotp { stored: 7, next: 7 });
}

#[test]
fn every_secret_of_a_keepass_entry_counts() {
    let entry = |fields: &[(&str, &str)]| {
        let field = |(key, value): &(&str, &str)| format!("<String><Key>{key}</Key><Value>{value}</Value></String>");
        let fields: String = fields.iter().map(field).collect();
        format!(
            r#"<?xml version="1.0"?><KeePassFile><Root><Group><Entry>{fields}</Entry></Group></Root></KeePassFile>"#
        )
    };
    let (totp, hotp) = (Kind::Totp { period: 30 }, Kind::Hotp { stored: 7, next: 7 });
    let counter = [("HmacOtp-Secret", "second"), ("HmacOtp-Counter", "7")];
    for time in [("TimeOtp-Secret", "first"), ("TOTP Seed", "MZUXE43U"), ("otp", "key=MZUXE43U")] {
        let (secrets, skipped, kinds) = found(&entry(&[time, counter[0], counter[1]]));
        assert_eq!((secrets, skipped, kinds), (vec!["first".into(), "second".into()], vec![], vec![totp, hotp]));
    }
    // One that can't be read takes no other along.
    let (secrets, skipped, _) = found(&entry(&[("TimeOtp-Secret-Hex", "x"), counter[0], counter[1]]));
    assert_eq!((secrets, skipped), (vec!["second".to_owned()], vec![Some(1)]));
    let (secrets, ..) = found(&entry(&[("TOTP Seed", "MZUXE43U"), ("TimeOtp-Secret", "first")]));
    assert_eq!(secrets, ["first"], "one secret, for two plugins");
}

#[test]
fn a_uri_is_never_taken_for_a_note() {
    let pass = format!("hunter2\nuser: ann\notpauth://totp/a?secret={SECRET}\n");
    assert!(matches!(found(&pass), (secrets, skipped, _) if secrets.len() == 1 && skipped.is_empty()));
    for (text, entries, rows) in [
        (format!("steam://MZUXE43U\notpauth://totp/a?secret={SECRET}\n"), 2, vec![]),
        (format!("hunter2\notpauth://totp/a?secret={SECRET}\nsteam://MZUXE43U\n"), 2, vec![Some(1)]),
        (format!("hunter2\notpauth://totp/a?secret={SECRET}\nSteam://!\n"), 1, vec![Some(1), Some(3)]),
        (format!("motp://Site:ann?secret=00\notpauth://totp/a?secret={SECRET}\n"), 1, vec![Some(1)]),
    ] {
        let (secrets, skipped, _) = found(&text);
        assert_eq!((secrets.len(), skipped), (entries, rows), "{text}");
    }
}

#[test]
fn a_token_whose_codes_are_not_decimal_is_put_aside() {
    let token = |encoding: &str| {
        format!(
            r#"<?xml version="1.0"?><KeyContainer xmlns="urn:ietf:params:xml:ns:keyprov:pskc"><KeyPackage>
            <Key Id="1" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:totp"><AlgorithmParameters>
            <ResponseFormat Length="8"{encoding}/></AlgorithmParameters>
            <Data><Secret><PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue></Secret></Data></Key>
            </KeyPackage></KeyContainer>"#
        )
    };
    for good in ["", r#" Encoding="DECIMAL""#, r#" CheckDigits="false""#] {
        assert_eq!(parse(&token(good)).entries[0].digits, 8);
    }
    for bad in ["HEXADECIMAL", "ALPHANUMERIC", "BASE64", "BINARY", ""] {
        let parsed = parse(&token(&format!(" Encoding=\"{bad}\"")));
        assert!(parsed.entries.is_empty() && parsed.skipped[0].reason.contains("not decimal digits"), "{bad}");
    }
    let parsed = parse(&token(" CheckDigits=\"true\""));
    assert!(parsed.entries.is_empty() && parsed.skipped[0].reason.contains("check digit"));
}
