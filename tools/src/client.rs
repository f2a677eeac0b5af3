//! Asking the verifier, and saying in plain words what came of it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::unistd::{Uid, User};
use otp_core::Account;
use otp_wire::frame::MAX_LISTING;
use otp_wire::message::{Outcome, RequestId};
use otp_wire::syslog::escape;
use otp_wire::{Ask, DEADLINE, Error, PUBLIC_SOCKET, ROOT_SOCKET, Request, SERVICE_USER};
use otp_wire::{SocketVerifier, SpawnVerifier, Verifier};

use crate::cli::Reach;
use crate::error::Failure;
use crate::terminal::{Person, Typed};

/// Somebody's connection to a verifier.
pub struct Client<'a> {
    verifier: Box<dyn Verifier + 'a>,
    person: &'a dyn Person,
    /// How this client was called, to be repeated in advice: `oathgate --user-store`.
    pub call: String,
    /// Whether root asks the system's verifier, for whom everything is in reach.
    pub root: bool,
    /// The caller's own account.
    me: Option<Account>,
}

/// How often a code is asked for.
pub const TRIES: usize = 3;

impl<'a> Client<'a> {
    /// A client for the verifier that `reach` names.
    ///
    /// # Errors
    /// When there is no home directory or no program to start.
    pub fn new(reach: &Reach, person: &'a dyn Person) -> Result<Self, Failure> {
        let verifier = if reach.user_store { user_store()? } else { socket(reach.socket.as_deref()) };
        let uid = Uid::effective();
        let me = User::from_uid(uid).ok().flatten().and_then(|user| user.name.parse().ok());
        Ok(Self { verifier, person, call: call(reach), root: uid.is_root() && !reach.user_store, me })
    }

    /// A client of `verifier`, for tests.
    #[cfg(test)]
    pub fn of(verifier: impl Verifier + 'a, person: &'a dyn Person) -> Self {
        let me = "alice".parse().ok();
        Self { verifier: Box::new(verifier), person, call: "oathgate".to_owned(), root: false, me }
    }

    /// The account that was named, or the caller's own.
    ///
    /// # Errors
    /// When none was named and the caller has none.
    pub fn account(&self, named: Option<&Account>) -> Result<Account, Failure> {
        named.or(self.me.as_ref()).cloned().ok_or_else(|| {
            Failure::usage("your uid has no login name here").hint("name the account on the command line")
        })
    }

    /// The account that was named, or the caller's own, or any for root.
    ///
    /// # Errors
    /// As [`Client::account`].
    pub fn scope(&self, named: Option<&Account>) -> Result<Option<String>, Failure> {
        if self.root && named.is_none() {
            return Ok(None);
        }
        self.account(named).map(|account| Some(account.to_string()))
    }

    /// Asks for a code, without echo.
    pub fn code(&self, prompt: &str) -> Typed {
        self.person.code(prompt)
    }

    /// Asks the verifier. Where it wants a code of the owner's for this, the
    /// owner is asked for one, and the request goes out once more with it.
    ///
    /// # Errors
    /// When nothing was decided, or the verifier would not hear of it.
    /// [`Outcome::Refused`] is an answer.
    pub fn answer(&self, ask: Ask) -> Result<Outcome, Failure> {
        let mut request = Request::new(ask).map_err(Failure::undecided)?;
        for _ in 0..TRIES {
            let reply = self.verifier.ask(&request, Instant::now() + DEADLINE);
            match reply.map_err(|error| unreachable_verifier(&error, &self.call))?.outcome {
                // The code was judged before anything else was: it was not the one.
                Outcome::Denied { line } if request.authorisation.is_some() => eprintln!("{}", escape(&line)),
                Outcome::Denied { line } if wants_code(&line) => {}
                Outcome::Denied { line } => return Err(denied(&line)),
                Outcome::Invalid { line } => return Err(Failure::no(line)),
                Outcome::Undecided { line } => return Err(undecided(&line)),
                outcome => return Ok(outcome),
            }
            request.id = RequestId::random().map_err(Failure::undecided)?;
            request.authorisation = match self.code("A code of yours is needed to change this: ") {
                Typed::Code(code) => Some(code),
                Typed::Cancelled => return Err(Failure::no("cancelled; nothing was changed")),
                Typed::NoTerminal => {
                    return Err(Failure::no("a code of yours is needed to change this").hint("run it in a terminal"));
                }
            };
        }
        Err(Failure::no("no code was accepted; nothing was changed"))
    }

    /// Asks for something that is done or not.
    ///
    /// # Errors
    /// When it was not done.
    pub fn done(&self, ask: Ask) -> Result<String, Failure> {
        match self.answer(ask)? {
            Outcome::Done { line } => Ok(line),
            other => Err(unexpected(&other)),
        }
    }
}

/// The convention between the service and this program: a line of
/// [`Outcome::Denied`] that a code would help against speaks of a code.
fn wants_code(line: &str) -> bool {
    line.to_ascii_lowercase().contains("code")
}

fn denied(line: &str) -> Failure {
    let hint = if Uid::effective().is_root() { None } else { Some("ask an administrator, or use sudo") };
    Failure { hint: hint.map(str::to_owned), ..Failure::no(line) }
}

fn undecided(line: &str) -> Failure {
    Failure::undecided(format!("the verifier could not decide: {line}"))
        .hint("its log says more: journalctl -t oathgated")
}

/// Says what an answer means that the verb has no other use for.
pub fn unexpected(outcome: &Outcome) -> Failure {
    match outcome {
        Outcome::Refused { line, .. } => Failure::no(line),
        _ => Failure::undecided("the verifier gave an answer to something else")
            .hint("are oathgate and oathgated of the same version? try oathgate status"),
    }
}

fn unreachable_verifier(error: &Error, call: &str) -> Failure {
    let failure = Failure::undecided(error);
    match error {
        Error::Absent(..) if call.contains("--user-store") => {
            failure.hint("oathgated must lie beside oathgate, or in ../libexec/oathgate")
        }
        Error::Absent(..) => failure.hint(
            "is the service running? systemctl status oathgated; \
             for a store of your own, without root, add --user-store",
        ),
        Error::Impostor(_) => failure.hint("somebody else listens at that socket; tell your administrator"),
        Error::Late => failure.hint("try again; journalctl -t oathgated says more"),
        Error::Broken(_) if call.contains("--user-store") => {
            failure.hint("is your store damaged, or newer than this program? oathgate --user-store status")
        }
        Error::Broken(_) | Error::Garbage(_) => {
            failure.hint("are oathgate and oathgated of the same version? journalctl -t oathgated says more")
        }
    }
}

fn call(reach: &Reach) -> String {
    match &reach.socket {
        Some(path) => format!("oathgate --socket {}", path.display()),
        None if reach.user_store => "oathgate --user-store".to_owned(),
        None if Uid::effective().is_root() => "sudo oathgate".to_owned(),
        None => "oathgate".to_owned(),
    }
}

fn socket(named: Option<&Path>) -> Box<dyn Verifier> {
    let me = Uid::effective();
    let usual = if me.is_root() { ROOT_SOCKET } else { PUBLIC_SOCKET };
    let service = User::from_name(SERVICE_USER).ok().flatten().map(|user| user.uid.as_raw());
    let mut trusted: Vec<u32> = std::iter::once(0).chain(service).collect();
    if named.is_some() {
        trusted.push(me.as_raw());
    }
    Box::new(SocketVerifier::new(named.unwrap_or(Path::new(usual)), trusted).max_reply(MAX_LISTING))
}

fn user_store() -> Result<Box<dyn Verifier>, Failure> {
    let program = SpawnVerifier::beside_caller()
        .map_err(|error| Failure::undecided(error).hint("install oathgated into the same folder as oathgate"))?;
    // The caller's own store: whoever can set this variable is the caller.
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let home = home.ok_or_else(|| {
        Failure::usage("--user-store needs a home directory, and HOME names none").hint("set HOME to an absolute path")
    })?;
    Ok(Box::new(SpawnVerifier::user_store(&program, &home).max_reply(MAX_LISTING)))
}
