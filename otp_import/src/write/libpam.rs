//! The state file of google-authenticator's PAM module.

use zeroize::Zeroizing;

use super::{Written, push_line};
use crate::{Entry, Hash, Kind, Login};

/// The state file of one entry; it holds no more. Of several all are left out.
#[must_use]
pub fn libpam(entries: &[&Entry]) -> Written {
    let mut written = Written::default();
    let [entry] = entries else {
        for entry in entries {
            written.leave_out(entry, "a state file holds one entry: choose one with --select");
        }
        return written;
    };
    match options(entry, &mut written) {
        Ok(options) => written.texts.push(state(entry, &options)),
        Err(reason) => written.leave_out(entry, reason),
    }
    written
}

fn options(entry: &Entry, written: &mut Written) -> Result<Vec<String>, String> {
    if entry.algorithm != Hash::Sha1 {
        return Err(format!("{}; the module knows SHA1 only", entry.algorithm.name()));
    }
    if entry.digits != 6 {
        return Err(format!("{} digits; the module knows 6 only", entry.digits));
    }
    let plain = Login { rate: Some((3, 30)), refuses_reuse: true, ..Login::default() };
    let login = entry.login.as_deref().unwrap_or(&plain);
    let mut options = login.other.clone();
    options.extend(login.rate.map(|(attempts, seconds)| format!("RATE_LIMIT {attempts} {seconds}")));
    options.push(format!("WINDOW_SIZE {}", login.window.unwrap_or(3)));
    match entry.kind {
        Kind::Totp { period: period @ 1..=60 } => {
            options.extend((period != 30).then(|| format!("STEP_SIZE {period}")));
            options.extend((login.skew != 0).then(|| format!("TIME_SKEW {}", login.skew)));
            let used: String = login.used.iter().map(|step| format!(" {step}")).collect();
            options.extend(login.refuses_reuse.then(|| format!("DISALLOW_REUSE{used}")));
            options.push("TOTP_AUTH".to_owned());
        }
        Kind::Totp { period } => return Err(format!("a period of {period} s; the module knows 1 to 60 s")),
        Kind::Hotp { next: 0, .. } => {
            written.lose(entry, "the module begins at counter 1: the device's first code does not count");
            options.push("HOTP_COUNTER 1".to_owned());
        }
        Kind::Hotp { next, .. } => options.push(format!("HOTP_COUNTER {next}")),
        Kind::Steam { .. } => return Err("Steam's codes; the module does not know them".to_owned()),
    }
    Ok(options)
}

fn state(entry: &Entry, options: &[String]) -> Zeroizing<String> {
    let scratch = entry.login.iter().flat_map(|login| &login.scratch);
    let room = entry.secret.expose().len() * 2 + options.iter().map(|option| option.len() + 4).sum::<usize>();
    let mut text = Zeroizing::new(String::with_capacity(room + scratch.clone().count() * 9 + 64));
    push_line(&mut text, &entry.secret.to_base32());
    for option in options {
        text.push_str("\" ");
        push_line(&mut text, option);
    }
    for code in scratch {
        push_line(&mut text, &Zeroizing::new(code.expose().to_string()));
    }
    text
}
