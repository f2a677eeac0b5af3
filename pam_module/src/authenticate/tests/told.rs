//! What the person is shown, and PAM told, as the options say.

use super::*;

#[test]
fn the_prompt_is_as_the_options_say() {
    let with = |change: fn(&mut Options)| {
        let mut options = Options::default();
        change(&mut options);
        let verifier = FakeVerifier::new([Ok(ask(Some("Wait."))), Ok(accepted())]);
        let mut host = FakeHost::default();
        let end = authenticate(&mut host, &verifier, &options);
        assert_eq!(end.code(), PamResultCode::PAM_SUCCESS);
        (host.styles[0], host.prompts.join("|"))
    };
    assert_eq!(with(|_| ()), (PAM_PROMPT_ECHO_OFF, format!("Wait.\n{PROMPT}")));
    assert_eq!(with(|options| options.echo = true), (PAM_PROMPT_ECHO_ON, format!("Wait.\n{PROMPT}")));
    assert_eq!(with(|options| options.forward_pass = true), (PAM_PROMPT_ECHO_OFF, format!("Wait.\n{BOTH_PROMPT}")));
    assert_eq!(with(|options| options.prompt = Some("OTP? ".into())), (PAM_PROMPT_ECHO_OFF, "Wait.\nOTP? ".into()));
}

#[test]
fn a_silent_host_hears_nothing_but_the_prompt() {
    let last = Outcome::Accepted { credential: None, label: None, scratch_left: Some(1), digits: None };
    for verdict in [refused(), last] {
        let verifier = FakeVerifier::new([Ok(ask(Some("Wait."))), Ok(verdict)]);
        let mut host = FakeHost { silent: true, ..FakeHost::default() };
        let _ = authenticate(&mut host, &verifier, &Options::default());
        assert_eq!((host.prompts, host.told), (vec![PROMPT.to_owned()], vec![]));
    }
}

#[test]
fn a_refusal_is_delayed_unless_the_options_say_otherwise() {
    for (nodelay, verdict, delays) in
        [(false, refused(), vec![DELAY]), (true, refused(), vec![]), (false, accepted(), vec![])]
    {
        let verifier = FakeVerifier::new([Ok(ask(None)), Ok(verdict)]);
        let mut host = FakeHost::default();
        let _ = authenticate(&mut host, &verifier, &Options { nodelay, ..Options::default() });
        assert_eq!(host.delays, delays);
    }
}

#[test]
fn the_third_refusal_of_one_handle_is_the_last() {
    let mut host = FakeHost::default();
    let codes: Vec<_> = (0..4)
        .map(|_| {
            let verifier = FakeVerifier::new([Ok(ask(None)), Ok(refused())]);
            authenticate(&mut host, &verifier, &Options::default()).code()
        })
        .collect();
    let last: Vec<bool> = codes.iter().map(|code| *code == PamResultCode::PAM_MAXTRIES).collect();
    assert_eq!(last, [false, false, true, true], "{codes:?}");
    for verdict in [Ok(accepted()), Err(Error::Late)] {
        let (verifier, before) = (FakeVerifier::new([Ok(ask(None)), verdict]), host.refused);
        let end = authenticate(&mut host, &verifier, &Options::default());
        assert!(!matches!(end.code(), PamResultCode::PAM_AUTH_ERR | PamResultCode::PAM_MAXTRIES));
        assert_eq!(host.refused, before, "only refusals are counted");
    }
}

/// Who has nothing enrolled, `days` after 1970, with `nullok_until=` the day 100.
fn until(days: u64) -> (PamResultCode, FakeHost) {
    let verifier = FakeVerifier::new([Ok(Outcome::Absent { now: days * DAY + DAY - 1 }), Ok(refused())]);
    let mut host = FakeHost::default();
    let end = authenticate(&mut host, &verifier, &Options { nullok: Nullok::Until(100), ..Options::default() });
    (end.code(), host)
}

#[test]
fn nullok_until_ends_with_its_day_and_says_how_many_are_left() {
    for (days, left) in [(0, 100), (99, 1), (100, 0)] {
        let (code, host) = until(days);
        assert_eq!((code, host.prompts.len()), (PamResultCode::PAM_IGNORE, 0));
        assert_eq!(host.told, [format!("{PAM_TEXT_INFO} Set up a second factor. Days left without one: {left}")]);
    }
    for days in [101, 1_000_000] {
        let (code, host) = until(days);
        assert_eq!((code, host.prompts.len()), (PamResultCode::PAM_AUTH_ERR, 1), "asked like all others");
        assert!(host.logged.borrow()[0].contains("nullok_until"));
    }
}

#[test]
fn what_the_stack_demands_is_told_to_the_verifier() {
    let terms = Terms { digits: Some(6), window: Some(0), grace: Some(60), behind_password: false };
    let verifier = FakeVerifier::new([Ok(ask(None)), Ok(accepted())]);
    let _ = authenticate(&mut FakeHost::default(), &verifier, &Options { terms: terms.clone(), ..Options::default() });
    assert!(verifier.asked.borrow().iter().all(|asked| asked.login.terms == terms));
}
