//! `enrol`: a new credential, shown once, confirmed by its first code.

use std::fs::File;
use std::path::Path;

use otp_core::Secret;
use otp_core::uri::{KeyUri, Kind};
use otp_wire::message::{Enrol as EnrolAsk, Enrolled, Outcome, Verify};
use otp_wire::syslog::escape;
use otp_wire::{Ask, Login, SecretText};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::Enrol;
use crate::client::{Client, TRIES, unexpected};
use crate::convert::private::new_file;
use crate::error::Failure;
use crate::key::SshKey;
use crate::output::{Output, grouped};
use crate::qr;
use crate::scratch;
use crate::terminal::Typed;
use crate::verify::SERVICE;

/// What was enrolled, for programs; the only output with secrets.
#[derive(Serialize)]
struct Shown<'a> {
    account: &'a str,
    owner: &'a str,
    credential: &'a str,
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    kind: &'a str,
    algorithm: &'a str,
    digits: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counter: Option<u64>,
    uri: &'a str,
    secret: &'a SecretText,
    scratch: &'a [SecretText],
}

/// Enrols a credential.
///
/// # Errors
/// When it was not enrolled, or could not be shown.
pub fn run(client: &Client, arguments: &Enrol, out: &mut Output) -> Result<(), Failure> {
    let key = arguments.ssh_key.as_deref().map(SshKey::read).transpose()?;
    let ask = ask(client, arguments, key.as_ref())?;
    // First of all, so that nothing is enrolled that can't be handed over.
    let png = arguments.png.as_deref().map(|path| new_file(path).map(|file| (path, file))).transpose()?;
    let enrolled = match enrolled(client, ask) {
        Ok(enrolled) => enrolled,
        Err(failure) => {
            if let Some((path, _)) = png {
                let _ = std::fs::remove_file(path);
            }
            return Err(failure);
        }
    };
    let new = New { client, key: key.as_ref(), enrolled: &enrolled };
    new.show(arguments, png.as_ref().map(|(path, file)| (*path, file)), out).map_err(|failure| {
        let id = &enrolled.credential;
        failure.hint(format!("the credential {id} was made all the same; to take it back: {} revoke {id}", client.call))
    })?;
    if arguments.json.json {
        return Ok(());
    }
    let ask_first = !arguments.no_confirm && png.is_none() && out.style.terminal;
    if !(ask_first && new.confirm(out)?) {
        out.line("It counts from now on, and shows as unconfirmed until its first code is used.")?;
    }
    out.line(format!("To take it back: {} revoke {}{}", client.call, enrolled.credential, new.account_flag()))?;
    new.next(arguments.ssh_key.as_deref(), out)
}

fn ask(client: &Client, arguments: &Enrol, key: Option<&SshKey>) -> Result<EnrolAsk, Failure> {
    let comment = key.and_then(|key| key.comment.clone());
    let label = arguments.label.as_ref().map(ToString::to_string);
    Ok(EnrolAsk {
        account: client.account(arguments.account.as_ref())?.to_string(),
        owner: arguments.owner.as_ref().map(ToString::to_string),
        key: key.map(|key| key.fingerprint.to_string()),
        label: label.or_else(|| comment.as_deref().and_then(label_of)),
        note: comment,
        kind: if arguments.kind.hotp { "hotp" } else { "totp" }.to_owned(),
        algorithm: arguments.kind.algorithm.to_string(),
        digits: arguments.kind.digits,
        period: arguments.kind.period,
        secret: None,
        // What is handed over as a picture has no place for them.
        scratch: arguments.png.is_none(),
    })
}

/// A comment made to fit the alphabet of labels.
pub fn label_of(comment: &str) -> Option<String> {
    let fits = |c: char| if c.is_ascii_alphanumeric() || "._@-".contains(c) { c } else { '-' };
    let label: String = comment.chars().map(fits).take(64).collect();
    let label = label.trim_matches('-');
    (!label.is_empty()).then(|| label.to_owned())
}

/// Has the verifier enrol a credential.
///
/// # Errors
/// When it was not enrolled.
pub fn enrolled(client: &Client, ask: EnrolAsk) -> Result<Enrolled, Failure> {
    match client.answer(Ask::Enrol(ask)) {
        Ok(Outcome::Enrolled(enrolled)) => Ok(*enrolled),
        Ok(other) => Err(unexpected(&other)),
        Err(failure) if failure.hint.is_none() && failure.what.contains("label") => {
            Err(failure.hint("choose one with --label, or revoke the old one first"))
        }
        Err(failure) => Err(failure),
    }
}

/// The URI that an authenticator reads.
///
/// # Errors
/// When the verifier's answer makes no sense.
pub fn uri(enrolled: &Enrolled) -> Result<Zeroizing<String>, Failure> {
    let broken = |_| Failure::undecided("the verifier's answer makes no sense");
    let kind = match (enrolled.kind.as_str(), enrolled.period, enrolled.counter) {
        ("totp", Some(period), None) => Kind::Totp { period: period.into() },
        ("hotp", None, Some(counter)) => Kind::Hotp { counter },
        _ => return Err(broken(())),
    };
    let uri = KeyUri {
        kind,
        issuer: enrolled.issuer.clone(),
        label_issuer: None,
        name: enrolled.label.clone(),
        secret: Secret::from_base32(enrolled.secret.expose()).map_err(|_| broken(()))?,
        algorithm: enrolled.algorithm.parse().map_err(|_| broken(()))?,
        digits: enrolled.digits,
    };
    Ok(uri.format())
}

/// A credential that has just been made.
struct New<'a> {
    client: &'a Client<'a>,
    key: Option<&'a SshKey>,
    enrolled: &'a Enrolled,
}

impl New<'_> {
    fn show(&self, arguments: &Enrol, png: Option<(&Path, &File)>, out: &mut Output) -> Result<(), Failure> {
        let uri = uri(self.enrolled)?;
        if arguments.json.json {
            return out.json(&self.shown(&uri));
        }
        self.heading(out)?;
        match png {
            Some((path, file)) => self.hand_over(&uri, path, file, out),
            None => self.show_secrets(&uri, out),
        }
    }

    fn shown<'a>(&'a self, uri: &'a str) -> Shown<'a> {
        let new = self.enrolled;
        Shown {
            account: &new.account,
            owner: &new.owner,
            credential: &new.credential,
            label: &new.label,
            key: self.key.map(|key| key.fingerprint.to_string()),
            kind: &new.kind,
            algorithm: &new.algorithm,
            digits: new.digits,
            period: new.period,
            counter: new.counter,
            uri,
            secret: &new.secret,
            scratch: &new.scratch,
        }
    }

    fn heading(&self, out: &mut Output) -> Result<(), Failure> {
        let new = self.enrolled;
        let place = match self.key {
            Some(key) => format!("at logins with {}", key.fingerprint),
            None => "where no SSH key is used (su, sudo, login), or an unknown one".to_owned(),
        };
        let owner = if new.owner == new.account { String::new() } else { format!(", owner {}", new.owner) };
        let text = format!("Enrolled {} (id {}) for {}{owner}", new.label, new.credential, new.account);
        out.line(out.bold(&escape(&text)))?;
        out.line(format!("Its codes count {place}."))?;
        out.line("")
    }

    fn show_secrets(&self, uri: &str, out: &mut Output) -> Result<(), Failure> {
        let new = self.enrolled;
        if !new.scratch.is_empty() {
            out.line("Scratch codes:")?;
            scratch::show(&new.scratch, out)?;
            out.line("")?;
        }
        out.line("Scan the QR code with an authenticator, or type the secret. It is shown only now.")?;
        let mut text = Zeroizing::new(String::with_capacity(uri.len() + 512));
        text.push_str("  secret  ");
        text.push_str(&grouped(new.secret.expose()));
        text.push_str("\n  URI     ");
        text.push_str(uri);
        text.push('\n');
        out.print(&text)?;
        out.line(format!("  type    {}", self.kind()))?;
        if (new.algorithm.as_str(), new.digits, new.period.unwrap_or(30)) != ("SHA1", 6, 30) {
            let line = "Many authenticators ignore such settings and show wrong codes: try the first one.";
            out.line(out.warning(line))?;
        }
        out.line("")?;
        qr::show(uri, out)
    }

    fn kind(&self) -> String {
        let new = self.enrolled;
        match (new.period, new.counter) {
            (Some(period), _) => format!("by time, every {period} s, {} digits, {}", new.digits, new.algorithm),
            (None, counter) => {
                format!("by counter, from {}, {} digits, {}", counter.unwrap_or(0), new.digits, new.algorithm)
            }
        }
    }

    fn hand_over(&self, uri: &str, path: &Path, file: &File, out: &mut Output) -> Result<(), Failure> {
        qr::write_png(uri, file)?;
        let (path, owner) = (quoted(&path.display().to_string()), escape(&self.enrolled.owner));
        out.line(format!("The QR code is in {path}; only you can read that file."))?;
        let warning = format!("Whoever sees it has the code: show it to {owner} and nobody else, then delete it:");
        out.line(out.warning(&warning))?;
        out.line(format!("  shred -u {path}"))?;
        let account = escape(&self.enrolled.account);
        out.line(format!("No scratch codes were made with it. For a set: {} scratch new {account}", self.client.call))
    }

    /// Asks for the first code. Returns whether it was right.
    fn confirm(&self, out: &mut Output) -> Result<bool, Failure> {
        for _ in 0..TRIES {
            let code = match self.client.code("First code (or ^C to do it later): ") {
                Typed::Code(code) => code,
                Typed::Cancelled | Typed::NoTerminal => return Ok(false),
            };
            let keys = self.key.iter().map(|key| key.fingerprint.to_string()).collect();
            let account = self.enrolled.account.clone();
            let login = Login { account, keys, service: SERVICE.to_owned(), ..Login::default() };
            let credential = Some(self.enrolled.credential.clone());
            match self.client.answer(Ask::Verify(Verify { login, code, credential }))? {
                Outcome::Accepted { .. } => {
                    out.line("Confirmed: that code was right. It is spent; the next login takes the next one.")?;
                    return Ok(true);
                }
                // Who names no key is told nothing by the line, not even as root.
                Outcome::Refused { reason, .. } if self.client.root && self.key.is_none() => {
                    out.line(format!("Refused: {reason}."))?;
                }
                Outcome::Refused { line, .. } => out.line(escape(&line))?,
                other => return Err(unexpected(&other)),
            }
        }
        Ok(false)
    }

    /// The account for commands about this credential, where it must be named.
    fn account_flag(&self) -> String {
        let own = self.client.account(None).is_ok_and(|own| own.as_str() == self.enrolled.account);
        if own || self.client.root { String::new() } else { format!(" --account {}", quoted(&self.enrolled.account)) }
    }

    fn next(&self, key_file: Option<&str>, out: &mut Output) -> Result<(), Failure> {
        let own = self.client.account(None).is_ok_and(|own| own.as_str() == self.enrolled.account);
        let user_store = self.client.call.contains("--user-store");
        let flag = if user_store { " --user-store" } else { "" };
        let key = key_file.map_or_else(|| "FILE.pub".to_owned(), quoted);
        if own && (self.key.is_some() || user_store) {
            out.line(format!("Next, have it asked for at logins with the key: oathgate ssh install {key}{flag}"))?;
        } else if let Some(key) = self.key {
            let account = escape(&self.enrolled.account);
            out.line(format!("Next, as {account}: oathgate ssh install {}", key.fingerprint))?;
        }
        match (user_store, self.key) {
            (true, _) => Ok(()),
            (false, Some(_)) => out.line("Or for everybody, by PAM, in /etc/pam.d/sshd: auth required pam_oathgate.so"),
            (false, None) => {
                out.line("Next, in the PAM file of a service, say /etc/pam.d/su: auth required pam_oathgate.so")
            }
        }
    }
}

/// `text` as a word for a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:~,".contains(c);
    let text = escape(text);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
#[path = "enrol_tests.rs"]
mod tests;
