//! The command line: what the administrator or owner wrote into
//! authorized_keys. Small enough to be read by hand, and by hand.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use otp_core::Fingerprint;
use otp_wire::syslog::escape;

/// The variable that may hold a code, where the line names no other.
pub const CODE_VARIABLE: &str = "LC_OTP";

/// What every client sends as a language is no code (locale(7)).
const LOCALE: [&str; 13] = [
    "LC_ALL",
    "LC_ADDRESS",
    "LC_COLLATE",
    "LC_CTYPE",
    "LC_IDENTIFICATION",
    "LC_MEASUREMENT",
    "LC_MESSAGES",
    "LC_MONETARY",
    "LC_NAME",
    "LC_NUMERIC",
    "LC_PAPER",
    "LC_TELEPHONE",
    "LC_TIME",
];

/// What `--help` prints.
pub const HELP: &str = "\
Asks for a one-time code, then becomes the command that sshd was asked to run.

Usage: ssh-otp --key SHA256:… [--user-store] [--socket PATH] [--code-variable NAME] [-- COMMAND [ARG]…]

Options:
  --key SHA256:…   The key of this line, as `ssh-keygen -l` prints it. Required.
  --user-store     Ask the store in the home directory instead of the system's.
  --socket PATH    Ask the verifier that listens there (an absolute path).
  --code-variable NAME
                   The variable that may hold the code; its name begins with LC_.
  --help           Print this.
  --version        Print the version.
  -- COMMAND       After the code, hand over to another forced command, which
                   finds the request in SSH_ORIGINAL_COMMAND.

Without a terminal the code is taken from the variable LC_OTP:
  LC_OTP=123456 scp file host:

Example, one line of ~/.ssh/authorized_keys (`oathgate ssh install` writes it):
  restrict,pty,command=\"exec /usr/bin/ssh-otp --key SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU\" ssh-ed25519 AAAA… alice@laptop
";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// `--help`.
    Help,
    /// `--version`.
    Version,
    /// A login.
    Login(Arguments),
}

/// The arguments of a login.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    /// The key that was used, as the line says.
    pub key: Fingerprint,
    /// Whether the store in the home directory decides.
    pub user_store: bool,
    /// Where the verifier listens, if not at its usual place.
    pub socket: Option<PathBuf>,
    /// The variable that may hold a code, `LC_…`: sshd takes such ones from clients.
    pub code_variable: String,
    /// The forced command to hand over to; empty for the requested command.
    pub inner: Vec<OsString>,
}

/// Why the arguments were refused. Quotes no value, which might be a secret.
#[derive(Debug, PartialEq, Eq)]
pub struct ArgumentError(String);

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ssh-otp: {}", self.0)
    }
}

/// Reads the arguments after the program's name.
///
/// # Errors
/// [`ArgumentError`] for whatever is unknown, missing, given twice or without a value.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Parsed, ArgumentError> {
    let mut arguments = arguments.into_iter();
    let (mut key, mut socket, mut variable, mut user_store, mut inner) = (None, None, None, false, Vec::new());
    while let Some(argument) = arguments.next() {
        let (name, value) = split(&argument);
        match name {
            Some("--help") if value.is_none() => return Ok(Parsed::Help),
            Some("--version") if value.is_none() => return Ok(Parsed::Version),
            Some("--user-store") if value.is_none() => user_store = true,
            Some("--key") => once(&mut key, fingerprint(&needed("--key", value, &mut arguments)?)?, "--key")?,
            Some("--socket") => {
                once(&mut socket, absolute(needed("--socket", value, &mut arguments)?)?, "--socket")?;
            }
            Some("--code-variable") => {
                let name = needed("--code-variable", value, &mut arguments)?;
                once(&mut variable, locale_name(&name)?, "--code-variable")?;
            }
            Some("--") => {
                inner.extend(arguments.by_ref());
                if inner.first().is_none_or(|program: &OsString| program.is_empty()) {
                    return Err(error("-- needs the command to hand over to"));
                }
            }
            Some(name) => return Err(unknown(name)),
            None => return Err(positional()),
        }
    }
    let key = key.ok_or_else(|| error("--key SHA256:… is missing; see ssh-otp --help"))?;
    let code_variable = variable.unwrap_or_else(|| CODE_VARIABLE.to_owned());
    Ok(Parsed::Login(Arguments { key, user_store, socket, code_variable, inner }))
}

/// The option's name, and the value behind an `=`.
fn split(argument: &OsStr) -> (Option<&str>, Option<OsString>) {
    match argument.to_str() {
        Some(text) if text.starts_with('-') => match text.split_once('=') {
            Some((name, value)) => (Some(name), Some(value.into())),
            None => (Some(text), None),
        },
        _ => (None, None),
    }
}

fn needed(
    name: &str,
    value: Option<OsString>,
    rest: &mut impl Iterator<Item = OsString>,
) -> Result<OsString, ArgumentError> {
    value.or_else(|| rest.next()).ok_or_else(|| error(&format!("{name} needs a value")))
}

fn once<T>(place: &mut Option<T>, value: T, name: &str) -> Result<(), ArgumentError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(error(&format!("{name} was given twice"))),
    }
}

fn fingerprint(value: &OsStr) -> Result<Fingerprint, ArgumentError> {
    let parsed = value.to_str().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| error("--key needs SHA256: and 43 base64 characters, as `ssh-keygen -l` prints it"))
}

fn absolute(value: OsString) -> Result<PathBuf, ArgumentError> {
    let path = PathBuf::from(value);
    if path.is_absolute() { Ok(path) } else { Err(error("--socket needs an absolute path")) }
}

/// A name out of sshd's own AcceptEnv, `LC_*`: any other would have to be let in.
fn locale_name(value: &OsStr) -> Result<String, ArgumentError> {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let name = value.to_str().filter(|name| (4..=64).contains(&name.len()) && name.chars().all(plain));
    let name = name.filter(|name| name.starts_with("LC_") && !LOCALE.contains(name));
    name.map(str::to_owned).ok_or_else(|| error("--code-variable needs a name of its own that begins with LC_"))
}

fn unknown(name: &str) -> ArgumentError {
    let name: String = escape(name).chars().take(40).collect();
    error(&format!("unknown option {name}; see ssh-otp --help"))
}

fn positional() -> ArgumentError {
    error(
        "takes no secret as an argument, because everybody on the host can read arguments; \
         enrol with `oathgate enrol`, and write the line with `oathgate ssh install`",
    )
}

fn error(text: &str) -> ArgumentError {
    ArgumentError(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

    fn read(arguments: &[&str]) -> Result<Parsed, String> {
        parse(arguments.iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    fn login(user_store: bool, socket: Option<&str>, inner: &[&str]) -> Result<Parsed, String> {
        let inner = inner.iter().map(OsString::from).collect();
        let code_variable = CODE_VARIABLE.to_owned();
        let (key, socket) = (KEY.parse().unwrap(), socket.map(Into::into));
        Ok(Parsed::Login(Arguments { key, user_store, socket, code_variable, inner }))
    }

    #[test]
    fn what_is_understood() {
        assert_eq!(read(&["--key", KEY]), login(false, None, &[]));
        assert_eq!(read(&[&format!("--key={KEY}"), "--user-store"]), login(true, None, &[]));
        assert_eq!(read(&["--socket=/run/x", "--key", KEY]), login(false, Some("/run/x"), &[]));
        assert_eq!(read(&["--key", KEY, "--", "rrsync", "--key"]), login(false, None, &["rrsync", "--key"]));
        assert_eq!(read(&["--help"]), Ok(Parsed::Help));
        assert_eq!(read(&["--key", KEY, "--version"]), Ok(Parsed::Version));
    }

    #[test]
    fn what_is_refused_and_what_is_said() {
        let long = format!("--{}", "x".repeat(10_000));
        let table: [(&[&str], &str); 14] = [
            (&[], "--key SHA256:… is missing"),
            (&["--user-store"], "--key SHA256:… is missing"),
            (&["--key"], "--key needs a value"),
            (&["--key", "MD5:aa"], "--key needs SHA256:"),
            (&["--key", KEY, "--key", KEY], "--key was given twice"),
            (&["--key", KEY, "--socket", "run/x"], "--socket needs an absolute path"),
            (&["--key", KEY, "--socket"], "--socket needs a value"),
            (&["--key", KEY, "--"], "-- needs the command"),
            (&["--key", KEY, "--", ""], "-- needs the command"),
            (&["--key", KEY, "JBSWY3DPEHPK3PXP"], "oathgate enrol"),
            (&["JBSWY3DPEHPK3PXP", "--key", KEY], "oathgate ssh install"),
            (&["--key", KEY, "--user-store=yes"], "unknown option --user-store"),
            (&["--key", KEY, "--debug\n\x1b[2J"], "unknown option --debug\\u{a}"),
            (&["--key", KEY, &long], "unknown option --xxx"),
        ];
        for (arguments, expected) in table {
            let said = read(arguments).unwrap_err();
            assert!(said.contains(expected), "{arguments:?}: {said}");
            assert!(said.len() < 250 && !said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn a_secret_is_not_repeated() {
        for arguments in [["--key", KEY, "JBSWY3DPEHPK3PXP"], ["--key", KEY, "--secret=JBSWY3DPEHPK3PXP"]] {
            assert!(!read(&arguments).unwrap_err().contains("JBSW"));
        }
    }

    #[test]
    fn the_example_in_the_help_is_one_that_works() {
        let start = HELP.find("command=\"").unwrap() + "command=\"".len();
        let command = HELP[start..].split('"').next().unwrap();
        let words: Vec<&str> = command.split(' ').collect();
        assert_eq!(words[..2], ["exec", "/usr/bin/ssh-otp"]);
        assert!(matches!(read(&words[2..]), Ok(Parsed::Login(_))));
    }

    #[test]
    fn the_code_s_variable_is_one_that_sshd_takes_and_no_language() {
        let named = |name: &str| {
            let words = ["--key", KEY, "--code-variable", name].map(OsString::from);
            parse(words).map(|parsed| match parsed {
                Parsed::Login(arguments) => arguments.code_variable,
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(named("LC_CODE_2").unwrap(), "LC_CODE_2");
        for bad in
            ["", "LC_", "OTP", "LC_otp", "LC_ALL", "LC_CTYPE", "LC_A=B", "PATH", &format!("LC_{}", "A".repeat(99))]
        {
            assert!(named(bad).is_err(), "{bad}");
        }
    }
}
