//! The flow of one authentication, from the user's name to the end.

use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Instant;

use otp_wire::message::Terms;
use otp_wire::{Ask, DEADLINE, Error, Login, LoginsOnly, Outcome, Request, SecretText, Verifier, Verify, syslog};
use pam::constants::{PAM_ERROR_MSG, PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON, PAM_TEXT_INFO, PamMessageStyle};
use zeroize::Zeroizing;

use crate::answer::{code_begins, is_made_up};
use crate::end::End;
use crate::host::{Host, NoAnswer};
use crate::login;
use crate::options::{FirstPass, Nullok, Options};

/// What everybody is asked.
pub const PROMPT: &str = "Verification code: ";
/// What everybody is asked where the password is forwarded.
pub const BOTH_PROMPT: &str = "Password & verification code: ";
/// The same, where no code is needed.
pub const PASSWORD_PROMPT: &str = "Password: ";
/// The longest line in characters that a verifier may show to people.
const MAX_LINE: usize = 200;
/// A refusal is told after about so many microseconds, unless `nodelay` says otherwise.
const DELAY: u32 = 1_000_000;
/// A program that was refused so often by one PAM handle is told to give up.
const MAX_TRIES: usize = 3;
const DAY: u64 = 86_400;

/// Authenticates one person, with at most one prompt.
pub fn authenticate(host: &mut impl Host, verifier: &dyn Verifier<LoginsOnly>, options: &Options) -> End {
    let mut call = Call { host, verifier, options };
    let (Break(end) | Continue(end)) = call.run();
    match end {
        End::Refused(why) if host.refused_before() + 1 >= MAX_TRIES => End::LastTry(why),
        end => end,
    }
}

struct Call<'a, H> {
    host: &'a mut H,
    verifier: &'a dyn Verifier<LoginsOnly>,
    options: &'a Options,
}

/// What `begin` led to.
enum Begun {
    /// A code is needed; the line is to be said before asking.
    Ask(Option<String>),
    /// None is needed; the line is to be told.
    Open(End, Option<String>),
}

/// The code was refused: why, and what to tell the person.
struct Wrong {
    why: String,
    line: String,
}

impl<H: Host> Call<'_, H> {
    fn run(&mut self) -> ControlFlow<End, End> {
        let login = login::of(self.host, self.options)?;
        let line = match self.begin(&login)? {
            Begun::Ask(line) => line,
            Begun::Open(end, notice) => return self.without_code(&login.account, end, notice),
        };
        self.first_pass(&login)?;
        let forward = self.options.forward_pass;
        let usual = if forward { BOTH_PROMPT } else { PROMPT };
        let typed = self.prompt(&login.account, line, self.options.prompt.as_deref().unwrap_or(usual))?;
        match self.judge(&login, &typed, forward)? {
            Ok(end) => Continue(end),
            Err(wrong) => self.refuse(wrong),
        }
    }

    /// Whether a code is needed, and what to say before asking for it. Who is
    /// unknown or locked out is asked all the same, so that nobody can tell.
    fn begin(&self, login: &Login) -> ControlFlow<End, Begun> {
        let request = request(Ask::Begin(login.clone()))?;
        let account = &login.account;
        match self.ask(account, &request) {
            Ok(Outcome::Pass {}) => Continue(Begun::Open(End::Passed(account.clone()), None)),
            Ok(Outcome::Absent { now }) => Continue(self.absent(account, now)),
            Ok(Outcome::Ask { line, .. }) => Continue(Begun::Ask(line)),
            Ok(Outcome::Refused { .. }) => Continue(Begun::Ask(None)),
            other => unusable(account, other),
        }
    }

    /// Nothing was ever enrolled; it is `now` by the verifier's clock.
    fn absent(&self, account: &str, now: u64) -> Begun {
        let notice = match self.options.nullok {
            Nullok::Off => return Begun::Ask(None),
            Nullok::On => None,
            Nullok::Until(last) => match last.checked_sub(now / DAY) {
                Some(days) => Some(format!("Set up a second factor. Days left without one: {days}")),
                None => {
                    self.host.log("nullok_until= has passed");
                    return Begun::Ask(None);
                }
            },
        };
        Begun::Open(End::NotOurs(account.to_owned()), notice)
    }

    /// Where the password is forwarded it is asked for here, code or not: the
    /// next module relies on it.
    fn without_code(&mut self, account: &str, end: End, notice: Option<String>) -> ControlFlow<End, End> {
        let there = match self.options.first_pass {
            FirstPass::Ask => false,
            FirstPass::Try => self.host.password().is_some(),
            FirstPass::Use => true,
        };
        if self.options.forward_pass && !there {
            let typed = self.prompt(account, notice, PASSWORD_PROMPT)?;
            self.forward(account, &typed)?;
        } else if let Some(notice) = notice {
            self.tell(PAM_TEXT_INFO, &notice);
        }
        Continue(end)
    }

    /// Tries the code that stands in PAM_AUTHTOK. Goes on where the person is
    /// to be asked. A password without a code behind it is not sent.
    fn first_pass(&mut self, login: &Login) -> ControlFlow<End> {
        if self.options.first_pass == FirstPass::Ask {
            return Continue(());
        }
        let (account, ask) = (&login.account, self.options.first_pass == FirstPass::Try);
        let Some(typed) = self.host.password() else {
            let why = "nothing in PAM_AUTHTOK, and use_first_pass never asks";
            return if ask { Continue(()) } else { Break(End::Refused(format!("{account}: {why}"))) };
        };
        if ask && code_begins(&typed) == typed.len() {
            return Continue(());
        }
        match self.judge(login, &typed, true)? {
            Ok(end) => Break(end),
            Err(_) if ask => Continue(()),
            Err(wrong) => self.refuse(wrong),
        }
    }

    /// Asks the person, after `line` where there is one.
    fn prompt(&mut self, account: &str, line: Option<String>, prompt: &str) -> ControlFlow<End, Zeroizing<Vec<u8>>> {
        let line = line.as_deref().map(for_people).filter(|line| !line.is_empty() && !self.host.is_silent());
        let text = line.map_or_else(String::new, |line| line + "\n") + prompt;
        let style = if self.options.echo { PAM_PROMPT_ECHO_ON } else { PAM_PROMPT_ECHO_OFF };
        match self.host.ask(style, &text) {
            Ok(typed) => Continue(typed),
            Err(NoAnswer) => undecided(&format!("{account}: no answer at the prompt")),
        }
    }

    /// Has what was typed judged; `behind_password`: only its end is the code.
    fn judge(&mut self, login: &Login, typed: &[u8], behind_password: bool) -> ControlFlow<End, Result<End, Wrong>> {
        let account = &login.account;
        if is_made_up(typed) {
            let why = "sshd itself forbids this login (no such user, PermitRootLogin, AllowUsers or DenyUsers) \
                       and hid what was typed";
            // A wrong code takes as long.
            self.delay();
            return Break(End::Refused(format!("{account}: {why}")));
        }
        let code = typed.get(if behind_password { code_begins(typed) } else { 0 }..).unwrap_or_default();
        let login = Login { terms: Terms { behind_password, ..login.terms.clone() }, ..login.clone() };
        let verify = Verify { login, code: SecretText::typed(code), credential: None };
        match self.ask(account, &request(Ask::Verify(verify))?) {
            Ok(Outcome::Accepted { label, scratch_left, digits, .. }) => {
                let used = digits.map_or(code.len(), usize::from);
                let Some(password) = typed.len().checked_sub(used).and_then(|end| typed.get(..end)) else {
                    return undecided("more digits were accepted than typed");
                };
                if self.options.forward_pass {
                    self.forward(account, password)?;
                }
                if let Some(left) = scratch_left {
                    self.tell(PAM_TEXT_INFO, &format!("Scratch codes left: {left}"));
                }
                Continue(Ok(End::Accepted(accepted(account, label.as_deref(), scratch_left))))
            }
            Ok(Outcome::Refused { reason, line }) => {
                Continue(Err(Wrong { why: format!("{account}: {reason}"), line: for_people(&line) }))
            }
            other => unusable(account, other),
        }
    }

    fn refuse<T>(&mut self, wrong: Wrong) -> ControlFlow<End, T> {
        self.tell(PAM_ERROR_MSG, &wrong.line);
        self.delay();
        Break(End::Refused(wrong.why))
    }

    fn delay(&mut self) {
        if !self.options.nodelay {
            self.host.delay(DELAY);
        }
    }

    fn forward(&mut self, account: &str, password: &[u8]) -> ControlFlow<End> {
        match self.host.forward(password) {
            true => Continue(()),
            false => undecided(&format!("{account}: PAM took no password")),
        }
    }

    fn tell(&mut self, style: PamMessageStyle, line: &str) {
        // Who has proven nothing is told nothing.
        if !line.is_empty() && !self.host.is_silent() {
            self.host.tell(style, line);
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

pub(crate) fn undecided<T>(why: &str) -> ControlFlow<End, T> {
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

#[cfg(test)]
mod tests;
