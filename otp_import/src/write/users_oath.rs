//! `users.oath` of pam_oath.

use std::fmt::Write;

use zeroize::Zeroizing;

use super::Written;
use crate::login::Pin;
use crate::{Entry, Hash, Kind};

/// A line for each entry; the user is the entry's name, or the one it had in
/// such a file.
#[must_use]
pub fn users_oath(entries: &[&Entry]) -> Written {
    let mut written = Written::default();
    for entry in entries {
        match line(entry) {
            Ok(line) => {
                written.texts.push(line);
                note(entry, &mut written);
            }
            Err(reason) => written.leave_out(entry, reason),
        }
    }
    written
}

fn line(entry: &Entry) -> Result<Zeroizing<String>, String> {
    if entry.algorithm != Hash::Sha1 {
        return Err(format!("{}; pam_oath knows SHA1 only", entry.algorithm.name()));
    }
    if !(6..=8).contains(&entry.digits) {
        return Err(format!("{} digits; pam_oath knows 6 to 8", entry.digits));
    }
    if entry.secret.expose().len() > 32 {
        return Err("a secret of more than 32 bytes, which pam_oath can't read".to_owned());
    }
    let (kind, counter) = match entry.kind {
        Kind::Totp { period: 30 } => ("T30", None),
        Kind::Totp { period: 60 } => ("T60", None),
        Kind::Totp { period } => return Err(format!("a period of {period} s; pam_oath knows 30 and 60 s")),
        Kind::Hotp { next, .. } => ("E", Some(next)),
        Kind::Steam { .. } => return Err("Steam's codes; pam_oath does not know them".to_owned()),
    };
    let login = entry.login.as_deref();
    let user = login.and_then(|login| login.user.as_ref()).unwrap_or(&entry.name);
    let blank = |character: char| character.is_whitespace() || character.is_control();
    if user.is_empty() || user.contains(blank) || user.starts_with('#') {
        return Err("its name can't be a user there: it is empty or holds blanks".to_owned());
    }
    let pin = if login.is_some_and(|login| login.pin == Pin::Elsewhere) { '+' } else { '-' };
    let mut line = Zeroizing::new(String::with_capacity(user.len() + entry.secret.expose().len() * 2 + 64));
    // Writing into a String can't fail.
    let _ = write!(line, "HOTP/{kind}/{}\t{user}\t{pin}\t", entry.digits);
    for byte in entry.secret.expose() {
        let _ = write!(line, "{byte:02x}");
    }
    if let Some(counter) = counter {
        let _ = write!(line, "\t{counter}");
    }
    Ok(line)
}

fn note(entry: &Entry, written: &mut Written) {
    written.lose_login(entry);
    let Some(login) = &entry.login else { return };
    if login.pin == Pin::Literal {
        written.lose(entry, "its PIN is not carried over: write it into the third field");
    }
    if !login.used.is_empty() {
        written.lose(entry, "which codes were used is not carried over: let a step go by before it counts");
    }
    if login.skew != 0 {
        written.lose(entry, "its clock's skew can't stand there: widen the module's window");
    }
}
