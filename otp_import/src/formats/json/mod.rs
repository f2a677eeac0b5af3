//! Authenticators whose exports are JSON: where each keeps its entries, and
//! what it calls their fields.

mod apps;
mod draft;
mod vaults;

use serde_json::Value;
use zeroize::Zeroize;

pub(crate) use apps::*;
pub(crate) use draft::Draft;
pub(crate) use vaults::*;

use crate::{Entry, Error, Format, Parsed, Source};

/// What one authenticator writes.
pub(crate) struct Json {
    name: &'static str,
    title: &'static str,
    /// Words that its exports hold, and that those of others don't hold together.
    marks: &'static [&'static str],
    /// Its entries, in their order.
    entries: fn(&Value) -> Option<Vec<&Value>>,
    /// One of them; `None` where it holds no secret and is meant to hold none.
    entry: fn(&Value) -> Result<Option<Entry>, String>,
    /// What it is called, to be named when it can't be read.
    label: fn(&Value) -> String,
}

impl Format for Json {
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
        let entries = (self.entries)(&document.0).ok_or_else(|| other_form(source, self.name))?;
        self.take(source, &entries, parsed);
        Ok(())
    }
}

impl Json {
    /// Takes these entries, or says why not.
    pub(crate) fn take(&self, source: &Source, entries: &[&Value], parsed: &mut Parsed) {
        for (row, value) in (1..).zip(entries) {
            match (self.entry)(value) {
                Ok(None) => {}
                Ok(Some(entry)) => parsed.entries.push(entry),
                Err(reason) => parsed.skip(source.name, Some(row), &(self.label)(value), reason),
            }
        }
    }
}

/// Whether `source` is JSON that holds all these words.
fn marked(source: &Source, marks: &[&str]) -> bool {
    let json = matches!(source.bytes.trim_ascii_start().first(), Some(b'{' | b'['));
    json && marks.iter().all(|mark| {
        let mark = format!("\"{mark}\"");
        source.bytes.windows(mark.len()).any(|window| window == mark.as_bytes())
    })
}

fn document(source: &Source) -> Result<Wiped, Error> {
    serde_json::from_slice(source.bytes).map(Wiped).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        source.error(format!("broken JSON at {place}")).hint("export it again")
    })
}

/// Says that the entries are not where they should be.
fn other_form(source: &Source, name: &str) -> Error {
    let reason = format!("an export of this kind ({name}) that is encrypted, or has another form");
    source.error(reason).hint("export it without a password, and delete that file afterwards")
}

fn list<'a>(value: &'a Value, field: &str) -> Option<Vec<&'a Value>> {
    all(value.get(field)?)
}

fn all(value: &Value) -> Option<Vec<&Value>> {
    value.as_array().map(|values| values.iter().collect())
}

/// A document whose texts are wiped.
struct Wiped(Value);

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// The parser bounds how deep this goes.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Number(number) => *number = 0.into(),
        Value::Null | Value::Bool(_) => {}
    }
}
