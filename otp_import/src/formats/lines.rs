//! Small command line programs whose files have a line for each secret.

use otp_core::Secret;
use otp_core::uri::KeyUri;

use super::uris::{begins, lines};
use crate::entry::Kind;
use crate::{Entry, Error, Format, Parsed, Source};

/// The shortest secret, in characters, that is taken for one.
const SECRET: usize = 16;

/// gauth's `NAME:SECRET`, with otpauth URIs among them.
pub(crate) struct Gauth;

/// rsc's 2fa, `~/.2fa`: `NAME DIGITS SECRET [COUNTER]`.
pub(crate) struct TwoFactor;

impl Format for Gauth {
    fn name(&self) -> &'static str {
        "gauth-csv"
    }

    fn title(&self) -> &'static str {
        "gauth's list of NAME:SECRET"
    }

    fn recognises(&self, source: &Source) -> bool {
        let pair = |line: &[u8]| std::str::from_utf8(line).ok().and_then(pair).is_some();
        lines(source.bytes).any(|(_, line)| pair(line))
            && lines(source.bytes).all(|(_, line)| pair(line) || begins(line, "otpauth://"))
    }

    fn parse(&self, source: &Source, parsed: &mut Parsed) -> Result<(), Error> {
        for (row, line) in lines(source.bytes) {
            let line = std::str::from_utf8(line).unwrap_or_default();
            let entry = match pair(line) {
                Some((name, secret)) => Ok(named(name, Entry::new(Kind::Totp { period: 30 }, secret))),
                None => KeyUri::parse(line).map(Entry::from_uri).map_err(|error| error.to_string()),
            };
            parsed.take(source.name, row, "", entry);
        }
        Ok(())
    }
}

fn pair(line: &str) -> Option<(&str, Secret)> {
    let (name, secret) = line.split_once(':')?;
    let long = secret.trim().len() >= SECRET && !name.contains(char::is_whitespace);
    long.then(|| Secret::from_base32(secret).ok()).flatten().map(|secret| (name, secret))
}

impl Format for TwoFactor {
    fn name(&self) -> &'static str {
        "rsc-2fa"
    }

    fn title(&self) -> &'static str {
        "~/.2fa of the program 2fa"
    }

    fn recognises(&self, source: &Source) -> bool {
        let mut lines =
            lines(source.bytes).map(|(_, line)| std::str::from_utf8(line).ok().and_then(two_factor)).peekable();
        lines.peek().is_some() && lines.all(|entry| entry.is_some())
    }

    fn parse(&self, source: &Source, parsed: &mut Parsed) -> Result<(), Error> {
        for (row, line) in lines(source.bytes) {
            let entry = std::str::from_utf8(line).ok().and_then(two_factor);
            parsed.take(source.name, row, "", entry.ok_or("not of the form NAME DIGITS SECRET COUNTER"));
        }
        Ok(())
    }
}

fn two_factor(line: &str) -> Option<Entry> {
    let mut words = line.split(' ');
    let name = words.next()?;
    let digits = words.next()?.parse().ok().filter(|digits| (6..=8).contains(digits))?;
    let secret = Secret::from_base32(words.next()?).ok()?;
    let kind = match words.next() {
        None => Kind::Totp { period: 30 },
        // The counter used last.
        Some(counter) => Kind::used(counter.parse().ok()?)?,
    };
    words.next().is_none().then(|| named(name, Entry { digits, ..Entry::new(kind, secret) }))
}

fn named(name: &str, entry: Entry) -> Entry {
    Entry { name: name.to_owned(), ..entry }
}
