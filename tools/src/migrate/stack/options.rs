//! The options of another module, and what becomes of each. Whatever comes out of
//! this our module obeys: an option that it refuses would let nobody in.

use clap::ValueEnum;
use otp_wire::syslog::escape;
use serde::{Deserialize, Serialize};

use super::Stack;

/// The module that takes over.
pub const OURS: &str = "pam_oathgate.so";

/// The modules that are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Module {
    /// pam_google_authenticator.so, with its files in people's homes
    GoogleAuthenticator,
    /// pam_oath.so, with its users.oath
    PamOath,
}

/// Writes the options of a line as our module has them.
///
/// # Errors
/// Which of them has no counterpart, or would shut its door.
pub fn translate(words: &[&str], module: Module, stack: &mut Stack) -> Result<(), String> {
    let mut seen = Vec::new();
    for word in words {
        let bare = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')).unwrap_or(word);
        let (name, value) = bare.split_once('=').map_or((bare, None), |(name, value)| (name, Some(value)));
        let meaning = module.option(name, value)?;
        if seen.contains(&name) || bare.len() > MAX_OPTION {
            return Err(format!("{name} is given twice, or longer than {MAX_OPTION} bytes"));
        }
        seen.push(name);
        match meaning {
            Meaning::Drop => continue,
            Meaning::Secrets(path) => {
                stack.secrets.push(path);
                continue;
            }
            Meaning::KeepAndNote(note) => stack.notes.push(note.to_owned()),
            Meaning::Keep => {}
        }
        stack.text.push(' ');
        stack.text.push_str(word);
        stack.nullok |= name == "nullok";
    }
    match AT_ODDS.iter().find(|(one, other)| seen.contains(one) && seen.contains(other)) {
        Some((one, other)) => Err(format!("{one} and {other} don't go together")),
        None => Ok(()),
    }
}

/// What becomes of an option.
enum Meaning {
    Keep,
    KeepAndNote(&'static str),
    Drop,
    Secrets(String),
}

/// What our module would refuse together, as it shuts the door then.
const AT_ODDS: [(&str, &str); 2] = [("try_first_pass", "use_first_pass"), ("forward_pass", "echo_verification_code")];
/// The longest option in bytes that our module reads.
const MAX_OPTION: usize = 256;

impl Module {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::GoogleAuthenticator => "google-authenticator",
            Self::PamOath => "pam-oath",
        }
    }

    /// The file that stacks name it by.
    pub fn file(self) -> &'static str {
        match self {
            Self::GoogleAuthenticator => "pam_google_authenticator.so",
            Self::PamOath => "pam_oath.so",
        }
    }

    fn option(self, name: &str, value: Option<&str>) -> Result<Meaning, String> {
        match (self, name, value) {
            (Self::GoogleAuthenticator, "nullok" | "forward_pass" | "echo_verification_code", None)
            | (_, "debug" | "try_first_pass" | "use_first_pass", None) => Ok(Meaning::Keep),
            (Self::GoogleAuthenticator, "authtok_prompt", Some(text)) if is_line(text) => Ok(Meaning::Keep),
            (Self::GoogleAuthenticator, "grace_period", Some(number)) => in_range(name, number, 1, 86_400),
            (Self::PamOath, "digits", Some(number)) => in_range(name, number, 6, 8),
            (Self::PamOath, "window", Some(number)) => in_range(name, number, 0, 255).map(|_| {
                Meaning::KeepAndNote("window= only narrows: at most a step before and after count, or ten codes ahead")
            }),
            (
                Self::GoogleAuthenticator,
                "no_increment_hotp" | "noskewadj" | "no_strict_owner" | "allow_readonly",
                None,
            )
            | (Self::GoogleAuthenticator, "allowed_perm", Some(_))
            | (
                Self::GoogleAuthenticator,
                "secret",
                Some("~/.google_authenticator" | "${HOME}/.google_authenticator"),
            ) => Ok(Meaning::Drop),
            (Self::PamOath, "usersfile", Some(path)) if path.starts_with('/') && !path.contains('$') => {
                Ok(Meaning::Secrets(path.to_owned()))
            }
            _ => Err(self.refusal(name)),
        }
    }

    fn refusal(self, name: &str) -> String {
        let by_hand = "import each with oathgate import FILE --account NAME, and edit the line yourself";
        match (self, name) {
            (Self::GoogleAuthenticator, "secret" | "user") => format!("{name}= names files elsewhere: {by_hand}"),
            (Self::PamOath, "usersfile") => format!("usersfile= names no single file: {by_hand}"),
            (Self::PamOath, "alwaysok") => format!("alwaysok has no counterpart in {OURS}: it lets everybody in"),
            (Self::GoogleAuthenticator, "authtok_prompt") => "authtok_prompt= is no line of text".to_owned(),
            _ => format!("unknown option {}", name.chars().take(64).collect::<String>()),
        }
    }
}

/// What may stand in a prompt.
fn is_line(text: &str) -> bool {
    !text.is_empty() && escape(text) == text
}

fn in_range(name: &str, text: &str, least: u64, most: u64) -> Result<Meaning, String> {
    let number = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match number.and_then(|text| text.parse().ok()).filter(|number| (least..=most).contains(number)) {
        Some(_) => Ok(Meaning::Keep),
        None => Err(format!("{name}= is from {least} to {most} here")),
    }
}
