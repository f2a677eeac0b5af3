//! Lists of otpauth URIs, one a line; also an entry of pass, whose first line
//! is a password.

use otp_core::uri::KeyUri;

use super::migration;
use crate::{Entry, Error, Format, Parsed, Source};

pub(crate) struct Uris;

/// How lines begin that hold a secret, in lower case; what can't be read of them is named.
const SCHEMES: [&str; 3] = ["otpauth://", "steam://", "motp://"];

impl Format for Uris {
    fn name(&self) -> &'static str {
        "otpauth-uri-list"
    }

    fn title(&self) -> &'static str {
        "otpauth:// and steam:// URIs, one a line (also Ente's, Aegis' and pass-otp's)"
    }

    fn recognises(&self, source: &Source) -> bool {
        lines(source.bytes).any(|(_, line)| is_uri(line))
    }

    fn parse(&self, source: &Source, parsed: &mut Parsed) -> Result<(), Error> {
        let begins_with_a_uri = lines(source.bytes).next().is_some_and(|(_, text)| is_uri(text));
        let pass = !begins_with_a_uri && lines(source.bytes).filter(|(_, text)| is_uri(text)).count() == 1;
        for (row, text) in lines(source.bytes) {
            // A password and notes stand around the one URI of a pass entry.
            if !pass || is_uri(text) {
                bytes(source, row, text, parsed);
            }
        }
        Ok(())
    }
}

fn is_uri(line: &[u8]) -> bool {
    SCHEMES.iter().any(|scheme| begins(line, scheme))
}

/// Lines that aren't blank, trimmed, with their numbers from 1.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines = (1..).zip(bytes.split(|byte| *byte == b'\n'));
    lines.map(|(row, line)| (row, line.trim_ascii())).filter(|(_, line)| !line.is_empty())
}

/// Whether `line` begins with `scheme`, in any case.
pub(crate) fn begins(line: &[u8], scheme: &str) -> bool {
    line.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes()))
}

/// Reads one line that should hold a URI of any kind.
pub(crate) fn bytes(source: &Source, row: u64, text: &[u8], parsed: &mut Parsed) {
    match std::str::from_utf8(text) {
        Ok(text) => line(source, row, text, parsed),
        Err(_) => parsed.skip(source.name, Some(row), "", "not UTF-8"),
    }
}

/// Reads the text of one line or of one code.
pub(crate) fn line(source: &Source, row: u64, text: &str, parsed: &mut Parsed) {
    if begins(text.as_bytes(), migration::SCHEME) {
        return migration::line(source, row, text, parsed);
    }
    parsed.take(source.name, row, "", entry(text));
}

fn entry(text: &str) -> Result<Entry, String> {
    let uri = KeyUri::parse(text).map_err(|error| error.to_string())?;
    let entry = Entry::from_uri(uri);
    // Ente's exports carry this.
    if text.contains("codeDisplay=") { entry.shown() } else { Ok(entry) }
}
