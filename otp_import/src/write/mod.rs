//! Entries in other programs' formats. What a format can't hold is named, and
//! left out where a code would come out wrong without it.

mod libpam;
mod migration;
mod users_oath;

use otp_core::Secret;
use otp_core::uri::{KeyUri, Kind as UriKind, MAX_URI};
use zeroize::Zeroizing;

use crate::{Entry, Kind};

pub use libpam::libpam;
pub use migration::migration;
pub use users_oath::users_oath;

/// What came of writing.
#[derive(Default)]
pub struct Written {
    /// The texts: a URI or a line each, or one whole file. Secrets are in them.
    pub texts: Vec<Zeroizing<String>>,
    /// Titles of entries that are not in it, with the reason.
    pub left_out: Vec<(String, String)>,
    /// Titles of entries that are in it, with what is lost.
    pub losses: Vec<(String, String)>,
}

impl Written {
    fn leave_out(&mut self, entry: &Entry, reason: impl Into<String>) {
        self.left_out.push((entry.title(), reason.into()));
    }

    fn lose(&mut self, entry: &Entry, what: impl Into<String>) {
        self.losses.push((entry.title(), what.into()));
    }

    /// Says what of a verifier's file goes lost where only the secret is kept.
    fn lose_login(&mut self, entry: &Entry) {
        let Some(login) = &entry.login else { return };
        if !login.scratch.is_empty() {
            self.lose(entry, "its scratch codes can't stand there");
        }
    }
}

/// otpauth URIs, one for each entry.
#[must_use]
pub fn uri(entries: &[&Entry]) -> Written {
    let mut written = Written::default();
    for entry in entries {
        match key_uri(entry).map(|uri| uri.format()) {
            Ok(text) if text.len() <= MAX_URI => {
                written.lose_login(entry);
                written.texts.push(text);
            }
            Ok(_) => written.leave_out(entry, "its names are too long for a URI"),
            Err(reason) => written.leave_out(entry, reason),
        }
    }
    written
}

fn key_uri(entry: &Entry) -> Result<KeyUri, String> {
    let control = |text: &str| text.contains(char::is_control);
    if control(&entry.issuer) || control(&entry.name) {
        return Err("its name holds control characters, which no URI may hold".to_owned());
    }
    let algorithm = entry.algorithm.algorithm();
    Ok(KeyUri {
        kind: match entry.kind {
            Kind::Totp { period } => UriKind::Totp { period },
            Kind::Steam { period } => UriKind::Steam { period },
            Kind::Hotp { next, .. } => UriKind::Hotp { counter: next },
        },
        issuer: entry.issuer.clone(),
        label_issuer: None,
        name: entry.name.clone(),
        secret: copy(&entry.secret)?,
        algorithm: algorithm.ok_or_else(|| format!("no authenticator reads {}", entry.algorithm.name()))?,
        digits: entry.digits,
    })
}

fn copy(secret: &Secret) -> Result<Secret, String> {
    Secret::copy(secret.expose()).map_err(|error| error.to_string())
}

/// Appends `line` and a line break to a text that was made large enough.
fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
