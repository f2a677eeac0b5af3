//! The flow of one authentication, from the user's name to the end.

use std::fmt;
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Instant;

use otp_core::Account;
use otp_wire::message::Terms;
use otp_wire::{Ask, DEADLINE, Error, Login, LoginsOnly, Outcome, Request, SecretText, Verifier, Verify, syslog};
use pam::constants::PamResultCode;

use crate::auth_info;
use crate::options::{Options, Require};

/// What everybody is asked.
pub const PROMPT: &str = "Verification code: ";
/// The longest line in characters that a verifier may show to people.
const MAX_LINE: usize = 200;
/// The longest PAM item in bytes that is passed on.
const MAX_ITEM: usize = 256;

/// The program that called PAM, and the person behind it.
pub trait Host {
    /// PAM_USER; asks for it if need be.
    fn user(&mut self) -> Option<String>;
    /// PAM_SERVICE.
    fn service(&self) -> Option<String>;
    /// PAM_TTY.
    fn tty(&self) -> Option<String>;
    /// PAM_RHOST.
    fn address(&self) -> Option<String>;
    /// SSH_AUTH_INFO_0 of PAM's environment.
    fn auth_info(&mut self) -> Option<Vec<u8>>;
    /// Asks the person, without echo.
    ///
    /// # Errors
    /// When there is nobody to ask.
    fn ask(&mut self, prompt: &str) -> Result<Answer, NoAnswer>;
    /// Tells the person that it didn't work, if that is possible.
    fn tell(&mut self, line: &str);
    /// Writes to the system's log.
    fn log(&self, text: &str);
}

/// The person could not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAnswer;

/// What came back from a prompt.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// What was typed.
    Typed(SecretText),
    /// What sshd makes up for somebody whom it won't let in.
    MadeUp,
}

impl Answer {
    /// Reads a reply, which the caller wipes. sshd hides what was typed from
    /// PAM by junk of the same length (auth-pam.c, fake_password).
    #[must_use]
    pub fn read(reply: &[u8]) -> Self {
        let junk = b"\x08\n\r\x7fINCORRECT".iter().cycle();
        if !reply.is_empty() && reply.iter().zip(junk).all(|(is, made_up)| is == made_up) {
            return Self::MadeUp;
        }
        Self::Typed(SecretText::typed(reply))
    }
}

/// How a call ends.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The policy of the key asks for no code.
    Passed(String),
    /// The code was right, and is spent.
    Accepted(String),
    /// Nothing was ever enrolled here, and `nullok` was given.
    NotOurs(String),
    /// No.
    Refused(String),
    /// Nobody could decide, so: no.
    Undecided(String),
}

impl End {
    /// What PAM is told.
    #[must_use]
    pub fn code(&self) -> PamResultCode {
        match self {
            Self::Passed(_) | Self::Accepted(_) => PamResultCode::PAM_SUCCESS,
            Self::NotOurs(_) => PamResultCode::PAM_IGNORE,
            Self::Refused(_) => PamResultCode::PAM_AUTH_ERR,
            Self::Undecided(_) => PamResultCode::PAM_AUTHINFO_UNAVAIL,
        }
    }
}

/// What the log is told.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed(account) => write!(f, "{account}: let in without a code, by the policy of the key"),
            Self::Accepted(text) => f.write_str(text),
            Self::NotOurs(account) => write!(f, "{account}: nothing enrolled, left to other modules (nullok)"),
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::Undecided(why) => write!(f, "refused, could not decide: {why}"),
        }
    }
}

/// Authenticates one person, with at most one prompt.
pub fn authenticate(host: &mut impl Host, verifier: &dyn Verifier<LoginsOnly>, options: &Options) -> End {
    let mut call = Call { host, verifier, options };
    match call.run() {
        Break(end) | Continue(end) => end,
    }
}

struct Call<'a, H> {
    host: &'a mut H,
    verifier: &'a dyn Verifier<LoginsOnly>,
    options: &'a Options,
}

impl<H: Host> Call<'_, H> {
    fn run(&mut self) -> ControlFlow<End, End> {
        let login = self.login()?;
        let line = self.begin(&login)?;
        let code = self.code(&login.account, line)?;
        self.verify(login, code)
    }

    /// Who wants in, and what they have shown before.
    fn login(&mut self) -> ControlFlow<End, Login> {
        let Some(account) = self.host.user() else { return undecided("no user name that is text") };
        if account.parse::<Account>().is_err() {
            return Break(End::Refused("not an account name".to_owned()));
        }
        let Some(service) = self.host.service().and_then(item) else { return undecided("no PAM service name") };
        let tty = self.host.tty().and_then(item);
        let auth_info = self.host.auth_info();
        let under_sshd = service == "sshd" || tty.as_deref() == Some("ssh") || auth_info.is_some();
        let keys = match auth_info::keys(&auth_info.unwrap_or_default()) {
            Ok(keys) => keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
            Err(error) => return undecided(&format!("{account}: {error}")),
        };
        let address = self.host.address().and_then(item);
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "nowhere".to_owned());
        let (terminal, from) = (or_none(&tty), or_none(&address));
        self.debug(&format!("{account}: service {service}, tty {terminal}, from {from}, keys {}", keys.join(" ")));
        if keys.is_empty() && self.needs_key(under_sshd) {
            let why = "no publickey in SSH_AUTH_INFO_0; in sshd_config set AuthenticationMethods publickey,keyboard-interactive";
            return Break(End::Refused(format!("{account}: {why}")));
        }
        Continue(Login { account, keys, service, address, connection: None, tty, terms: Terms::default() })
    }

    fn needs_key(&self, under_sshd: bool) -> bool {
        match self.options.require_publickey {
            Require::Auto => under_sshd,
            Require::Yes => true,
            Require::No => false,
        }
    }

    /// Whether a code is needed, and what to say before asking for it. Who is
    /// unknown or locked out is asked all the same, so that nobody can tell.
    fn begin(&self, login: &Login) -> ControlFlow<End, Option<String>> {
        let request = request(Ask::Begin(login.clone()))?;
        let account = &login.account;
        match self.ask(account, &request) {
            Ok(Outcome::Pass {}) => Break(End::Passed(account.clone())),
            Ok(Outcome::Absent { .. }) if self.options.nullok => Break(End::NotOurs(account.clone())),
            Ok(Outcome::Ask { line, .. }) => Continue(line),
            Ok(Outcome::Absent { .. } | Outcome::Refused { .. }) => Continue(None),
            other => unusable(account, other),
        }
    }

    fn code(&mut self, account: &str, line: Option<String>) -> ControlFlow<End, SecretText> {
        let prompt = match line.as_deref().map(for_people) {
            Some(line) if !line.is_empty() => format!("{line}\n{PROMPT}"),
            _ => PROMPT.to_owned(),
        };
        match self.host.ask(&prompt) {
            Ok(Answer::Typed(code)) => Continue(code),
            Ok(Answer::MadeUp) => {
                let why = "sshd itself forbids this login (no such user, PermitRootLogin, AllowUsers or DenyUsers) \
                           and hid what was typed";
                Break(End::Refused(format!("{account}: {why}")))
            }
            Err(NoAnswer) => undecided(&format!("{account}: no answer at the prompt")),
        }
    }

    fn verify(&mut self, login: Login, code: SecretText) -> ControlFlow<End, End> {
        let account = login.account.clone();
        let request = request(Ask::Verify(Verify { login, code, credential: None }))?;
        match self.ask(&account, &request) {
            Ok(Outcome::Accepted { label, scratch_left, .. }) => {
                Continue(End::Accepted(accepted(&account, label.as_deref(), scratch_left)))
            }
            Ok(Outcome::Refused { reason, line }) => {
                self.host.tell(&for_people(&line));
                Continue(End::Refused(format!("{account}: {reason}")))
            }
            other => unusable(&account, other),
        }
    }

    fn ask(&self, account: &str, request: &Request<LoginsOnly>) -> Result<Outcome<LoginsOnly>, Error> {
        let deadline = Instant::now() + DEADLINE;
        let outcome = self.verifier.ask(request, deadline).map(|reply| reply.outcome);
        self.debug(&format!("{account}: {}: {}", request.ask.verb(), answered(&outcome)));
        outcome
    }

    fn debug(&self, text: &str) {
        if self.options.debug {
            self.host.log(text);
        }
    }
}

/// An answer, for whoever debugs a stack.
fn answered(answer: &Result<Outcome<LoginsOnly>, Error>) -> &'static str {
    match answer {
        Ok(Outcome::Pass {}) => "no code needed",
        Ok(Outcome::Ask { .. }) => "ask",
        Ok(Outcome::Absent { .. }) => "nothing enrolled",
        Ok(Outcome::Accepted { .. }) => "accepted",
        Ok(Outcome::Refused { .. }) => "refused",
        Ok(_) => "not decided",
        Err(_) => "no answer",
    }
}

fn request(ask: Ask<LoginsOnly>) -> ControlFlow<End, Request<LoginsOnly>> {
    match Request::new(ask) {
        Ok(request) => Continue(request),
        Err(error) => undecided(&format!("no random numbers: {error}")),
    }
}

fn undecided<T>(why: &str) -> ControlFlow<End, T> {
    Break(End::Undecided(why.to_owned()))
}

/// Ends the call after an answer that lets nobody in.
fn unusable<T>(account: &str, answer: Result<Outcome<LoginsOnly>, Error>) -> ControlFlow<End, T> {
    let why = match answer {
        Ok(Outcome::Undecided(line) | Outcome::Denied(line) | Outcome::Invalid(line)) => for_people(&line),
        Ok(_) => "the verifier's answer does not fit the question".to_owned(),
        Err(error) => error.to_string(),
    };
    undecided(&format!("{account}: {why}"))
}

fn accepted(account: &str, label: Option<&str>, scratch_left: Option<usize>) -> String {
    match (label, scratch_left) {
        (_, Some(left)) => format!("{account}: accepted a scratch code, {left} left"),
        (Some(label), None) => format!("{account}: accepted a code of {}", for_people(label)),
        (None, None) => format!("{account}: accepted a code"),
    }
}

/// One harmless line out of the verifier's text.
fn for_people(line: &str) -> String {
    syslog::escape(line).chars().take(MAX_LINE).collect()
}

/// A PAM item that may be passed on; none where it is no ordinary name.
fn item(text: String) -> Option<String> {
    let ordinary = (1..=MAX_ITEM).contains(&text.len()) && !text.chars().any(char::is_control);
    ordinary.then_some(text)
}

#[cfg(test)]
mod tests;
