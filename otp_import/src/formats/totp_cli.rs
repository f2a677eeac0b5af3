//! totp-cli's dump: YAML of one fixed form, namespaces with their accounts.

use otp_core::Secret;

use super::json::Draft;
use crate::{Entry, Error, Format, Parsed, Source};

pub(crate) struct TotpCli;

impl Format for TotpCli {
    fn name(&self) -> &'static str {
        "totp-cli-yaml"
    }

    fn title(&self) -> &'static str {
        "totp-cli's dump"
    }

    fn recognises(&self, source: &Source) -> bool {
        let mut lines = source.text().unwrap_or_default().lines();
        let first = lines.next().unwrap_or_default();
        first.starts_with("- name:") && lines.next().is_some_and(|second| second.trim_end() == "  accounts:")
    }

    fn parse(&self, source: &Source, parsed: &mut Parsed) -> Result<(), Error> {
        let (mut namespace, mut account) = ("", None::<Account>);
        for (row, line) in (1..).zip(source.text().unwrap_or_default().lines()) {
            if line.starts_with("- ") || line.starts_with("    - ") {
                account.take().into_iter().for_each(|account| account.into(source, namespace, parsed));
            }
            let Some((name, value)) = line.split_once(':') else {
                return Err(source.error(format!("line {row} is none that totp-cli writes")));
            };
            let value = plain(value).ok_or_else(|| source.error(format!("line {row} is none that totp-cli writes")))?;
            match (name.trim_start_matches(['-', ' ']), name.starts_with("- ")) {
                ("name", true) => namespace = value,
                ("name", false) => account = Some(Account { row, fields: vec![("name", value)] }),
                (field, _) => account.iter_mut().for_each(|account| account.fields.push((field, value))),
            }
        }
        account.into_iter().for_each(|account| account.into(source, namespace, parsed));
        Ok(())
    }
}

/// A value as it stands, or between quotation marks without escapes.
fn plain(value: &str) -> Option<&str> {
    let value = value.trim();
    let inside = value.strip_prefix('"').map(|rest| rest.strip_suffix('"'));
    inside.unwrap_or(Some(value)).filter(|value| !value.contains(['"', '\\', '{', '[']))
}

struct Account<'a> {
    row: u64,
    fields: Vec<(&'a str, &'a str)>,
}

impl Account<'_> {
    fn into(self, source: &Source, namespace: &str, parsed: &mut Parsed) {
        let name = self.field("name").to_owned();
        parsed.take(source.name, self.row, &name, self.entry(namespace));
    }

    fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value)
    }

    /// Zero stands for what everybody else takes.
    fn entry(&self, namespace: &str) -> Result<Entry, String> {
        let number = |name: &str| match self.field(name) {
            "" | "0" => Ok(None),
            digits => digits.parse().map(Some).map_err(|_| format!("bad {name}")),
        };
        let secret = Secret::from_base32(self.field("token")).map_err(|error| error.to_string())?;
        let draft = Draft {
            issuer: namespace,
            name: self.field("name"),
            algorithm: self.field("algorithm"),
            digits: number("length")?,
            period: number("timePeriod")?,
            ..Draft::new("totp", secret)
        };
        draft.entry()
    }
}
