//! The words behind `pam_oathgate.so` in a file of /etc/pam.d.
//!
//! A word that isn't known is an error: a module that ignores a typo would not
//! do what the administrator believes it does.

use std::ffi::{CStr, OsStr};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use otp_wire::message::Terms;
use otp_wire::{date, syslog};

/// The longest option in bytes.
pub const MAX_OPTION: usize = 256;
/// The longest path that a Unix socket can have (unix(7), sun_path).
const MAX_SOCKET_PATH: usize = 107;
/// The longest grace period in seconds: a day.
const MAX_GRACE: u64 = 86_400;

/// How the module is to behave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Who decides: `socket=PATH` or `verifier=socket|spawn`.
    pub via: Via,
    /// `nullok` or `nullok_until=DATE`.
    pub nullok: Nullok,
    /// `require_publickey=auto|yes|no`.
    pub require_publickey: Require,
    /// `debug`: log each step; never a code.
    pub debug: bool,
    /// `authtok_prompt=TEXT`: what to ask.
    pub prompt: Option<String>,
    /// `echo_verification_code`: show what is typed.
    pub echo: bool,
    /// `try_first_pass` or `use_first_pass`.
    pub first_pass: FirstPass,
    /// `forward_pass`: password and code in one answer; the password for the next module.
    pub forward_pass: bool,
    /// `digits=`, `window=` and `grace_period=`.
    pub terms: Terms,
    /// `nodelay`: don't ask PAM to wait after a refusal.
    pub nodelay: bool,
}

/// Where the verifier is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Via {
    /// The service, at its own socket.
    #[default]
    Service,
    /// A service at this path.
    Socket(PathBuf),
    /// Started for each request; for hosts without a service.
    Spawn,
}

/// When somebody must have come with an SSH key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Require {
    /// Under sshd.
    #[default]
    Auto,
    /// Always.
    Yes,
    /// Never: a code and what other modules ask for are enough.
    No,
}

/// Whether people who never had a credential are left to other modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Nullok {
    /// They are asked like all others, and refused.
    #[default]
    Off,
    /// Yes.
    On,
    /// Until this day is over in UTC, counted from 1970-01-01.
    Until(u64),
}

/// What becomes of PAM_AUTHTOK, which a module before may have set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FirstPass {
    /// Nothing: the person is asked.
    #[default]
    Ask,
    /// A code at its end is tried first.
    Try,
    /// A code at its end, and the person is never asked.
    Use,
}

/// An option that can't be obeyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionError {
    option: String,
    why: &'static str,
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "option {}: {}", otp_wire::syslog::escape(&self.option), self.why)
    }
}

impl std::error::Error for OptionError {}

/// What can't stand together, and why not.
const AT_ODDS: [(&[u8], &[u8], &str); 4] = [
    (b"socket", b"verifier", "give either socket= or verifier=, not both"),
    (b"nullok", b"nullok_until", "give either nullok or nullok_until=, not both"),
    (b"try_first_pass", b"use_first_pass", "give either try_first_pass or use_first_pass, not both"),
    (b"forward_pass", b"echo_verification_code", "would show the password: not with echo_verification_code"),
];

impl Options {
    /// Reads the options.
    ///
    /// # Errors
    /// When one is unknown, malformed, given twice, or at odds with another.
    pub fn parse(args: &[&CStr]) -> Result<Self, OptionError> {
        let mut options = Self::default();
        let mut seen: Vec<&[u8]> = Vec::new();
        for arg in args.iter().map(|arg| arg.to_bytes()) {
            let error = |why| OptionError { option: shown(arg), why };
            if arg.len() > MAX_OPTION {
                return Err(error("longer than 256 bytes"));
            }
            let (name, value) = split(arg);
            if seen.contains(&name) {
                return Err(error("given twice"));
            }
            seen.push(name);
            options.set(name, value).map_err(error)?;
        }
        match AT_ODDS.iter().find(|(one, other, _)| seen.contains(one) && seen.contains(other)) {
            Some((one, _, why)) => Err(OptionError { option: shown(one), why }),
            None => Ok(options),
        }
    }

    fn set(&mut self, name: &[u8], value: Option<&[u8]>) -> Result<(), &'static str> {
        match (name, value) {
            (b"nullok", None) => self.nullok = Nullok::On,
            (b"debug", None) => self.debug = true,
            (b"nodelay", None) => self.nodelay = true,
            (b"echo_verification_code", None) => self.echo = true,
            (b"forward_pass", None) => self.forward_pass = true,
            (b"try_first_pass", None) => self.first_pass = FirstPass::Try,
            (b"use_first_pass", None) => self.first_pass = FirstPass::Use,
            (b"nullok_until", Some(date)) => self.nullok = Nullok::Until(day(date)?),
            (b"authtok_prompt", Some(text)) => self.prompt = Some(prompt(text)?),
            (b"grace_period", Some(seconds)) => self.terms.grace = Some(grace(seconds)?),
            (b"digits", Some(digits)) => {
                self.terms.digits = Some(number(digits, 6, 8).ok_or(advice(name))?);
            }
            (b"window", Some(window)) => {
                self.terms.window = Some(number(window, 0, 255).ok_or(advice(name))?);
            }
            (b"socket", Some(path)) => self.via = Via::Socket(socket(path)?),
            (b"verifier", Some(b"socket")) => self.via = Via::Service,
            (b"verifier", Some(b"spawn")) => self.via = Via::Spawn,
            (b"require_publickey", Some(b"auto")) => self.require_publickey = Require::Auto,
            (b"require_publickey", Some(b"yes")) => self.require_publickey = Require::Yes,
            (b"require_publickey", Some(b"no")) => self.require_publickey = Require::No,
            _ => return Err(advice(name)),
        }
        Ok(())
    }
}

fn split(arg: &[u8]) -> (&[u8], Option<&[u8]>) {
    match arg.iter().position(|byte| *byte == b'=') {
        Some(place) => (arg.get(..place).unwrap_or_default(), arg.get(place + 1..)),
        None => (arg, None),
    }
}

fn number(text: &[u8], least: u64, most: u64) -> Option<u8> {
    in_range(text, least, most)?.try_into().ok()
}

fn in_range(text: &[u8], least: u64, most: u64) -> Option<u64> {
    let number = date::digits(std::str::from_utf8(text).ok()?)?;
    (least..=most).contains(&number).then_some(number)
}

fn grace(text: &[u8]) -> Result<u32, &'static str> {
    let seconds = in_range(text, 1, MAX_GRACE).and_then(|seconds| seconds.try_into().ok());
    seconds.ok_or(advice(b"grace_period"))
}

fn day(text: &[u8]) -> Result<u64, &'static str> {
    std::str::from_utf8(text).ok().and_then(date::day).ok_or(advice(b"nullok_until"))
}

fn prompt(text: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(text).ok().filter(|text| !text.is_empty() && syslog::escape(text) == *text);
    Ok(text.ok_or(advice(b"authtok_prompt"))?.to_owned())
}

fn socket(path: &[u8]) -> Result<PathBuf, &'static str> {
    if !path.starts_with(b"/") {
        return Err("the socket's path must be absolute");
    }
    if path.len() > MAX_SOCKET_PATH {
        return Err("the socket's path is longer than 107 bytes");
    }
    Ok(OsStr::from_bytes(path).into())
}

/// What to write in the place of an option that is not understood, also for
/// people who come from another module.
fn advice(name: &[u8]) -> &'static str {
    match name {
        b"nullok"
        | b"debug"
        | b"nodelay"
        | b"echo_verification_code"
        | b"forward_pass"
        | b"try_first_pass"
        | b"use_first_pass" => "takes no value",
        b"nullok_until" => "write nullok_until=2031-01-31",
        b"authtok_prompt" => "write [authtok_prompt=TEXT], one line in brackets",
        b"grace_period" => "write grace_period=1 to 86400, in seconds",
        b"digits" => "write digits=6, 7 or 8",
        b"window" => "write window=0 to 255",
        b"socket" => "write socket=PATH",
        b"verifier" => "write verifier=socket or verifier=spawn",
        b"require_publickey" => "write require_publickey=auto, yes or no",
        b"secret" | b"usersfile" | b"authfile" => {
            "not here: secrets are in the verifier's store, see oathgate import and oathgate enrol"
        }
        b"user" | b"allowed_perm" | b"no_strict_owner" | b"allow_readonly" | b"expand" => {
            "not here: no files are read but the verifier's store; leave it out"
        }
        b"noskewadj" | b"no_increment_hotp" => "not here: it is always so; leave it out",
        b"alwaysok" => "not here: it lets everybody in; to try things out, write debug",
        b"nouserok" => "not here: write nullok",
        _ => "unknown, see pam_oathgate(8)",
    }
}

/// The option as it may stand in a log.
fn shown(arg: &[u8]) -> String {
    syslog::escape(&String::from_utf8_lossy(arg.get(..64).unwrap_or(arg)))
}

// The fuzz target takes this file from elsewhere.
#[cfg(test)]
#[path = "options/tests.rs"]
mod tests;
