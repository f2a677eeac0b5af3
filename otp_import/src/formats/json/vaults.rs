//! Password managers: an item of theirs may hold several secrets.

use otp_core::Secret;
use otp_core::uri::KeyUri;
use serde_json::Value;

use super::draft::{Draft, text};
use super::{document, list, marked, other_form};
use crate::{Entry, Error, Format, Parsed, Source};

/// What one password manager writes.
pub(crate) struct Vault {
    name: &'static str,
    title: &'static str,
    /// Words that its exports hold, and that those of others don't hold together.
    marks: &'static [&'static str],
    /// Its items, in their order.
    items: fn(&Value) -> Option<Vec<&Value>>,
    /// The secrets of one of them: URIs, or secrets alone. Empty ones are none.
    secrets: fn(&Value) -> Vec<&str>,
    /// What the item is called.
    label: fn(&Value) -> &str,
    /// The person's name in it.
    user: fn(&Value) -> &str,
    /// Whether the code of a counter is on the screen, and may be used.
    shown: bool,
}

impl Format for Vault {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn recognises(&self, source: &Source) -> bool {
        marked(source, self.marks)
    }

    fn parse(&self, source: &Source, parsed: &mut Parsed) -> Result<(), Error> {
        let document = document(source)?;
        let items = (self.items)(&document.0).ok_or_else(|| other_form(source, self.name))?;
        for (row, item) in (1..).zip(items) {
            for secret in (self.secrets)(item).into_iter().filter(|secret| !secret.is_empty()) {
                let label = (self.label)(item);
                let entry = loose(secret, label, (self.user)(item));
                let entry = entry.and_then(|entry| if self.shown { entry.shown() } else { Ok(entry) });
                parsed.take(source.name, row, label, entry);
            }
        }
        Ok(())
    }
}

/// What stands in password managers: a URI, or a secret alone.
pub(crate) fn loose(totp: &str, issuer: &str, name: &str) -> Result<Entry, String> {
    if totp.contains("://") {
        let mut entry = KeyUri::parse(totp).map(Entry::from_uri).map_err(|error| error.to_string())?;
        if entry.name.is_empty() {
            entry.name = name.to_owned();
        }
        return Ok(entry);
    }
    let secret = Secret::from_base32(totp).map_err(|error| error.to_string())?;
    Draft { issuer, name, ..Draft::new("totp", secret) }.entry()
}

/// The value of a field, or nothing.
fn part<'a>(value: &'a Value, field: &str) -> &'a Value {
    value.get(field).unwrap_or(&Value::Null)
}

/// The values of a list, if there is one.
fn within<'a>(value: &'a Value, field: &str) -> Vec<&'a Value> {
    list(value, field).unwrap_or_default()
}

pub(crate) const BITWARDEN: Vault = Vault {
    name: "bitwarden-json",
    title: "Bitwarden and Bitwarden Authenticator, exported without encryption",
    marks: &["items", "encrypted"],
    items: |document| list(document, "items"),
    secrets: |item| vec![text(part(item, "login"), "totp")],
    label: |item| text(item, "name"),
    user: |item| text(part(item, "login"), "username"),
    shown: true,
};

/// Every login of every vault: with its title, and the person's name in it.
pub(crate) const ONE_PASSWORD: Vault = Vault {
    name: "1password-1pux",
    title: "1Password, export.data out of its 1PUX archive",
    marks: &["accounts", "vaults", "categoryUuid"],
    items: |document| {
        let vaults = list(document, "accounts")?.into_iter().flat_map(|account| within(account, "vaults"));
        Some(vaults.flat_map(|vault| within(vault, "items")).collect())
    },
    secrets: |item| {
        let sections = within(part(item, "details"), "sections").into_iter();
        let fields = sections.flat_map(|section| within(section, "fields"));
        fields.map(|field| text(part(field, "value"), "totp")).collect()
    },
    label: |item| text(part(item, "overview"), "title"),
    user: |item| {
        let mut fields = within(part(item, "details"), "loginFields").into_iter();
        fields.find(|field| text(field, "designation") == "username").map_or("", |person| text(person, "value"))
    },
    shown: false,
};

pub(crate) const PROTON_PASS: Vault = Vault {
    name: "proton-pass-zip",
    title: "Proton Pass, data.json out of its archive",
    marks: &["vaults", "itemId", "extraFields"],
    items: |document| {
        let vaults = document.get("vaults")?.as_object()?;
        Some(vaults.values().flat_map(|vault| within(vault, "items")).collect())
    },
    secrets: |item| {
        let data = part(item, "data");
        let further = within(data, "extraFields").into_iter().map(|field| text(part(field, "data"), "totpUri"));
        std::iter::once(text(part(data, "content"), "totpUri")).chain(further).collect()
    },
    label: |item| text(part(part(item, "data"), "metadata"), "name"),
    user: |item| text(part(part(item, "data"), "content"), "itemUsername"),
    shown: false,
};
