//! The gate: `begin` says whether to ask, `verify` spends, and everything but
//! "accepted" or "no code needed" keeps it shut.

use std::time::{Duration, Instant};

use otp_core::Label;
use otp_wire::message::Reason;
use otp_wire::{Ask, DEADLINE, Error, Login, LoginsOnly, NO_TERMINAL, Outcome, Request, SecretText, Verifier, Verify};

/// So often may a code be typed in one session.
pub const TRIES: u32 = 3;
/// How long somebody may take to type, over all tries.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What to add where a code was used already.
const SPARED: &str = "(One code is enough for all sessions of a ControlMaster connection.)";
/// What to say when nobody ever enrolled anything for the account.
const NOTHING_ENROLLED: &str = "oathgate: nothing is enrolled for this account; ask your administrator";
/// What to say when it can't be decided; why is for the log.
const NEUTRAL: &str = "oathgate: cannot check codes right now; ask your administrator";

/// The person at the other end.
pub trait Terminal {
    /// Shows a line.
    fn tell(&mut self, line: &str);
    /// Asks for a code, without echo.
    fn ask(&mut self, prompt: &str, deadline: Instant) -> Typed;
}

/// What came of asking.
#[derive(Debug)]
pub enum Typed {
    /// This was typed.
    Code(SecretText),
    /// The person gave up.
    Cancelled,
    /// Nothing was typed in time.
    Late,
    /// There is nowhere to ask.
    NoTerminal,
}

/// The gate is open.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct Open {
    /// To tell before the command starts.
    pub notice: Option<String>,
}

/// The gate stays shut.
#[derive(Debug, PartialEq, Eq)]
pub struct Shut {
    /// For the person.
    pub line: String,
    /// For the log, where the verifier has not written it already.
    pub log: Option<String>,
}

impl Shut {
    /// Shut with a line for the person.
    pub fn saying(line: impl Into<String>) -> Self {
        Self { line: line.into(), log: None }
    }

    /// Shut because it can't be decided; `why` is for the log only.
    pub fn undecided(why: impl ToString) -> Self {
        Self { line: NEUTRAL.to_owned(), log: Some(why.to_string()) }
    }
}

/// Asks the verifier, and the person where that is needed. `given` is a code
/// that came with the login; it is tried first, once.
///
/// # Errors
/// [`Shut`] for whatever isn't a plain yes.
pub fn pass(
    login: &Login,
    given: Option<SecretText>,
    verifier: &dyn Verifier<LoginsOnly>,
    terminal: &mut dyn Terminal,
) -> Result<Open, Shut> {
    let (label, line) = match answer(verifier, Ask::Begin(login.clone())) {
        Answer::Open(open) => return Ok(open),
        Answer::Needed { label, line } => (label, line),
        Answer::Refused(line) => return Err(Shut::saying(line)),
        Answer::Unusable(why) => return Err(Shut::undecided(why)),
    };
    let mut desk = Desk { login, verifier, terminal };
    let refused = match given {
        Some(code) => match desk.try_code(code)? {
            Tried::Open(open) => return Ok(open),
            Tried::Refused(line) => Some(line),
        },
        None => line,
    };
    desk.ask(label.as_deref(), refused)
}

/// Where codes are handed in.
struct Desk<'a> {
    login: &'a Login,
    verifier: &'a dyn Verifier<LoginsOnly>,
    terminal: &'a mut dyn Terminal,
}

enum Tried {
    Open(Open),
    Refused(String),
}

impl Desk<'_> {
    /// Asks until a code is accepted or nothing is left to try. `before` is
    /// what there is to say first.
    fn ask(&mut self, label: Option<&str>, mut before: Option<String>) -> Result<Open, Shut> {
        let deadline = Instant::now() + PATIENCE;
        let prompt = prompt(label);
        for _ in 0..TRIES {
            let shown = before.as_deref().map_or_else(|| prompt.clone(), |line| format!("{line}\n{prompt}"));
            let code = match self.terminal.ask(&shown, deadline) {
                Typed::Code(code) => code,
                Typed::Cancelled => return Err(Shut::saying("oathgate: no code was given")),
                Typed::Late => return Err(Shut::saying("oathgate: no code was given in time")),
                Typed::NoTerminal => return Err(Shut::saying(before.unwrap_or_else(|| NO_TERMINAL.to_owned()))),
            };
            match self.try_code(code)? {
                Tried::Open(open) => return Ok(open),
                Tried::Refused(line) => before = Some(line),
            }
        }
        Err(Shut::saying(before.unwrap_or_default()))
    }

    fn try_code(&mut self, code: SecretText) -> Result<Tried, Shut> {
        let verify = Verify { login: self.login.clone(), code, credential: None };
        match answer(self.verifier, Ask::Verify(verify)) {
            Answer::Open(open) => Ok(Tried::Open(open)),
            Answer::Refused(line) => Ok(Tried::Refused(line)),
            Answer::Needed { .. } => Err(Shut::undecided("the verifier answered another question")),
            Answer::Unusable(why) => Err(Shut::undecided(why)),
        }
    }
}

fn prompt(label: Option<&str>) -> String {
    label.map_or_else(|| "Code: ".to_owned(), |label| format!("Code ({label}): "))
}

/// What an answer of the verifier means here.
enum Answer {
    Open(Open),
    Needed { label: Option<String>, line: Option<String> },
    Refused(String),
    Unusable(String),
}

fn answer(verifier: &dyn Verifier<LoginsOnly>, ask: Ask<LoginsOnly>) -> Answer {
    let begins = matches!(ask, Ask::Begin(_));
    let outcome = Request::new(ask)
        .map_err(Error::Broken)
        .and_then(|request| verifier.ask(&request, Instant::now() + DEADLINE))
        .map(|reply| reply.outcome);
    // The one place where an answer opens the gate: "no code needed" only
    // answers `begin`, "accepted" only answers `verify`.
    match (begins, outcome) {
        (true, Ok(Outcome::Pass {})) => Answer::Open(Open { notice: None }),
        (false, Ok(Outcome::Accepted { scratch_left, .. })) => {
            Answer::Open(Open { notice: scratch_left.map(left_over) })
        }
        (true, Ok(Outcome::Ask { label, line })) => {
            Answer::Needed { label: label.filter(|label| label.parse::<Label>().is_ok()), line }
        }
        (_, Ok(Outcome::Refused { reason: Reason::Replayed, line })) => Answer::Refused(format!("{line} {SPARED}")),
        (_, Ok(Outcome::Refused { line, .. })) => Answer::Refused(line),
        (true, Ok(Outcome::Absent { .. })) => Answer::Refused(NOTHING_ENROLLED.to_owned()),
        (_, Ok(Outcome::Denied(line) | Outcome::Invalid(line) | Outcome::Undecided(line))) => Answer::Unusable(line),
        (_, Ok(_)) => Answer::Unusable("the verifier answered another question".to_owned()),
        (_, Err(error)) => Answer::Unusable(error.to_string()),
    }
}

fn left_over(count: usize) -> String {
    match count {
        0 => "oathgate: that was the last scratch code; ask for new ones".to_owned(),
        1 => "oathgate: 1 scratch code left".to_owned(),
        count => format!("oathgate: {count} scratch codes left"),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use otp_wire::Reply;
    use otp_wire::message::VERSION;

    use super::*;

    /// Answers in order, and remembers what it was asked.
    struct Script(RefCell<VecDeque<Result<Outcome<LoginsOnly>, Error>>>, RefCell<Vec<String>>);

    impl Script {
        fn new(answers: Vec<Result<Outcome<LoginsOnly>, Error>>) -> Self {
            Self(RefCell::new(answers.into()), RefCell::default())
        }

        fn asked(&self) -> Vec<String> {
            assert!(self.0.borrow().is_empty(), "not everything was asked: {:?}", self.1.borrow());
            self.1.take()
        }
    }

    impl Verifier<LoginsOnly> for Script {
        fn ask(&self, request: &Request<LoginsOnly>, deadline: Instant) -> Result<Reply<LoginsOnly>, Error> {
            assert!(deadline <= Instant::now() + DEADLINE);
            self.1.borrow_mut().push(match &request.ask {
                Ask::Begin(login) => format!("begin {} {}", login.account, login.keys.join(" ")),
                Ask::Verify(verify) => format!("verify {}", verify.code.expose()),
                other => other.verb().to_owned(),
            });
            let outcome = self.0.borrow_mut().pop_front().unwrap()?;
            Ok(Reply { v: VERSION, id: request.id.clone(), outcome })
        }
    }

    /// A person who types these lines, and what was shown.
    #[derive(Default)]
    struct Person(VecDeque<Typed>, String);

    impl Terminal for Person {
        fn tell(&mut self, line: &str) {
            self.1.push_str(line);
        }

        fn ask(&mut self, prompt: &str, deadline: Instant) -> Typed {
            assert!(deadline <= Instant::now() + PATIENCE);
            self.1.push_str(prompt);
            self.0.pop_front().unwrap_or(Typed::NoTerminal)
        }
    }

    fn typing(lines: &[&str]) -> Person {
        Person(lines.iter().map(|line| Typed::Code(SecretText::typed(line.as_bytes()))).collect(), String::new())
    }

    fn code(text: &str) -> Option<SecretText> {
        Some(SecretText::typed(text.as_bytes()))
    }

    fn run(script: &Script, given: Option<SecretText>, person: &mut Person) -> Result<Open, Shut> {
        let login = Login { account: "alice".into(), keys: vec!["K".into()], ..Login::default() };
        pass(&login, given, script, person)
    }

    fn ask() -> Outcome<LoginsOnly> {
        Outcome::Ask { label: Some("phone".into()), line: None }
    }

    fn accepted() -> Outcome<LoginsOnly> {
        Outcome::Accepted { credential: None, label: None, scratch_left: None, digits: None }
    }

    fn refused(line: &str) -> Outcome<LoginsOnly> {
        Outcome::Refused { reason: Reason::Wrong, line: line.into() }
    }

    /// Every outcome and error that is neither Pass, Ask nor Accepted.
    fn refusals() -> Vec<Result<Outcome<LoginsOnly>, Error>> {
        let line = || "secret reason".to_owned();
        vec![
            Ok(Outcome::Denied(line())),
            Ok(Outcome::Invalid(line())),
            Ok(Outcome::Undecided(line())),
            Err(Error::Absent("x".into(), std::io::ErrorKind::NotFound.into())),
            Err(Error::Impostor(1000)),
            Err(Error::Late),
            Err(Error::Broken(std::io::ErrorKind::UnexpectedEof.into())),
            Err(Error::Garbage("x")),
        ]
    }

    #[test]
    fn what_does_not_answer_begin_keeps_the_gate_shut() {
        for answer in refusals().into_iter().chain([Ok(accepted())]) {
            let text = format!("{answer:?}");
            let shut = run(&Script::new(vec![answer]), code("123456"), &mut typing(&["123456"])).unwrap_err();
            assert_eq!(shut.line, NEUTRAL, "{text}");
            assert!(shut.log.is_some(), "{text}");
        }
    }

    #[test]
    fn what_does_not_answer_verify_keeps_the_gate_shut() {
        for answer in refusals().into_iter().chain([Ok(ask()), Ok(Outcome::Pass {})]) {
            let text = format!("{answer:?}");
            let script = Script::new(vec![Ok(ask()), answer]);
            let shut = run(&script, None, &mut typing(&["123456", "123456"])).unwrap_err();
            assert_eq!((shut.line.as_str(), script.asked().len()), (NEUTRAL, 2), "{text}");
        }
    }

    #[test]
    fn a_key_that_needs_no_code_is_asked_for_none() {
        let (script, mut person) = (Script::new(vec![Ok(Outcome::Pass {})]), typing(&["123456"]));
        assert_eq!(run(&script, code("1"), &mut person), Ok(Open { notice: None }));
        assert_eq!((script.asked(), person.1.as_str()), (vec!["begin alice K".into()], ""));
    }

    #[test]
    fn a_refusal_at_begin_is_told() {
        let script = Script::new(vec![Ok(refused("locked, ask your administrator"))]);
        assert_eq!(run(&script, code("1"), &mut typing(&["1"])), Err(Shut::saying("locked, ask your administrator")));
    }

    #[test]
    fn an_account_without_anything_is_told_so() {
        let shut = run(&Script::new(vec![Ok(Outcome::Absent { now: 0 })]), code("123456"), &mut typing(&["1"]));
        assert_eq!(shut, Err(Shut::saying(NOTHING_ENROLLED)));
    }

    #[test]
    fn three_tries() {
        let script = Script::new(vec![Ok(ask()), Ok(refused("no 1")), Ok(refused("no 2")), Ok(refused("no 3"))]);
        let mut person = typing(&["1", "2", "3", "4"]);
        assert_eq!(run(&script, None, &mut person), Err(Shut::saying("no 3")));
        assert_eq!(script.asked(), ["begin alice K", "verify 1", "verify 2", "verify 3"]);
        assert_eq!(person.1, "Code (phone): no 1\nCode (phone): no 2\nCode (phone): ");
    }

    #[test]
    fn the_third_try_counts() {
        let script = Script::new(vec![Ok(ask()), Ok(refused("no")), Ok(refused("no")), Ok(accepted())]);
        assert_eq!(run(&script, None, &mut typing(&["1", "2", "3"])), Ok(Open { notice: None }));
    }

    #[test]
    fn a_given_code_is_tried_once_and_first() {
        let script = Script::new(vec![Ok(ask()), Ok(accepted())]);
        let mut person = typing(&[]);
        assert!(run(&script, code("123456"), &mut person).is_ok());
        assert_eq!((script.asked(), person.1.as_str()), (vec!["begin alice K".into(), "verify 123456".into()], ""));

        let script = Script::new(vec![Ok(ask()), Ok(refused("already used")), Ok(accepted())]);
        let mut person = typing(&["654321"]);
        assert!(run(&script, code("123456"), &mut person).is_ok());
        assert_eq!(script.asked(), ["begin alice K", "verify 123456", "verify 654321"]);
        assert_eq!(person.1, "already used\nCode (phone): ");
    }

    #[test]
    fn without_a_terminal_it_is_said_what_helps() {
        let script = Script::new(vec![Ok(ask())]);
        assert_eq!(run(&script, None, &mut Person::default()), Err(Shut::saying(NO_TERMINAL)));
        let script = Script::new(vec![Ok(ask()), Ok(refused("already used"))]);
        assert_eq!(run(&script, code("1"), &mut Person::default()), Err(Shut::saying("already used")));
    }

    #[test]
    fn who_gives_up_is_refused() {
        for typed in [Typed::Cancelled, Typed::Late] {
            let script = Script::new(vec![Ok(ask())]);
            let shut = run(&script, None, &mut Person([typed].into(), String::new())).unwrap_err();
            assert!(shut.line.starts_with("oathgate: no code was given"), "{shut:?}");
        }
    }

    #[test]
    fn prompts_and_notices() {
        let odd = Outcome::Ask { label: Some("a\x1b[2J".into()), line: Some("only a scratch code now".into()) };
        let last = Outcome::Accepted { credential: None, label: None, scratch_left: Some(0), digits: None };
        let mut person = typing(&["ABCD"]);
        let open = run(&Script::new(vec![Ok(odd), Ok(last)]), None, &mut person).unwrap();
        assert_eq!(person.1, "only a scratch code now\nCode: ");
        assert!(open.notice.unwrap().contains("last scratch code"));
        assert_eq!(left_over(9), "oathgate: 9 scratch codes left");
    }
}
