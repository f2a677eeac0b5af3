//! Microsoft Authenticator for Android (PhoneFactor).

use otp_core::Secret;

use super::{columns, damaged, is_database, mentions, open, text};
use crate::entry::Kind;
use crate::{Entry, Error, Format, Parsed, Source};

pub(crate) struct MicrosoftAuthenticator;

impl Format for MicrosoftAuthenticator {
    fn name(&self) -> &'static str {
        "microsoft-authenticator-sqlite"
    }

    fn title(&self) -> &'static str {
        "Microsoft Authenticator's database on Android, databases/PhoneFactor"
    }

    fn recognises(&self, source: &Source) -> bool {
        is_database(source) && mentions(source, "oath_secret_key")
    }

    fn parse(&self, source: &Source, parsed: &mut Parsed) -> Result<(), Error> {
        let connection = open(source, parsed)?;
        let failed = |error| damaged(source, &error);
        let present = columns(&connection).map_err(failed)?;
        if !["name", "username", "oath_secret_key"].iter().all(|name| present.iter().any(|column| column == name)) {
            return Err(source.error("a database, but not Microsoft Authenticator's"));
        }
        let query = "SELECT name, username, oath_secret_key FROM accounts ORDER BY rowid";
        let mut statement = connection.prepare(query).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        let mut number = 0;
        while let Some(row) = rows.next().map_err(failed)? {
            number += 1;
            let (issuer, name) = (text(row, 0).unwrap_or_default(), text(row, 1).unwrap_or_default());
            let secret = text(row, 2).ok_or_else(|| "its secret is not text".to_owned());
            let entry = secret.and_then(|secret| Secret::from_base32(secret).map_err(|error| error.to_string()));
            let entry = entry.map(|secret| Entry {
                issuer: issuer.to_owned(),
                name: name.to_owned(),
                ..Entry::new(Kind::Totp { period: 30 }, secret)
            });
            parsed.take(source.name, number, issuer, entry);
        }
        Ok(())
    }
}
