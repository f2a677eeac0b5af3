//! Google Authenticator for Android, every schema from 2010 to 2022: columns
//! came one by one, and each may be missing.

use base64ct::{Base64, Encoding};
use otp_core::Secret;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use zeroize::Zeroizing;

use super::{columns, damaged, is_database, mentions, open, text};
use crate::entry::Kind;
use crate::{Entry, Error, Format, Parsed, Source};

pub(crate) struct GoogleAuthenticator;

/// What can't be read off the phone, and what to do.
const WRAPPED: &str = "the secret is encrypted with the phone's key store: \
                       export it in the app (Transfer accounts, Export) and give the QR code's text";

impl Format for GoogleAuthenticator {
    fn name(&self) -> &'static str {
        "google-authenticator-sqlite"
    }

    fn title(&self) -> &'static str {
        "Google Authenticator's database on Android, databases/databases"
    }

    fn recognises(&self, source: &Source) -> bool {
        // Every database but those of another program, so that a damaged one is named as such.
        is_database(source) && !mentions(source, "oath_secret_key")
    }

    fn parse(&self, source: &Source, parsed: &mut Parsed) -> Result<(), Error> {
        let connection = open(source, parsed)?;
        let present = columns(&connection).map_err(|error| damaged(source, &error))?;
        let has = |name: &str| present.iter().any(|column| column == name);
        if !["email", "secret", "counter", "type"].into_iter().all(has) {
            return Err(source.error("a database, but not Google Authenticator's: it has no table of its accounts"));
        }
        rows(&connection, &present, source, parsed).map_err(|error| damaged(source, &error))?;
        if !parsed.entries.is_empty() {
            parsed.notes.push(format!(
                "{}: the database holds no algorithm, digits and period; SHA1, 6 and 30 s are what the app uses",
                source.name
            ));
        }
        Ok(())
    }
}

fn rows(connection: &Connection, present: &[String], source: &Source, parsed: &mut Parsed) -> rusqlite::Result<()> {
    let optional = |name: &'static str| if present.iter().any(|column| column == name) { name } else { "NULL" };
    let query = format!(
        "SELECT email, secret, counter, type, {}, {} FROM accounts ORDER BY rowid",
        optional("issuer"),
        optional("isencrypted")
    );
    let mut statement = connection.prepare(&query)?;
    let mut rows = statement.query([])?;
    let mut number = 0;
    while let Some(row) = rows.next()? {
        number += 1;
        let name = text(row, 0).unwrap_or_default().to_owned();
        let issuer = text(row, 4).unwrap_or_default();
        let prefix = format!("{issuer}:");
        let title = if issuer.is_empty() || name.starts_with(&prefix) { name } else { prefix + &name };
        parsed.take(source.name, number, &title, entry(row));
    }
    Ok(())
}

fn entry(row: &Row) -> Result<Entry, String> {
    let label = text(row, 0).ok_or("its name is not text")?;
    let issuer = text(row, 4).ok_or("its issuer is not text")?;
    let wrapped = match row.get_ref(5) {
        Ok(ValueRef::Integer(flag)) => flag != 0,
        // Databases that the app brought up to date have the flag as text.
        Ok(ValueRef::Text(flag)) => flag != b"0" && !flag.is_empty(),
        _ => false,
    };
    if wrapped {
        return Err(WRAPPED.to_owned());
    }
    let number = |column| match row.get_ref(column) {
        Ok(ValueRef::Integer(number)) => Ok(number),
        Ok(ValueRef::Null) => Ok(0),
        _ => Err("a number in it is none"),
    };
    let kind = match number(3)? {
        0 => Kind::Totp { period: 30 },
        // The counter used last.
        1 => u64::try_from(number(2)?).ok().and_then(Kind::used).ok_or("its counter is negative")?,
        other => return Err(format!("unknown type {other}")),
    };
    let mut entry = Entry::new(kind, secret(text(row, 1).ok_or("its secret is not text")?)?);
    entry.set_label(issuer, label);
    Ok(entry)
}

/// Base32 as the app reads it.
fn secret(stored: &str) -> Result<Secret, String> {
    Secret::from_base32(stored).map_err(|error| match wrapped_bytes(stored) {
        Some(29..) => WRAPPED.to_owned(),
        _ => error.to_string(),
    })
}

/// How many bytes the text is, if it is base64 with line breaks; a nonce and a
/// tag alone are 28.
fn wrapped_bytes(stored: &str) -> Option<usize> {
    let mut joined = Zeroizing::new(String::with_capacity(stored.len()));
    joined.extend(stored.chars().filter(|character| !character.is_whitespace()));
    Base64::decode_vec(&joined).ok().map(|bytes| Zeroizing::new(bytes).len())
}
