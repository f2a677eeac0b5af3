//! `convert`: secrets that an authenticator wrote, in another form. No store,
//! no root, no verifier; and never a login key: that is [`import`].

pub mod arguments;
mod codes;
pub mod export;
pub mod homes;
pub mod import;
mod open;
mod password;
pub mod private;
mod reader;
mod rights;
mod select;
mod show;
pub mod users_file;

use otp_import::write::{self, Written};
use otp_import::{Entry, FORMATS, LOCKED, Parsed};
use zeroize::Zeroizing;

use arguments::{Convert, Form, Target};
use select::{Numbered, select};

use crate::error::Failure;
use crate::output::{Output, Style, table};

/// Reads files and writes what is in them.
///
/// # Errors
/// When they can't be read, or not everything can stand in the form.
pub fn run(arguments: &Convert, out: &mut Output) -> Result<(), Failure> {
    if arguments.formats {
        return formats(out);
    }
    let parsed = reader::read(&arguments.files, &arguments.locked)?;
    let entries = select(&parsed, &arguments.select)?;
    write(&arguments.form, arguments.to, &parsed, &entries, out)
}

/// Writes entries to where they are wanted.
fn write(form: &Form, to: Target, parsed: &Parsed, entries: &[Numbered], out: &mut Output) -> Result<(), Failure> {
    match to {
        Target::Qr | Target::Png | Target::Svg => return pictures(form, to, parsed, entries, out),
        _ if form.batch => return Err(Failure::usage("--batch goes with --to qr, png or svg")),
        _ => {}
    }
    let Some(path) = &form.output else {
        if to != Target::Table {
            private::make_stdout_private()?;
        }
        return write_all(to, parsed, entries, out);
    };
    let file = private::new_file(path)?;
    let written = write_all(to, parsed, entries, &mut Output::to(&file, Style::default()));
    if written.is_err() && file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
        let _ = std::fs::remove_file(path);
    }
    written
}

/// QR codes: one an entry, or one for ten.
fn pictures(form: &Form, to: Target, parsed: &Parsed, entries: &[Numbered], out: &mut Output) -> Result<(), Failure> {
    show::remarks(parsed);
    let plain: Vec<&Entry> = entries.iter().map(|(_, entry)| *entry).collect();
    let plain = distinct(&plain);
    let written = if form.batch { write::migration(&plain, batch_id()?) } else { write::uri(&plain) };
    match (to, &form.output) {
        (Target::Qr, None) => {
            let left_out = |title: &String| written.left_out.iter().any(|(name, _)| name == title);
            let titles = plain.iter().map(|entry| entry.title()).filter(|title| !left_out(title));
            let names: Vec<String> = if form.batch { vec![] } else { titles.collect() };
            codes::show(&written, &names, out)?;
        }
        (Target::Qr, Some(_)) => return Err(Failure::usage("--to qr is for the terminal").hint("take --to png")),
        (to, Some(path)) => codes::write(to, &written, path, out)?,
        (_, None) => return Err(Failure::usage("a picture needs a new file").hint("name it with --output")),
    }
    losses(&written)?;
    none(parsed, entries)
}

fn formats(out: &mut Output) -> Result<(), Failure> {
    let locked = LOCKED.iter().map(|kind| vec![kind.name().to_owned(), kind.title().to_owned()]);
    let rows: Vec<Vec<String>> =
        FORMATS.iter().map(|format| vec![format.name().to_owned(), format.title().to_owned()]).chain(locked).collect();
    out.print(&table(&["FORMAT", "WRITTEN BY"], &rows))
}

fn write_all(to: Target, parsed: &Parsed, entries: &[Numbered], out: &mut Output) -> Result<(), Failure> {
    show::remarks(parsed);
    let plain: Vec<&Entry> = entries.iter().map(|(_, entry)| *entry).collect();
    match to {
        Target::Table if entries.is_empty() => {}
        Target::Table => show::people(parsed, entries, out)?,
        Target::Json => show::programs(parsed, entries, out)?,
        Target::Uri => texts(&write::uri(&distinct(&plain)), out)?,
        Target::Migration => texts(&write::migration(&distinct(&plain), batch_id()?), out)?,
        Target::Libpam => texts(&write::libpam(&distinct(&plain)), out)?,
        Target::UsersOath => texts(&write::users_oath(&plain), out)?,
        Target::Qr | Target::Png | Target::Svg => {} // pictures() did it
    }
    none(parsed, entries)
}

/// Says what it means that there is nothing.
fn none(parsed: &Parsed, entries: &[Numbered]) -> Result<(), Failure> {
    if entries.is_empty() && !parsed.skipped.is_empty() {
        return Err(Failure::no("no secret in it can be read").hint("the lines above say why, one for each entry"));
    }
    match parsed.empty.first() {
        Some(file) if parsed.entries.is_empty() => Err(Failure::no(format!("{file}: the file is empty"))),
        _ if parsed.entries.is_empty() => {
            show::remark("note", "there are no entries in it");
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Entries that are the same in everything come once.
fn distinct<'a>(entries: &[&'a Entry]) -> Vec<&'a Entry> {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    let key = |index: &usize| {
        let entry = entries.get(*index);
        entry.map(|entry| (entry.secret.expose(), &entry.issuer, &entry.name, entry.kind, entry.digits))
    };
    order.sort_by(|a, b| key(a).cmp(&key(b)).then(a.cmp(b)));
    order.dedup_by(|later, earlier| entries.get(*later) == entries.get(*earlier));
    order.sort_unstable();
    order.into_iter().filter_map(|index| entries.get(index).copied()).collect()
}

/// Prints the texts at once, and names what is not in them.
fn texts(written: &Written, out: &mut Output) -> Result<(), Failure> {
    let length = written.texts.iter().map(|text| text.len() + 1).sum();
    let mut all = Zeroizing::new(String::with_capacity(length));
    for text in &written.texts {
        all.push_str(text.trim_end());
        all.push('\n');
    }
    out.print(&all)?;
    losses(written)
}

/// Names what is not in what was written.
fn losses(written: &Written) -> Result<(), Failure> {
    for (name, what) in &written.losses {
        show::remark("warning", &format!("{name}: {what}"));
    }
    for (name, reason) in &written.left_out {
        show::remark("left out", &format!("{name}: {reason}"));
    }
    match written.left_out.len() {
        0 => Ok(()),
        1 => Err(Failure::no("one entry can't stand in that form, and is not in it")),
        many => Err(Failure::no(format!("{many} entries can't stand in that form, and are not in it"))),
    }
}

/// A number that tells this export from others.
fn batch_id() -> Result<i32, Failure> {
    let mut bytes = [0; 4];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(4) => Ok(i32::from_ne_bytes(bytes)),
        _ => Err(Failure::undecided("the kernel gives no random numbers")),
    }
}
