//! Asking the verifier, and saying in plain words what came of it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::unistd::Uid;
use otp_core::Account;
use otp_wire::frame::MAX_LISTING;
use otp_wire::message::{Outcome, RequestId};
use otp_wire::syslog::escape;
use otp_wire::trust::system_uids;
use otp_wire::{Ask, DEADLINE, Error, PUBLIC_SOCKET, ROOT_SOCKET, Request};
use otp_wire::{SocketVerifier, SpawnVerifier, Verifier};

use crate::as_person;
use crate::cli::Reach;
use crate::error::Failure;
use crate::settings::{self, Decides};
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
        let verifier = if reach.user_store { user_store()? } else { system(reach.socket.as_deref())? };
        let uid = Uid::effective();
        let me = as_person::Person::caller().ok().and_then(|person| person.name.parse().ok());
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

    /// Asks something that is no secret; none without an answer.
    pub fn question(&self, question: &str) -> Option<String> {
        self.person.answer(question)
    }

    /// Asks the verifier. Where it wants a code of the owner's for this, the
    /// owner is asked for one, and the request goes out once more with it.
    ///
    /// # Errors
    /// When nothing was decided, or the verifier would not hear of it.
    /// [`Outcome::Refused`] is an answer.
    pub fn answer(&self, ask: Ask) -> Result<Outcome, Failure> {
        let mut request = Request::new(ask).map_err(Failure::undecided)?;
        for tried in 0..=TRIES {
            let reply = self.verifier.ask(&request, Instant::now() + DEADLINE);
            match reply.map_err(|error| unreachable_verifier(&error, &self.call))?.outcome {
                // A code is judged before anything else is: it was not the one.
                Outcome::CodeNeeded(line) if request.authorisation.is_some() => eprintln!("{}", escape(&line)),
                Outcome::CodeNeeded(_) => {}
                Outcome::Denied(line) => return Err(denied(&line)),
                Outcome::Invalid(line) => return Err(Failure::no(line)),
                Outcome::Undecided(_) if self.call.contains("--user-store") && !has_store() => return Err(no_store()),
                Outcome::Undecided(line) => return Err(undecided(&line)),
                outcome => return Ok(outcome),
            }
            if tried == TRIES {
                break;
            }
            request.id = RequestId::random().map_err(Failure::undecided)?;
            request.authorisation = match self.code("A code of yours is needed for this: ") {
                Typed::Code(code) => Some(code),
                Typed::Cancelled => return Err(Failure::no("cancelled; nothing was changed")),
                Typed::NoTerminal => {
                    return Err(Failure::no("a code of yours is needed for this").hint("run it in a terminal"));
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
            Outcome::Done(line) => Ok(line),
            other => Err(unexpected(&other)),
        }
    }
}

fn denied(line: &str) -> Failure {
    let failure = Failure::no(line);
    // The service's own lines mostly say whom to ask.
    if line.contains("root") || Uid::effective().is_root() { failure } else { failure.hint("ask an administrator") }
}

fn no_store() -> Failure {
    Failure::no("you have no store of your own yet").hint("to begin: oathgate --user-store enrol")
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
        Error::Broken(_) if call.contains("--user-store") && !has_store() => no_store(),
        Error::Broken(_) if call.contains("--user-store") => {
            failure.hint("it can't use your store, and says why in the system's log: journalctl -t oathgated")
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

/// The system's verifier: at the socket that is named, or as the settings say.
fn system(named: Option<&Path>) -> Result<Box<dyn Verifier>, Failure> {
    let me = Uid::effective();
    let mut trusted = system_uids();
    let path = match named {
        Some(path) => {
            trusted.push(me.as_raw());
            path
        }
        None if !me.is_root() => Path::new(PUBLIC_SOCKET),
        None if settings::decides(Path::new(settings::SYSTEM))? == Decides::Spawn => {
            let program = SpawnVerifier::beside_caller().map_err(Failure::undecided)?;
            return Ok(Box::new(SpawnVerifier::system(&program).max_reply(MAX_LISTING)));
        }
        None => Path::new(ROOT_SOCKET),
    };
    Ok(Box::new(SocketVerifier::new(path, trusted).max_reply(MAX_LISTING)))
}

/// The home directory. Whoever can set this variable is the owner of the store.
fn home_folder() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute())
}

/// The home directory, which `--user-store` needs.
///
/// # Errors
/// When there is none.
pub fn home() -> Result<PathBuf, Failure> {
    home_folder().ok_or_else(|| {
        Failure::usage("--user-store needs a home directory, and HOME names none").hint("set HOME to an absolute path")
    })
}

/// Whether the caller's own store may exist: at its usual place, or at another
/// that the settings name.
fn has_store() -> bool {
    let places = [".local/share/oathgate/store.db", ".config/oathgate/oathgate.toml"];
    home_folder().is_none_or(|home| places.iter().any(|place| home.join(place).exists()))
}

fn user_store() -> Result<Box<dyn Verifier>, Failure> {
    let program = SpawnVerifier::beside_caller()
        .map_err(|error| Failure::undecided(error).hint("install oathgated into the same folder as oathgate"))?;
    Ok(Box::new(SpawnVerifier::user_store(&program, &home()?).max_reply(MAX_LISTING)))
}

#[cfg(test)]
mod tests {
    use otp_wire::message::{OwnerName, Reason};

    use super::*;
    use crate::error::Exit;
    use crate::testing::{Script, Typist};

    fn ask() -> Ask {
        Ask::ScratchNew(OwnerName { account: "alice".to_owned(), owner: None })
    }

    fn code_needed(line: &str) -> Outcome {
        Outcome::CodeNeeded(line.to_owned())
    }

    fn done() -> Outcome {
        Outcome::Done("Done.".to_owned())
    }

    #[test]
    fn a_code_is_asked_for_only_where_one_is_wanted() {
        let script = Script::of([code_needed("A code of yours is needed for this."), done()]);
        assert_eq!(Client::of(&script, &Typist::of(&["123456"])).done(ask()).unwrap(), "Done.");
        let asked = script.asked();
        assert_eq!(asked[0]["authorisation"], serde_json::Value::Null);
        assert_eq!(asked[1]["authorisation"], "123456");
        assert_eq!(asked[0]["ask"], asked[1]["ask"]);

        let script = Script::of([Outcome::Denied("Only root may ask for audit; try it with sudo.".to_owned())]);
        let failure = Client::of(&script, &Typist::of(&["123456"])).done(ask()).unwrap_err();
        assert_eq!((failure.exit, script.asked().len()), (Exit::No, 1));
    }

    #[test]
    fn a_wrong_code_is_asked_for_again_but_not_for_ever() {
        let wanted = || code_needed("A code of yours is needed for this.");
        let script = Script::of([wanted(), code_needed("Wrong code."), done()]);
        assert!(Client::of(&script, &Typist::of(&["1", "2"])).done(ask()).is_ok());
        let script =
            Script::of([wanted(), code_needed("Wrong code."), code_needed("Wrong code."), code_needed("Wrong code.")]);
        let failure = Client::of(&script, &Typist::of(&["1", "2", "3", "4"])).done(ask()).unwrap_err();
        assert_eq!((failure.exit, script.asked().len()), (Exit::No, 4));
    }

    #[test]
    fn without_a_terminal_or_a_will_nothing_is_sent() {
        for typed in [&[][..], &["^C"]] {
            let script = Script::of([code_needed("A code of yours is needed for this.")]);
            assert_eq!(Client::of(&script, &Typist::of(typed)).done(ask()).unwrap_err().exit, Exit::No);
            assert_eq!(script.asked().len(), 1);
        }
    }

    #[test]
    fn only_done_is_done() {
        let line = || "line".to_owned();
        for (outcome, exit) in [
            (Outcome::Refused { reason: Reason::Wrong, line: line() }, Exit::No),
            (Outcome::Invalid(line()), Exit::No),
            (Outcome::Undecided(line()), Exit::Undecided),
            (Outcome::Pass {}, Exit::Undecided),
            (Outcome::Absent { now: 0 }, Exit::Undecided),
            (Outcome::Listing(vec![]), Exit::Undecided),
        ] {
            let script = Script::of([outcome]);
            assert_eq!(Client::of(&script, &Typist::default()).done(ask()).unwrap_err().exit, exit);
        }
        let nobody = Script::of([]);
        assert_eq!(Client::of(&nobody, &Typist::default()).done(ask()).unwrap_err().exit, Exit::Undecided);
    }

    #[test]
    fn every_way_of_not_reaching_the_verifier_says_what_to_do() {
        use std::io::ErrorKind::{NotFound, UnexpectedEof};
        for call in ["oathgate", "oathgate --user-store"] {
            for error in [
                Error::Absent("/run/x".to_owned(), NotFound.into()),
                Error::Impostor(1000),
                Error::Late,
                Error::Broken(UnexpectedEof.into()),
                Error::Garbage("x"),
            ] {
                let failure = unreachable_verifier(&error, call);
                assert!(failure.hint.is_some(), "{error}");
            }
        }
    }
}
