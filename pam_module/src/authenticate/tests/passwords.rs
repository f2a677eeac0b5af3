//! Password and code in one answer, and PAM_AUTHTOK.

use super::*;

fn behind(digits: u8) -> Outcome<LoginsOnly> {
    Outcome::Accepted { credential: None, label: None, scratch_left: None, digits: Some(digits) }
}

fn scratch() -> Outcome<LoginsOnly> {
    Outcome::Accepted { credential: None, label: None, scratch_left: Some(9), digits: None }
}

struct Case {
    host: FakeHost,
    sent: Vec<Option<String>>,
    code: PamResultCode,
}

fn run(options: &Options, host: FakeHost, answers: Vec<Outcome<LoginsOnly>>) -> Case {
    let (mut host, verifier) = (host, FakeVerifier::new(answers.into_iter().map(Ok)));
    let code = authenticate(&mut host, &verifier, options).code();
    assert!(verifier.answers.borrow().is_empty(), "all was asked");
    let verify = |asked: &Asked| asked.verb == "verify";
    let sent = verifier.asked.borrow().iter().filter(|asked| verify(asked)).map(|asked| asked.code.clone()).collect();
    Case { host, sent, code }
}

fn typing(text: &str) -> FakeHost {
    FakeHost { reply: Some(text.into()), ..FakeHost::default() }
}

fn with_authtok(text: &str) -> FakeHost {
    FakeHost { authtok: Some(text.into()), ..FakeHost::default() }
}

fn sent(code: &str) -> Vec<Option<String>> {
    vec![Some(code.to_owned())]
}

fn forward() -> Options {
    Options { forward_pass: true, ..Options::default() }
}

#[test]
fn the_password_before_the_code_is_forwarded() {
    for (typed, code, verdict, password) in [
        ("secret123456", "123456", behind(6), "secret"),
        ("secret99123456", "99123456", behind(6), "secret99"),
        ("secret99123456", "99123456", behind(7), "secret9"),
        ("secret12345678", "12345678", scratch(), "secret"),
        ("s\"\\\u{fc} 123456", "123456", behind(6), "s\"\\\u{fc} "),
        ("secretABCD-EFGH-IJKL-2345", "ABCD-EFGH-IJKL-2345", scratch(), "secret"),
        ("123456", "123456", behind(6), ""),
    ] {
        let case = run(&forward(), typing(typed), vec![ask(None), verdict]);
        assert_eq!((case.code, case.sent), (PamResultCode::PAM_SUCCESS, sent(code)), "{typed}");
        assert_eq!(case.host.forwarded.as_deref(), Some(password.as_bytes()), "{typed}");
        assert_eq!(case.host.prompts, [BOTH_PROMPT]);
    }
}

#[test]
fn nothing_is_forwarded_after_a_refusal() {
    for (typed, code) in [("secret123456", "123456"), ("secret", ""), ("", "")] {
        let case = run(&forward(), typing(typed), vec![ask(None), refused()]);
        assert_eq!((case.code, case.sent), (PamResultCode::PAM_AUTH_ERR, sent(code)), "{typed}");
        assert_eq!(case.host.forwarded, None);
    }
}

#[test]
fn a_verifier_that_counts_wrongly_and_a_pam_that_takes_nothing_are_undecided() {
    let case = run(&forward(), typing("123456"), vec![ask(None), behind(7)]);
    assert_eq!((case.code, case.host.forwarded), (PamResultCode::PAM_AUTHINFO_UNAVAIL, None));
    let host = FakeHost { takes_authtok: false, ..typing("secret123456") };
    let case = run(&forward(), host, vec![ask(None), behind(6)]);
    assert_eq!(case.code, PamResultCode::PAM_AUTHINFO_UNAVAIL);
}

#[test]
fn where_no_code_is_needed_the_password_is_asked_for_and_forwarded_whole() {
    let absent = || Outcome::Absent { now: 0 };
    for (nullok, answer, code, prompt) in [
        (Nullok::Off, Outcome::Pass {}, PamResultCode::PAM_SUCCESS, PASSWORD_PROMPT.to_owned()),
        (Nullok::On, absent(), PamResultCode::PAM_IGNORE, PASSWORD_PROMPT.to_owned()),
        (
            Nullok::Until(3),
            absent(),
            PamResultCode::PAM_IGNORE,
            format!("Set up a second factor. Days left without one: 3\n{PASSWORD_PROMPT}"),
        ),
    ] {
        let case = run(&Options { nullok, ..forward() }, typing("secret123456"), vec![answer]);
        assert_eq!((case.code, case.host.prompts), (code, vec![prompt]));
        assert_eq!(case.host.forwarded.as_deref(), Some(b"secret123456".as_slice()));
        assert!(case.host.told.is_empty(), "it stands in the prompt");
    }
    let case = run(&Options { first_pass: FirstPass::Use, ..forward() }, with_authtok("x"), vec![Outcome::Pass {}]);
    assert_eq!((case.host.prompts.len(), case.host.forwarded), (0, None), "it is there already");
}

#[test]
fn the_first_pass_is_tried_or_used() {
    let (try_, use_) = (FirstPass::Try, FirstPass::Use);
    let (yes, no) = (true, false);
    for (first_pass, authtok, answers, codes, prompts, code) in [
        (FirstPass::Ask, Some("secret123456"), vec![accepted()], vec![CODE], 1, yes),
        (try_, Some("secret123456"), vec![behind(6)], vec!["123456"], 0, yes),
        (try_, Some("123456"), vec![behind(6)], vec!["123456"], 0, yes),
        (try_, Some("secret123456"), vec![refused(), accepted()], vec!["123456", CODE], 1, yes),
        (try_, Some("secret123456"), vec![refused(), refused()], vec!["123456", CODE], 1, no),
        (try_, Some("secret"), vec![accepted()], vec![CODE], 1, yes),
        (try_, None, vec![accepted()], vec![CODE], 1, yes),
        (use_, Some("secret123456"), vec![behind(6)], vec!["123456"], 0, yes),
        (use_, Some("secret123456"), vec![refused()], vec!["123456"], 0, no),
        (use_, Some("secret"), vec![refused()], vec![""], 0, no),
        (use_, None, vec![], vec![], 0, no),
    ] {
        let host = FakeHost { authtok: authtok.map(Into::into), ..FakeHost::default() };
        let answers = std::iter::once(ask(None)).chain(answers).collect();
        let case = run(&Options { first_pass, ..Options::default() }, host, answers);
        let typed: Vec<_> = case.sent.iter().flatten().map(String::as_str).collect();
        let expected = if code { PamResultCode::PAM_SUCCESS } else { PamResultCode::PAM_AUTH_ERR };
        let seen = (typed, case.host.prompts.len(), case.code);
        assert_eq!(seen, (codes, prompts, expected), "{first_pass:?} {authtok:?}");
        assert_eq!(case.host.forwarded, None, "only forward_pass changes it");
        assert_eq!(case.host.told.len(), usize::from(!code && authtok.is_some()), "one line at most");
    }
}

#[test]
fn the_first_pass_is_forwarded_without_its_code() {
    let options = Options { first_pass: FirstPass::Use, ..forward() };
    let case = run(&options, with_authtok("secret123456"), vec![ask(None), behind(6)]);
    assert_eq!(case.host.forwarded.as_deref(), Some(b"secret".as_slice()));
}

#[test]
fn no_password_comes_into_a_log() {
    let options = Options { debug: true, ..forward() };
    for verdict in [behind(6), refused()] {
        let case = run(&options, typing("hunter2-123456"), vec![ask(None), verdict]);
        let log = format!("{:?}", case.host.logged);
        assert!(!log.contains("hunter2") && !log.contains("123456"), "{log}");
    }
}
