//! The flow against a scripted host and a scripted verifier.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;

use otp_wire::Reply;
use otp_wire::message::{Reason, Terms, VERSION};

use pam::constants::PamResultCode;

use super::*;
use crate::options::Require;

mod passwords;
mod told;

const KEY: &str = include_str!("../../tests/keys/ed25519.pub");
const FINGERPRINT: &str = include_str!("../../tests/keys/ed25519.fingerprint");
const CODE: &str = "73051948";

struct FakeHost {
    user: Option<String>,
    service: Option<String>,
    tty: Option<String>,
    address: Option<String>,
    auth_info: Option<Vec<u8>>,
    reply: Option<Vec<u8>>,
    authtok: Option<Vec<u8>>,
    forwarded: Option<Vec<u8>>,
    takes_authtok: bool,
    silent: bool,
    refused: usize,
    delays: Vec<u32>,
    styles: Vec<PamMessageStyle>,
    prompts: Vec<String>,
    told: Vec<String>,
    logged: RefCell<Vec<String>>,
}

impl Default for FakeHost {
    fn default() -> Self {
        Self {
            user: Some("alice".into()),
            service: Some("su".into()),
            tty: None,
            address: None,
            auth_info: None,
            reply: Some(CODE.into()),
            authtok: None,
            forwarded: None,
            takes_authtok: true,
            silent: false,
            refused: 0,
            delays: vec![],
            styles: vec![],
            prompts: vec![],
            told: vec![],
            logged: RefCell::default(),
        }
    }
}

impl FakeHost {
    fn sshd() -> Self {
        let info = format!("publickey {KEY}").into_bytes();
        Self { service: Some("sshd".into()), tty: Some("ssh".into()), auth_info: Some(info), ..Self::default() }
    }
}

impl Host for FakeHost {
    fn user(&mut self) -> Option<String> {
        self.user.clone()
    }
    fn service(&self) -> Option<String> {
        self.service.clone()
    }
    fn tty(&self) -> Option<String> {
        self.tty.clone()
    }
    fn address(&self) -> Option<String> {
        self.address.clone()
    }
    fn auth_info(&mut self) -> Option<Vec<u8>> {
        self.auth_info.clone()
    }
    fn password(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.authtok.clone().map(Zeroizing::new)
    }
    fn forward(&mut self, password: &[u8]) -> bool {
        self.forwarded = Some(password.to_vec());
        self.takes_authtok
    }
    fn is_silent(&self) -> bool {
        self.silent
    }
    fn ask(&mut self, style: PamMessageStyle, prompt: &str) -> Result<Zeroizing<Vec<u8>>, NoAnswer> {
        self.styles.push(style);
        self.prompts.push(prompt.to_owned());
        self.reply.clone().map(Zeroizing::new).ok_or(NoAnswer)
    }
    fn tell(&mut self, style: PamMessageStyle, line: &str) {
        self.told.push(format!("{style} {line}"));
    }
    fn delay(&mut self, microseconds: u32) {
        self.delays.push(microseconds);
    }
    fn refused_before(&mut self) -> usize {
        self.refused += 1;
        self.refused - 1
    }
    fn log(&self, text: &str) {
        self.logged.borrow_mut().push(text.to_owned());
    }
}

struct Asked {
    verb: &'static str,
    id: String,
    login: Login,
    code: Option<String>,
}

/// Answers in turn; remembers what was asked.
#[derive(Default)]
struct FakeVerifier {
    answers: RefCell<VecDeque<Result<Outcome<LoginsOnly>, Error>>>,
    asked: RefCell<Vec<Asked>>,
}

impl FakeVerifier {
    fn new(answers: impl IntoIterator<Item = Result<Outcome<LoginsOnly>, Error>>) -> Self {
        Self { answers: RefCell::new(answers.into_iter().collect()), ..Self::default() }
    }

    fn verbs(&self) -> Vec<&'static str> {
        self.asked.borrow().iter().map(|asked| asked.verb).collect()
    }
}

impl Verifier<LoginsOnly> for FakeVerifier {
    fn ask(&self, request: &Request<LoginsOnly>, deadline: Instant) -> Result<Reply<LoginsOnly>, Error> {
        assert!(deadline <= Instant::now() + DEADLINE);
        let (login, code) = match &request.ask {
            Ask::Begin(login) => (login, None),
            Ask::Verify(verify) => (&verify.login, Some(verify.code.expose().to_owned())),
            _ => panic!("asked for something else"),
        };
        let id = request.id.digits().unwrap().to_owned();
        let asked = Asked { verb: request.ask.verb(), id, login: login.clone(), code };
        self.asked.borrow_mut().push(asked);
        let outcome = self.answers.borrow_mut().pop_front().expect("asked more often than expected")?;
        Ok(Reply { v: VERSION, id: request.id.clone(), outcome })
    }
}

fn ask(line: Option<&str>) -> Outcome<LoginsOnly> {
    Outcome::Ask { label: Some("phone".into()), line: line.map(str::to_owned) }
}

fn accepted() -> Outcome<LoginsOnly> {
    Outcome::Accepted {
        credential: Some("k3f7q2mz".into()),
        label: Some("phone".into()),
        scratch_left: None,
        digits: None,
    }
}

fn refused() -> Outcome<LoginsOnly> {
    Outcome::Refused { reason: Reason::Wrong, line: "That code is wrong.".into() }
}

/// Every kind of answer, in the same order each time; transport errors too.
fn answers() -> Vec<Result<Outcome<LoginsOnly>, Error>> {
    let text = || "text".to_owned();
    vec![
        Ok(Outcome::Pass {}),
        Ok(ask(None)),
        Ok(Outcome::Absent { now: 0 }),
        Ok(accepted()),
        Ok(refused()),
        Ok(Outcome::Denied(text())),
        Ok(Outcome::Invalid(text())),
        Ok(Outcome::Undecided(text())),
        Err(Error::Absent(text(), io::ErrorKind::NotFound.into())),
        Err(Error::Impostor(65534)),
        Err(Error::Late),
        Err(Error::Garbage("text")),
    ]
}

/// What PAM is told for the answers of `begin` and `verify`, by the place in [`answers`].
fn expected(begin: usize, verify: usize, nullok: bool) -> (PamResultCode, usize) {
    match (begin, verify) {
        (0, _) => (PamResultCode::PAM_SUCCESS, 0),
        (2, _) if nullok => (PamResultCode::PAM_IGNORE, 0),
        (1 | 2 | 4, 3) => (PamResultCode::PAM_SUCCESS, 1),
        (1 | 2 | 4, 4) => (PamResultCode::PAM_AUTH_ERR, 1),
        (1 | 2 | 4, _) => (PamResultCode::PAM_AUTHINFO_UNAVAIL, 1),
        _ => (PamResultCode::PAM_AUTHINFO_UNAVAIL, 0),
    }
}

#[test]
fn every_answer_to_begin_and_to_verify() {
    let count = answers().len();
    for (begin, verify, nullok) in
        (0..count).flat_map(|begin| (0..count).flat_map(move |verify| [(begin, verify, false), (begin, verify, true)]))
    {
        let pick = |place: usize| answers().swap_remove(place);
        let script = format!("{:?} then {:?}, nullok {nullok}", pick(begin), pick(verify));
        let verifier = FakeVerifier::new([pick(begin), pick(verify)]);
        let mut host = FakeHost::default();
        let end = authenticate(
            &mut host,
            &verifier,
            &Options { nullok: if nullok { Nullok::On } else { Nullok::Off }, ..Options::default() },
        );
        assert_eq!((end.code(), host.prompts.len()), expected(begin, verify, nullok), "{script}: {end}");
        assert!(host.prompts.iter().all(|prompt| prompt == PROMPT), "{script}");
        assert_eq!(host.told.len(), usize::from(verify == 4 && host.prompts.len() == 1), "{script}");
    }
}

#[test]
fn only_success_is_success() {
    let text = String::new;
    let ends = [
        (End::Passed(text()), PamResultCode::PAM_SUCCESS),
        (End::Accepted(text()), PamResultCode::PAM_SUCCESS),
        (End::NotOurs(text()), PamResultCode::PAM_IGNORE),
        (End::Refused(text()), PamResultCode::PAM_AUTH_ERR),
        (End::LastTry(text()), PamResultCode::PAM_MAXTRIES),
        (End::Undecided(text()), PamResultCode::PAM_AUTHINFO_UNAVAIL),
    ];
    for (end, code) in ends {
        assert_eq!(end.code(), code);
    }
}

#[test]
fn the_verifier_is_told_who_asks() {
    let verifier = FakeVerifier::new([Ok(ask(None)), Ok(accepted())]);
    let mut host = FakeHost { address: Some("192.0.2.7".into()), ..FakeHost::sshd() };
    let end = authenticate(&mut host, &verifier, &Options::default());
    assert_eq!(end.to_string(), "alice: accepted a code of phone");
    let asked = verifier.asked.borrow();
    assert_eq!(asked[0].login, asked[1].login);
    assert_ne!(asked[0].id, asked[1].id, "another request has another id");
    let expected = Login {
        account: "alice".into(),
        keys: vec![FINGERPRINT.trim().into()],
        service: "sshd".into(),
        address: Some("192.0.2.7".into()),
        connection: None,
        tty: Some("ssh".into()),
        terms: Terms::default(),
    };
    assert_eq!(asked[0].login, expected);
    assert_eq!(asked[1].code.as_deref(), Some(CODE));
}

#[test]
fn under_sshd_a_key_is_demanded() {
    let sshd = FakeHost::sshd;
    let by_name = || FakeHost { service: Some("sshd".into()), ..FakeHost::default() };
    let by_tty = || FakeHost { tty: Some("ssh".into()), ..FakeHost::default() };
    let by_info = || FakeHost { auth_info: Some(b"password\n".to_vec()), ..FakeHost::default() };
    let empty = || FakeHost { auth_info: Some(vec![]), ..FakeHost::sshd() };
    let elsewhere = FakeHost::default;
    for (case, host, require_publickey, asks) in [
        (0, sshd(), Require::Auto, true),
        (1, sshd(), Require::Yes, true),
        (2, sshd(), Require::No, true),
        (3, by_name(), Require::Auto, false),
        (4, by_tty(), Require::Auto, false),
        (5, by_info(), Require::Auto, false),
        (6, empty(), Require::Auto, false),
        (7, by_name(), Require::No, true),
        (8, by_info(), Require::No, true),
        (9, elsewhere(), Require::Auto, true),
        (10, elsewhere(), Require::No, true),
        (11, elsewhere(), Require::Yes, false),
    ] {
        let mut host = host;
        let script = if asks { vec![Ok(ask(None)), Ok(accepted())] } else { vec![] };
        let verifier = FakeVerifier::new(script);
        let end = authenticate(&mut host, &verifier, &Options { require_publickey, ..Options::default() });
        let code = if asks { PamResultCode::PAM_SUCCESS } else { PamResultCode::PAM_AUTH_ERR };
        assert_eq!(end.code(), code, "case {case}: {end}");
        assert_eq!(host.prompts.len(), usize::from(asks), "case {case}");
        assert!(asks || end.to_string().contains("AuthenticationMethods publickey,keyboard-interactive"), "{end}");
    }
}

#[test]
fn keys_that_cannot_be_read_end_the_call() {
    for require_publickey in [Require::Auto, Require::No] {
        let mut host = FakeHost { auth_info: Some(b"publickey ssh-ed25519 AAAA\n".to_vec()), ..FakeHost::sshd() };
        let end =
            authenticate(&mut host, &FakeVerifier::default(), &Options { require_publickey, ..Options::default() });
        assert_eq!(end.code(), PamResultCode::PAM_AUTHINFO_UNAVAIL, "{end}");
        assert!(host.prompts.is_empty());
    }
}

#[test]
fn names_that_nobody_has_reach_no_verifier() {
    let long = "a".repeat(10_240);
    for user in ["", "a/b", "../etc", "..", "a\nb", "-rf", "a:b", "a\u{1b}[2J", &long] {
        let mut host = FakeHost { user: Some(user.into()), ..FakeHost::default() };
        let end =
            authenticate(&mut host, &FakeVerifier::default(), &Options { nullok: Nullok::On, ..Options::default() });
        assert_eq!(end.code(), PamResultCode::PAM_AUTH_ERR, "{user:?}");
        assert!(host.prompts.is_empty());
    }
    for host in [FakeHost { user: None, ..FakeHost::default() }, FakeHost { service: None, ..FakeHost::default() }] {
        let mut host = host;
        let end =
            authenticate(&mut host, &FakeVerifier::default(), &Options { nullok: Nullok::On, ..Options::default() });
        assert_eq!(end.code(), PamResultCode::PAM_AUTHINFO_UNAVAIL);
    }
}

#[test]
fn items_that_are_no_names_are_left_out() {
    let verifier = FakeVerifier::new([Ok(ask(None)), Ok(accepted())]);
    let mut host = FakeHost { address: Some("a\nb".into()), tty: Some("x".repeat(10_240)), ..FakeHost::default() };
    let _ = authenticate(&mut host, &verifier, &Options::default());
    assert_eq!((&verifier.asked.borrow()[0].login.address, &verifier.asked.borrow()[0].login.tty), (&None, &None));
}

#[test]
fn a_line_before_the_prompt_is_one_harmless_line() {
    let line = format!("Locked.\nRoot password:\u{1b}[8m{}", "x".repeat(10_000));
    let verifier = FakeVerifier::new([Ok(ask(Some(&line))), Ok(refused())]);
    let mut host = FakeHost::default();
    let _ = authenticate(&mut host, &verifier, &Options::default());
    let (before, prompt) = host.prompts[0].split_once('\n').unwrap();
    assert_eq!(prompt, PROMPT);
    assert!(before.starts_with("Locked.\\u{a}Root") && before.len() <= MAX_LINE, "{before}");
    assert!(host.prompts[0].len() < 512, "PAM_MAX_MSG_SIZE");
}

#[test]
fn the_junk_of_sshd_is_no_code() {
    let junk: Vec<u8> = b"\x08\n\r\x7fINCORRECT".iter().copied().cycle().take(40).collect();
    for length in [1, 6, 8, 13, 14, 40] {
        let verifier = FakeVerifier::new([Ok(ask(None))]);
        let mut host = FakeHost { reply: Some(junk[..length].to_vec()), ..FakeHost::sshd() };
        let end = authenticate(&mut host, &verifier, &Options::default());
        assert_eq!(end.code(), PamResultCode::PAM_AUTH_ERR, "{end}");
        assert!(end.to_string().contains("PermitRootLogin"), "{end}");
        assert_eq!(verifier.verbs(), ["begin"], "it is not sent");
        assert!(host.delays == [DELAY] && host.told.is_empty(), "it takes as long as a wrong code");
    }
}

#[test]
fn nobody_to_ask_is_undecided() {
    let verifier = FakeVerifier::new([Ok(ask(None))]);
    let mut host = FakeHost { reply: None, ..FakeHost::default() };
    let end = authenticate(&mut host, &verifier, &Options::default());
    assert_eq!(end.code(), PamResultCode::PAM_AUTHINFO_UNAVAIL);
    assert_eq!(verifier.verbs(), ["begin"]);
}

#[test]
fn the_log_never_has_a_code() {
    for verdict in [accepted(), refused(), Outcome::Pass {}] {
        let verifier = FakeVerifier::new([Ok(ask(None)), Ok(verdict)]);
        let mut host = FakeHost::sshd();
        let end = authenticate(&mut host, &verifier, &Options { debug: true, ..Options::default() });
        let log = format!("{:?} {end} {end:?}", host.logged);
        assert_eq!(host.logged.borrow().len(), 3, "who, begin, verify");
        assert!(!log.contains(CODE), "{log}");
    }
}
