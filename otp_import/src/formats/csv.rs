//! Password managers' tables with a column for the code: Bitwarden, 1Password,
//! Apple, LastPass, KeePassXC and others.

use csv::{ReaderBuilder, StringRecord};

use super::json::loose;
use crate::{Error, Format, Parsed, Source};

pub(crate) struct Csv;

/// What the column with the secret is called, in lower case.
const SECRETS: [&str; 5] = ["otpauth", "totp", BITWARDEN, "otpurl", "otp_secret"];
/// What Bitwarden calls it: the code of a counter is on the screen.
const BITWARDEN: &str = "login_totp";
/// What the column with the item's name is called.
const TITLES: [&str; 2] = ["title", "name"];
/// What the column with the user's name is called.
const USERS: [&str; 1] = ["username"];

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv-totp-column"
    }

    fn title(&self) -> &'static str {
        "CSV with a column totp, login_totp, OTPAuth or otpUrl: Bitwarden, 1Password, Apple, LastPass, KeePassXC"
    }

    fn recognises(&self, source: &Source) -> bool {
        let first = source.text().and_then(|text| text.lines().next()).unwrap_or_default();
        let columns: Vec<String> = first.split(',').map(|name| name.trim_matches('"').to_lowercase()).collect();
        // A URI or a row of users.oath may hold such words between commas, too.
        let heading = columns.len() > 1 && !first.contains("://") && !first.contains('\t');
        heading && SECRETS.iter().any(|secret| columns.iter().any(|column| column == secret))
    }

    fn parse(&self, source: &Source, parsed: &mut Parsed) -> Result<(), Error> {
        let text = source.text().ok_or_else(|| source.error("the table is not UTF-8"))?;
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let headings = reader.headers().map_err(|_| source.error("its first row can't be read"))?.clone();
        let column = |names: &[&str]| {
            headings.iter().position(|heading| names.iter().any(|name| heading.eq_ignore_ascii_case(name)))
        };
        let (secret, title, user) = (column(&SECRETS), column(&TITLES), column(&USERS));
        let shown =
            secret.and_then(|column| headings.get(column)).is_some_and(|name| name.eq_ignore_ascii_case(BITWARDEN));
        for (row, record) in (2..).zip(reader.records()) {
            let record = record.map_err(|_| source.error(format!("row {row} can't be read")))?;
            let cell = |column: Option<usize>| cell(&record, column);
            if !cell(secret).is_empty() {
                let entry = loose(cell(secret), cell(title), cell(user));
                let entry = entry.and_then(|entry| if shown { entry.shown() } else { Ok(entry) });
                parsed.take(source.name, row, cell(title), entry);
            }
        }
        Ok(())
    }
}

fn cell(record: &StringRecord, column: Option<usize>) -> &str {
    column.and_then(|column| record.get(column)).unwrap_or_default().trim()
}
