//! `users.oath`, the file of pam_oath (liboath): a line for each user,
//! `TYPE USER PIN SECRET [COUNTER [LAST_OTP [TIME]]]`.

use std::str::SplitAsciiWhitespace;

use otp_core::otp::Codes;
use otp_core::{Digits, Secret};

use super::{hex, uris};
use crate::entry::Kind;
use crate::hash::Hash;
use crate::login::Pin;
use crate::{Entry, Error, Format, Login, Parsed, Source, Zone};

/// The longest secret that liboath reads, in bytes.
const MAX_SECRET: usize = 32;
/// A code that was accepted is at most so many steps from the time of that.
const NEAR: u64 = 10;

pub(crate) struct UsersOath;

impl Format for UsersOath {
    fn name(&self) -> &'static str {
        "users-oath"
    }

    fn title(&self) -> &'static str {
        "/etc/users.oath of pam_oath"
    }

    fn recognises(&self, source: &Source) -> bool {
        uris::lines(source.bytes).any(|(_, line)| {
            let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            let kind = words.next().and_then(|word| std::str::from_utf8(word).ok()).and_then(kind);
            kind.is_some() && words.nth(2).is_some_and(|secret| secret.iter().all(u8::is_ascii_hexdigit))
        })
    }

    fn parse(&self, source: &Source, parsed: &mut Parsed) -> Result<(), Error> {
        let utc = Zone::utc();
        let zone = source.zone.unwrap_or(&utc);
        for (row, line) in uris::lines(source.bytes) {
            let Ok(line) = std::str::from_utf8(line) else {
                parsed.skip(source.name, Some(row), "", "not UTF-8");
                continue;
            };
            let mut words = line.split_ascii_whitespace();
            let word = words.next().unwrap_or_default();
            if word.starts_with('#') {
                continue;
            }
            match kind(word) {
                Some(kind) => {
                    let user = words.next().unwrap_or_default();
                    parsed.take(source.name, row, user, entry(kind, user, words, zone));
                }
                // liboath passes over it in silence.
                None => parsed.skip(source.name, Some(row), "", "a type that pam_oath doesn't know"),
            }
        }
        Ok(())
    }
}

/// Period (none for HOTP) and digits of a type.
fn kind(word: &str) -> Option<(Option<u32>, u8)> {
    let rest = word.strip_prefix("HOTP")?;
    let mut parts = rest.split('/').skip(1);
    let period = match parts.next() {
        None if rest.is_empty() => return Some((None, 6)),
        Some("E") => None,
        Some("T30") => Some(30),
        Some("T60") => Some(60),
        _ => return None,
    };
    let digits = match (parts.next(), parts.next()) {
        (None, _) => 6,
        (Some("6"), None) => 6,
        (Some("7"), None) => 7,
        (Some("8"), None) => 8,
        _ => return None,
    };
    rest.starts_with('/').then_some((period, digits))
}

fn entry(
    (period, digits): (Option<u32>, u8),
    user: &str,
    mut words: SplitAsciiWhitespace,
    zone: &Zone,
) -> Result<Entry, String> {
    let pin = match words.next().ok_or("a row of fewer than four fields")? {
        "-" => Pin::None,
        "+" => Pin::Elsewhere,
        _ => Pin::Literal,
    };
    let secret = secret(words.next().ok_or("a row of fewer than four fields")?)?;
    let counter = words.next().map(|word| word.parse::<u64>().map_err(|_| "the counter is no number")).transpose()?;
    let (last, time) = (words.next(), words.next());
    if words.next().is_some() {
        return Err("a row of more than seven fields".to_owned());
    }
    let stored = counter.unwrap_or(0);
    let kind = match period {
        Some(period) => Kind::Totp { period },
        // The last accepted one where the code stands behind it, else the next one.
        None if last.is_some() => Kind::used(stored).ok_or("the counter is at its end")?,
        None => Kind::Hotp { stored, next: stored },
    };
    let mut login = Login { user: Some(user.to_owned()), pin, refuses_reuse: true, ..Login::default() };
    if let (Some(period), Some(last)) = (period, last) {
        let time = time.and_then(|time| zone.seconds(time.strip_suffix('L')?));
        let time = time.ok_or("the time of the last code can't be read")?;
        login.used = last_step(&secret, digits, period, last, time).into_iter().collect();
    }
    let mut entry = Entry::new(kind, secret);
    (entry.name, entry.digits, entry.login) = (user.to_owned(), digits, Some(Box::new(login)));
    Ok(entry)
}

fn secret(text: &str) -> Result<Secret, String> {
    if text.len() > MAX_SECRET * 2 {
        return Err(format!("a secret of more than {MAX_SECRET} bytes, which pam_oath can't read either"));
    }
    hex::secret(text).ok_or_else(|| "the secret is not hexadecimal".to_owned())
}

/// The step whose code was accepted at `time`. Where none near it fits, every
/// step that could have been is taken for used, so that no code counts twice.
fn last_step(secret: &Secret, digits: u8, period: u32, last: &str, time: u64) -> Option<u64> {
    let digits = Digits::new(digits).ok()?;
    let algorithm = Hash::Sha1.algorithm()?;
    let centre = time / u64::from(period);
    let codes = Codes::new(secret, algorithm, digits);
    let fits = |step: &u64| codes.fits(last.as_bytes(), *step);
    let near = centre.saturating_sub(NEAR)..=centre + NEAR;
    near.rev().find(fits).or(Some(centre + NEAR))
}
