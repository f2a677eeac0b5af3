//! How does one ask the verifier?
//!
//! One JSON object on one line each way, of bounded size, versioned, with
//! unknown fields refused. [`message`] holds the words, [`frame`] puts them on
//! the line without leaving copies of secrets behind, and [`Verifier`] is
//! somebody who answers: a service behind a [`socket`], or a program that is
//! [`spawn`]ed for one request.

#![forbid(unsafe_code)]

pub mod date;
pub mod frame;
pub mod message;
pub mod passwd;
pub mod secret_text;
pub mod socket;
pub mod spawn;
pub mod syslog;
pub mod trust;

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

pub use message::{Ask, Everything, Login, LoginsOnly, Outcome, Reply, Request, RequestId, Scope, Verify};
pub use secret_text::SecretText;
pub use socket::SocketVerifier;
pub use spawn::SpawnVerifier;
pub use trust::SERVICE_USER;

/// How long a front end waits for a verdict, in all.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// What `ssh-otp` says where it needs a code and can neither ask for one nor was given one.
pub const NO_TERMINAL: &str = "oathgate: this key needs a code, and there is no terminal to ask on; put it in front of \
                               the command, as in `LC_OTP=123456 scp …`, or give one on a ControlMaster connection \
                               and use that for all";

/// Where the verifier's socket for everybody is.
pub const PUBLIC_SOCKET: &str = "/run/oathgate/socket";
/// Where the verifier's socket for root is.
pub const ROOT_SOCKET: &str = "/run/oathgate/root";

/// Somebody who answers requests.
pub trait Verifier<S: Scope = Everything> {
    /// Asks, and waits until `deadline` at the latest.
    ///
    /// # Errors
    /// [`Error`] when there is no answer: nothing was decided that the asker
    /// may rely on, so it refuses.
    fn ask(&self, request: &Request<S>, deadline: Instant) -> Result<Reply<S>, Error>;
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Error {
    /// Nobody is there: what could not be reached, and why.
    Absent(String, io::Error),
    /// Somebody answers who is not the verifier: this uid.
    Impostor(u32),
    /// No answer in time.
    Late,
    /// The connection broke in the middle.
    Broken(io::Error),
    /// The answer can't be understood.
    Garbage(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(what, why) => write!(f, "no verifier at {what}: {why}"),
            Self::Impostor(uid) => write!(f, "uid {uid} answers in the verifier's place"),
            Self::Late => f.write_str("the verifier did not answer in time"),
            Self::Broken(why) => write!(f, "the connection to the verifier broke: {why}"),
            Self::Garbage(what) => write!(f, "the verifier's answer can't be understood: {what}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Absent(_, why) | Self::Broken(why) => Some(why),
            Self::Impostor(_) | Self::Late | Self::Garbage(_) => None,
        }
    }
}
