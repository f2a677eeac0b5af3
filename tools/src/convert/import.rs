//! `import`: login credentials of exactly the entries that were chosen, all of
//! them or none.

use otp_import::Parsed;
use otp_import::entry::{Entry, Kind, Obstacle};
use otp_import::login::{Login, Pin};
use otp_wire::message::{Import as ImportAsk, Imported, ImportedFactor};
use otp_wire::{Ask, SecretText};
use zeroize::Zeroizing;

use super::arguments::Import;
use super::reader;
use super::select::{Numbered, select};
use super::show::{self, remark};
use super::{homes, users_file};
use crate::client::Client;
use crate::credential::done;
use crate::enrol::label_of;
use crate::error::Failure;
use crate::key::SshKey;
use crate::output::Output;
use crate::terminal::{Console, Person};

/// The widest window that a credential can have, in steps before and after.
const MAX_WINDOW: u8 = 8;
/// How far a verifier looks ahead for HOTP.
const LOOK_AHEAD: u8 = otp_core::matching::LOOK_AHEAD as u8;

/// Imports what was chosen.
///
/// # Errors
/// When nothing was chosen, something of it can't be used, or the verifier
/// refuses; then nothing is imported.
pub fn run<'a>(
    client: impl FnOnce() -> Result<Client<'a>, Failure>,
    arguments: &Import,
    out: &mut Output,
) -> Result<(), Failure> {
    if arguments.homes {
        return homes::run(&client()?, arguments, out);
    }
    if arguments.everybody {
        return users_file::everybody(&client()?, arguments, out);
    }
    let parsed = reader::read(&arguments.files, &arguments.locked)?;
    show::remarks(&parsed);
    let chosen = chosen(&parsed, &arguments.select, &Console, out)?;
    if let (true, Some(file)) = (chosen.is_empty(), parsed.empty.first()) {
        return Err(Failure::no(format!("{file}: the file is empty")));
    }
    if chosen.is_empty() {
        return Err(Failure::no("there is no entry that could be imported"));
    }
    for entry in &chosen {
        fits(entry, arguments.allow_weak)?;
    }
    distinct(&chosen)?;
    let client = client()?;
    own_rows(&client, &chosen, arguments)?;
    let account = client.account(arguments.account.as_ref())?;
    let line = client.done(Ask::Import(ask(account.as_str(), &chosen, arguments)?)).map_err(with_label)?;
    chosen.iter().for_each(|(_, entry)| name_losses(entry));
    done(&line, arguments.json.json, out)
}

/// The entries that may log in: the only one there is, or those that a person
/// chooses, on the command line or now.
fn chosen<'a>(
    parsed: &'a Parsed,
    wanted: &[String],
    person: &dyn Person,
    out: &mut Output,
) -> Result<Vec<Numbered<'a>>, Failure> {
    let all = select(parsed, wanted)?;
    if !wanted.is_empty() || all.len() < 2 {
        return Ok(all);
    }
    show::people(parsed, &all, out)?;
    match person.answer("Which may log in? (numbers, or all) ") {
        None => Err(Failure::usage(format!("{} entries, and none was chosen", all.len()))
            .hint("add --select with a number of the table, once for each entry that may log in")),
        Some(answer) if answer == "all" => Ok(all),
        Some(answer) => {
            let words = answer.split([' ', ',']).filter(|word| !word.is_empty());
            let words: Vec<String> = words.map(str::to_owned).collect();
            if words.is_empty() {
                return Err(Failure::no("none was chosen; nothing was imported"));
            }
            select(parsed, &words)
        }
    }
}

/// Says how to go on where a label is taken.
fn with_label(failure: Failure) -> Failure {
    match failure.hint {
        None if failure.what.contains("label") => failure.hint("choose one with --label, an entry at a time"),
        _ => failure,
    }
}

/// Whether a login can use the entry.
///
/// # Errors
/// When not: why.
pub fn fits((number, entry): &Numbered, allow_weak: bool) -> Result<(), Failure> {
    let reason = match entry.obstacle() {
        None => return Ok(()),
        Some(Obstacle::Weak(_)) if allow_weak => return Ok(()),
        Some(reason) => reason,
    };
    Err(Failure::no(format!("{number} ({}) is not for a login: {reason}", entry.title()))
        .hint("nothing was imported; oathgate convert shows which entries are"))
}

/// One code must not count twice.
fn distinct(chosen: &[Numbered]) -> Result<(), Failure> {
    for (place, (number, entry)) in chosen.iter().enumerate() {
        if let Some((first, _)) = chosen.iter().take(place).find(|(_, other)| other.secret == entry.secret) {
            return Err(Failure::no(format!("{number} ({}) has the same secret as {first}", entry.title()))
                .hint("nothing was imported; choose one of them"));
        }
    }
    Ok(())
}

/// A file for many users names each of them: their rows are for their accounts.
/// Root reads anybody's, and must not get anybody's factor by forgetting a word.
fn own_rows(client: &Client, chosen: &[Numbered], arguments: &Import) -> Result<(), Failure> {
    if arguments.account.is_some() {
        return Ok(());
    }
    if client.root && chosen.iter().any(|(_, entry)| entry.login.is_some()) {
        return Err(Failure::usage("it is another module's file, and no account was named")
            .hint("add --account with the login name that it is for, if it is root: --account root"));
    }
    let account = client.account(None)?;
    for (number, entry) in chosen {
        let user = entry.login.as_ref().and_then(|login| login.user.as_deref());
        if let Some(user) = user.filter(|user| *user != account.as_str()) {
            return Err(Failure::usage(format!("{number} belongs to {user}, and no account was named"))
                .hint(format!("add --account with the login name that it is for; without it that is {account}")));
        }
    }
    Ok(())
}

/// The request for what was chosen.
///
/// # Errors
/// When it can't be sent as it is.
pub fn ask(account: &str, chosen: &[Numbered], arguments: &Import) -> Result<ImportAsk, Failure> {
    let key = arguments.ssh_key.as_deref().map(SshKey::read).transpose()?;
    if arguments.label.is_some() && chosen.len() > 1 {
        return Err(Failure::usage("--label names one entry, and several were chosen"));
    }
    let mut credentials: Vec<Imported> = Vec::new();
    for (_, entry) in chosen {
        let wanted = arguments.label.as_ref().map(ToString::to_string).or_else(|| label_of(&entry.title()));
        // Of everybody's at once nobody chooses the labels: the verifier finds free ones.
        let nameless = entry.name.is_empty() && entry.issuer.is_empty() && arguments.label.is_none();
        let label = wanted.filter(|_| !nameless && !arguments.homes);
        let label = label.map(|label| free(label, &credentials));
        credentials.push(imported(entry, label)?);
    }
    let logins = chosen.iter().filter_map(|(_, entry)| entry.login.as_deref());
    Ok(ImportAsk {
        account: account.to_owned(),
        owner: arguments.owner.as_ref().map(ToString::to_string),
        key: key.as_ref().map(|key| key.fingerprint.to_string()),
        note: key.and_then(|key| key.comment),
        credentials,
        rate: logins.clone().find_map(|login| login.rate).and_then(rate),
        scratch: logins.flat_map(|login| &login.scratch).filter_map(scratch).collect(),
        allow_weak: arguments.allow_weak,
    })
}

fn rate((attempts, seconds): (u16, u16)) -> Option<(u8, u16)> {
    Some((u8::try_from(attempts).ok()?, seconds))
}

/// The label, or with a number behind it where another one has it already.
fn free(label: String, others: &[Imported]) -> String {
    let taken = |label: &str| others.iter().any(|other| other.label.as_deref() == Some(label));
    let numbered = (2..).map(|number| {
        let end = format!("-{number}");
        format!("{}{end}", label.get(..64 - end.len()).unwrap_or(&label))
    });
    std::iter::once(label.clone()).chain(numbered).find(|label| !taken(label)).unwrap_or(label)
}

fn scratch(code: &otp_import::login::EightDigits) -> Option<SecretText> {
    SecretText::new(&Zeroizing::new(code.expose().to_string()))
}

fn imported(entry: &Entry, label: Option<String>) -> Result<Imported, Failure> {
    let secret = SecretText::new(&entry.secret.to_base32());
    Ok(Imported {
        display: label.as_ref().map(|_| entry.title()),
        label,
        secret: secret.ok_or_else(|| Failure::undecided("a secret can't be sent"))?,
        algorithm: entry.algorithm.name().to_owned(),
        digits: entry.digits,
        factor: factor(entry)?,
    })
}

fn factor(entry: &Entry) -> Result<ImportedFactor, Failure> {
    match entry.kind {
        Kind::Hotp { next, .. } => Ok(ImportedFactor::Hotp { next }),
        Kind::Totp { period } | Kind::Steam { period } => {
            let period = u16::try_from(period).map_err(|_| Failure::no("a period that no login takes"))?;
            let login = entry.login.as_deref();
            Ok(ImportedFactor::Totp {
                period,
                last_step: login.and_then(|login| login.used.iter().max().copied()),
                skew: login.map_or(0, |login| login.skew),
                window: login.and_then(|login| login.window).map_or(1, steps),
            })
        }
    }
}

/// google-authenticator's WINDOW_SIZE counts all codes, from -(w-1)/2 to w/2.
fn steps(window: u8) -> u8 {
    (window / 2).min(MAX_WINDOW)
}

/// Names what of another verifier's file a credential can't hold.
fn name_losses(entry: &Entry) {
    losses_of(entry).iter().for_each(|loss| remark("note", &format!("{}: {loss}", entry.title())));
}

/// What of another verifier's file a credential can't hold.
pub fn losses_of(entry: &Entry) -> Vec<String> {
    entry.login.as_deref().map_or_else(Vec::new, |login| losses(login, entry.kind))
}

fn losses(login: &Login, kind: Kind) -> Vec<String> {
    let mut losses = Vec::new();
    match (kind, login.window) {
        (Kind::Hotp { .. }, Some(window)) if window > LOOK_AHEAD => {
            losses.push(format!("codes count up to {LOOK_AHEAD} ahead, not {window}"));
        }
        (Kind::Totp { .. }, Some(window)) if window / 2 > MAX_WINDOW => {
            losses.push(format!("{MAX_WINDOW} steps before and after count, not {}", window / 2));
        }
        (Kind::Totp { .. }, Some(window)) if window.is_multiple_of(2) => {
            let ahead = window / 2;
            losses.push(format!("{ahead} steps before and after count, not {} before", ahead.saturating_sub(1)));
        }
        _ => {}
    }
    match login.pin {
        Pin::None => {}
        Pin::Literal => losses.push("its PIN is not kept: let a password module ask for one".to_owned()),
        Pin::Elsewhere => {
            losses.push("a password before the code goes to the next module with forward_pass only".to_owned());
        }
    }
    losses
}

#[cfg(test)]
mod tests {
    use otp_core::Secret;

    use super::*;
    use crate::error::Exit;
    use crate::output::Style;
    use crate::testing::Typist;

    fn parsed(names: &[&str]) -> Parsed {
        let mut parsed = Parsed::default();
        for name in names {
            let secret = Secret::from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
            let entry = Entry::new(Kind::Totp { period: 30 }, secret);
            parsed.entries.push(Entry { name: (*name).to_owned(), ..entry });
        }
        parsed
    }

    fn numbers(parsed: &Parsed, wanted: &[&str], typed: &'static str) -> Result<(Vec<usize>, bool), Failure> {
        let mut text = Vec::new();
        let wanted: Vec<String> = wanted.iter().map(|word| (*word).to_owned()).collect();
        let typist = if typed.is_empty() { Typist::default() } else { Typist::of(&[typed]) };
        let chosen = chosen(parsed, &wanted, &typist, &mut Output::to(&mut text, Style::default()))?;
        Ok((chosen.iter().map(|(number, _)| *number).collect(), !text.is_empty()))
    }

    #[test]
    fn a_person_chooses_by_numbers_or_all() {
        let three = parsed(&["ann", "bob", "eve"]);
        for (typed, expected) in
            [("all", &[1, 2, 3][..]), ("2", &[2]), ("3, 1", &[3, 1]), ("1 1,2", &[1, 2]), ("bob", &[2])]
        {
            assert_eq!(numbers(&three, &[], typed).unwrap(), (expected.to_vec(), true), "{typed}");
        }
        for (typed, exit) in [("", Exit::Usage), ("^C", Exit::Usage), (" ", Exit::No), ("4", Exit::Usage)] {
            assert_eq!(numbers(&three, &[], typed).unwrap_err().exit, exit, "{typed}");
        }
    }

    #[test]
    fn nobody_is_asked_where_the_choice_is_clear() {
        assert_eq!(numbers(&parsed(&["ann"]), &[], "").unwrap(), (vec![1], false));
        assert_eq!(numbers(&parsed(&["ann", "bob"]), &["bob"], "").unwrap(), (vec![2], false));
        assert_eq!(numbers(&parsed(&[]), &[], "").unwrap(), (vec![], false));
    }
}
