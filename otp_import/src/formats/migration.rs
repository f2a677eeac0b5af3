//! `otpauth-migration`: what Google Authenticator shows when it exports. The
//! message has no public definition by Google; its fields are known from what
//! the app writes.

use base64ct::{Base64Unpadded, Encoding};
use otp_core::Secret;
use zeroize::Zeroizing;

use super::uris;
use crate::entry::Kind;
use crate::hash::Hash;
use crate::parsed::Part;
use crate::protobuf::{Fields, Value};
use crate::{Entry, Error, Format, Parsed, Source};

/// How the text begins, in lower case.
pub(crate) const SCHEME: &str = "otpauth-migration://";
/// The longest text in bytes: ten entries with long names fit many times.
const MAX_TEXT: usize = 64 * 1024;

pub(crate) struct Migration;

impl Format for Migration {
    fn name(&self) -> &'static str {
        "otpauth-migration"
    }

    fn title(&self) -> &'static str {
        "Google Authenticator's export, the text of its QR codes"
    }

    fn recognises(&self, source: &Source) -> bool {
        source.bytes.trim_ascii().is_empty() || uris::lines(source.bytes).any(|(_, line)| holds_export(line))
    }

    fn parse(&self, source: &Source, parsed: &mut Parsed) -> Result<(), Error> {
        for (row, line) in uris::lines(source.bytes) {
            uris::bytes(source, row, line, parsed);
        }
        Ok(())
    }
}

/// Whether a line is an export, perhaps with a label of somebody's own before
/// it, as scanners write one; such a line is named when it is read.
fn holds_export(line: &[u8]) -> bool {
    let label = line.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
    let labelled = || line.get(label..).and_then(|rest| rest.strip_prefix(b":")).unwrap_or_default();
    uris::begins(line, SCHEME) || uris::begins(labelled().trim_ascii_start(), SCHEME)
}

/// Reads the text of one picture.
pub(crate) fn line(source: &Source, row: u64, text: &str, parsed: &mut Parsed) {
    if let Err(reason) = payload(text).and_then(|payload| message(source, row, &payload, parsed)) {
        parsed.skip(source.name, Some(row), "", reason);
    }
}

fn payload(text: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    if text.len() > MAX_TEXT {
        return Err(format!("an export of more than {MAX_TEXT} bytes"));
    }
    let (host, query) = text.get(SCHEME.len()..).and_then(|rest| rest.split_once('?')).unwrap_or((text, ""));
    if !host.trim_end_matches('/').eq_ignore_ascii_case("offline") {
        return Err("an otpauth-migration URI that is not of the form …//offline?data=…".to_owned());
    }
    let mut data = query.split('&').filter_map(|parameter| parameter.strip_prefix("data="));
    match (data.next(), data.next()) {
        (Some(data), None) => base64(data),
        (None, _) => Err("an otpauth-migration URI without data".to_owned()),
        (Some(_), Some(_)) => Err("an otpauth-migration URI that gives data twice".to_owned()),
    }
}

/// Percent-encoding and base64 of either alphabet; '+' is never a blank.
fn base64(data: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let broken = || "the data of the export is not base64: was all of the text copied?".to_owned();
    let mut plain = Zeroizing::new(String::with_capacity(data.len()));
    let mut rest = data;
    while let Some(character) = rest.chars().next() {
        let (character, length) = match character {
            '%' => (rest.get(1..3).and_then(|hex| u8::from_str_radix(hex, 16).ok()).ok_or_else(broken)?, 3),
            character => (u8::try_from(character).map_err(|_| broken())?, 1),
        };
        rest = rest.get(length..).ok_or_else(broken)?;
        plain.push(match character {
            b'-' => '+',
            b'_' => '/',
            other => char::from(other),
        });
    }
    let decoded = Base64Unpadded::decode_vec(plain.trim_end_matches('=')).map_err(|_| broken())?;
    Ok(Zeroizing::new(decoded))
}

/// `MigrationPayload`.
fn message(source: &Source, row: u64, payload: &[u8], parsed: &mut Parsed) -> Result<(), String> {
    let fields: Vec<_> = Fields::of(payload).collect::<Result<_, _>>().map_err(|broken| broken.to_string())?;
    let mut part = Part { id: 0, size: 0, index: 0 };
    let mut version = 0;
    for (field, value) in &fields {
        // Negative numbers come as 64 bits.
        let number = || if let Value::Number(number) = value { *number as i32 } else { 0 };
        match field {
            2 => version = number(),
            3 => part.size = number(),
            4 => part.index = number(),
            5 => part.id = number(),
            _ => {}
        }
    }
    if !(0..=2).contains(&version) {
        return Err(format!("an export of version {version}; 1 and 2 are known"));
    }
    parsed.parts.push(part);
    for (_, value) in fields.iter().filter(|(field, _)| *field == 1) {
        match value {
            Value::Bytes(bytes) => parameters(source, row, bytes, parsed),
            _ => parsed.skip(source.name, Some(row), "", "malformed protobuf"),
        }
    }
    Ok(())
}

/// `OtpParameters`, as they come.
#[derive(Default)]
struct Parameters<'a> {
    secret: &'a [u8],
    name: &'a [u8],
    issuer: &'a [u8],
    algorithm: u64,
    digits: u64,
    kind: u64,
    counter: u64,
}

fn parameters(source: &Source, row: u64, bytes: &[u8], parsed: &mut Parsed) {
    let mut found = Parameters::default();
    for field in Fields::of(bytes) {
        match field {
            Ok((1, Value::Bytes(bytes))) => found.secret = bytes,
            Ok((2, Value::Bytes(bytes))) => found.name = bytes,
            Ok((3, Value::Bytes(bytes))) => found.issuer = bytes,
            Ok((4, Value::Number(number))) => found.algorithm = number,
            Ok((5, Value::Number(number))) => found.digits = number,
            Ok((6, Value::Number(number))) => found.kind = number,
            Ok((7, Value::Number(number))) => found.counter = number,
            Ok((1..=7, _)) => return parsed.skip(source.name, Some(row), "", "malformed protobuf"),
            Ok(_) => {}
            Err(broken) => return parsed.skip(source.name, Some(row), "", broken),
        }
    }
    let name = String::from_utf8_lossy(found.name);
    parsed.take(source.name, row, &name, found.entry());
}

impl Parameters<'_> {
    fn entry(&self) -> Result<Entry, String> {
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| "its name is not UTF-8");
        let kind = match self.kind {
            0 | 2 => Kind::Totp { period: 30 },
            // The counter used last.
            1 => i64::try_from(self.counter)
                .ok()
                .and_then(|_| Kind::used(self.counter))
                .ok_or("its counter is negative")?,
            kind => return Err(format!("unknown type {kind}")),
        };
        let secret = Secret::copy(self.secret).map_err(|error| error.to_string())?;
        let mut entry = Entry::new(kind, secret);
        entry.set_label(text(self.issuer)?, text(self.name)?);
        entry.algorithm = match self.algorithm {
            0 | 1 => Hash::Sha1,
            2 => Hash::Sha256,
            3 => Hash::Sha512,
            4 => Hash::Md5,
            other => return Err(format!("unknown algorithm {other}")),
        };
        entry.digits = match self.digits {
            0 | 1 => 6,
            2 => 8,
            other => return Err(format!("unknown number of digits {other}")),
        };
        Ok(entry)
    }
}
