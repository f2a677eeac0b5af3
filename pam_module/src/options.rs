//! The words behind `pam_oathgate.so` in a file of /etc/pam.d.
//!
//! A word that isn't known is an error: a module that ignores a typo would not
//! do what the administrator believes it does.

use std::ffi::{CStr, OsStr};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use otp_wire::syslog;

/// The longest option in bytes.
pub const MAX_OPTION: usize = 256;
/// The longest path that a Unix socket can have (unix(7), sun_path).
const MAX_SOCKET_PATH: usize = 107;

/// How the module is to behave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Who decides: `socket=PATH` or `verifier=socket|spawn`.
    pub via: Via,
    /// `nullok`: leave people who never had a credential to other modules.
    pub nullok: bool,
    /// `require_publickey=auto|yes|no`.
    pub require_publickey: Require,
    /// `debug`: log each step; never a code.
    pub debug: bool,
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
        if seen.contains(&b"socket".as_slice()) && seen.contains(&b"verifier".as_slice()) {
            let why = "give either socket= or verifier=, not both";
            return Err(OptionError { option: "verifier".to_owned(), why });
        }
        Ok(options)
    }

    fn set(&mut self, name: &[u8], value: Option<&[u8]>) -> Result<(), &'static str> {
        match (name, value) {
            (b"nullok", None) => self.nullok = true,
            (b"debug", None) => self.debug = true,
            (b"socket", Some(path)) => self.via = Via::Socket(socket(path)?),
            (b"verifier", Some(b"socket")) => self.via = Via::Service,
            (b"verifier", Some(b"spawn")) => self.via = Via::Spawn,
            (b"verifier", _) => return Err("write verifier=socket or verifier=spawn"),
            (b"require_publickey", Some(b"auto")) => self.require_publickey = Require::Auto,
            (b"require_publickey", Some(b"yes")) => self.require_publickey = Require::Yes,
            (b"require_publickey", Some(b"no")) => self.require_publickey = Require::No,
            (b"require_publickey", _) => return Err("write require_publickey=auto, yes or no"),
            (b"nullok" | b"debug", Some(_)) => return Err("takes no value"),
            (b"socket", None) => return Err("write socket=PATH"),
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

fn socket(path: &[u8]) -> Result<PathBuf, &'static str> {
    if !path.starts_with(b"/") {
        return Err("the socket's path must be absolute");
    }
    if path.len() > MAX_SOCKET_PATH {
        return Err("the socket's path is longer than 107 bytes");
    }
    Ok(OsStr::from_bytes(path).into())
}

/// For people who come from another module.
fn advice(name: &[u8]) -> &'static str {
    match name {
        b"secret" | b"usersfile" | b"user" | b"allowed_perm" | b"no_strict_owner" | b"allow_readonly" => {
            "unknown: secrets are in the verifier's store, see `oathgate enrol`"
        }
        b"digits" | b"window" | b"noskewadj" | b"no_increment_hotp" => {
            "unknown: each credential has its own, in the verifier's store"
        }
        b"nouserok" => "unknown: write nullok",
        _ => "unknown",
    }
}

/// The option as it may stand in a log.
fn shown(arg: &[u8]) -> String {
    syslog::escape(&String::from_utf8_lossy(arg.get(..64).unwrap_or(arg)))
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;

    fn parse(args: &[&str]) -> Result<Options, OptionError> {
        let args: Vec<CString> = args.iter().map(|arg| CString::new(*arg).unwrap()).collect();
        let args: Vec<&CStr> = args.iter().map(CString::as_c_str).collect();
        Options::parse(&args)
    }

    #[test]
    fn every_option_is_read() {
        let default = Options::default();
        assert_eq!(parse(&[]), Ok(default.clone()));
        assert_eq!(parse(&["nullok"]), Ok(Options { nullok: true, ..default.clone() }));
        assert_eq!(parse(&["debug"]), Ok(Options { debug: true, ..default.clone() }));
        for (word, require_publickey) in [("auto", Require::Auto), ("yes", Require::Yes), ("no", Require::No)] {
            let expected = Options { require_publickey, ..default.clone() };
            assert_eq!(parse(&[&format!("require_publickey={word}")]), Ok(expected));
        }
        for (word, via) in [
            ("verifier=socket", Via::Service),
            ("verifier=spawn", Via::Spawn),
            ("socket=/run/x y=z", Via::Socket("/run/x y=z".into())),
        ] {
            assert_eq!(parse(&[word]), Ok(Options { via, ..default.clone() }));
        }
    }

    #[test]
    fn what_cannot_be_obeyed_is_an_error() {
        let long_path = format!("socket=/{}", "x".repeat(107));
        let long = "x".repeat(100_000);
        for (args, why) in [
            (&["windw=20"][..], "unknown"),
            (&[""], "unknown"),
            (&["=", "x"], "unknown"),
            (&["NULLOK"], "unknown"),
            (&["null_ok"], "unknown"),
            (&["debug "], "unknown"),
            (&["secret=/home/${USER}"], "oathgate enrol"),
            (&["usersfile=/etc/users.oath"], "oathgate enrol"),
            (&["window=20"], "its own"),
            (&["nouserok"], "nullok"),
            (&["nullok", "nullok"], "twice"),
            (&["socket=/a", "socket=/b"], "twice"),
            (&["verifier=spawn", "verifier=spawn"], "twice"),
            (&["nullok=yes"], "no value"),
            (&["debug="], "no value"),
            (&["socket"], "PATH"),
            (&["socket="], "absolute"),
            (&["socket=run/x"], "absolute"),
            (&[&long_path], "107"),
            (&["verifier"], "spawn"),
            (&["verifier="], "spawn"),
            (&["verifier=Spawn"], "spawn"),
            (&["socket=/a", "verifier=spawn"], "not both"),
            (&["verifier=socket", "socket=/a"], "not both"),
            (&["require_publickey"], "auto"),
            (&["require_publickey=maybe"], "auto"),
            (&[&long], "256"),
        ] {
            let error = parse(args).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
            assert!(error.len() < 200, "{error}");
        }
    }

    #[test]
    fn an_error_stays_on_its_line() {
        let error = Options::parse(&[c"x\nroot logged in\xff"]).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
    }
}
