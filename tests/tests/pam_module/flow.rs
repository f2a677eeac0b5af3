//! What people see, and what PAM is told.

use oathgate_tests::fake_verifier::Act;
use oathgate_tests::process::{PATIENCE, Running, run};
use otp_wire::message::Terms;
use otp_wire::{Ask, Login, Outcome};

use crate::world::{CODE, Pam, WRONG, asks, prompts, refuses, result, usual};

#[test]
fn the_right_code_lets_in() {
    let pam = Pam::new("");
    let verifier = pam.verifier(usual);
    let line = format!("{CODE}\n");
    let options = ["--all", "--tty", "pts/7", "--rhost", "192.0.2.7"];
    let finished = run(&mut pam.host("su", "alice", &options), line.as_bytes());
    assert_eq!(
        finished.text(),
        "Hidden \"Verification code: \"\nresult PAM_SUCCESS\nsetcred PAM_SUCCESS\naccount PAM_SUCCESS\n"
    );
    assert_eq!(finished.stderr, "");
    let asked = verifier.asked();
    let [begin, verify] = asked.as_slice() else { panic!("{asked:?}") };
    let expected = Login {
        account: "alice".into(),
        keys: vec![],
        service: "su".into(),
        address: Some("192.0.2.7".into()),
        connection: None,
        tty: Some("pts/7".into()),
        terms: Terms::default(),
    };
    assert!(matches!(&begin.ask, Ask::Begin(login) if login == &expected), "{begin:?}");
    assert!(matches!(&verify.ask, Ask::Verify(verify) if verify.login == expected && verify.code.expose() == CODE));
}

#[test]
fn a_wrong_code_is_told_unless_the_host_wants_silence() {
    let pam = Pam::new("");
    let _verifier = pam.verifier(usual);
    let loud = run(&mut pam.host("su", "alice", &[]), b"111111\n");
    let told = format!("Hidden \"Verification code: \"\nError {WRONG:?}\nresult PAM_AUTH_ERR\n");
    assert_eq!(loud.text(), told);
    let silent = run(&mut pam.host("su", "alice", &["--silent"]), b"111111\n");
    assert_eq!(silent.text(), "Hidden \"Verification code: \"\nresult PAM_AUTH_ERR\n");
}

#[test]
fn no_code_is_asked_for_where_none_is_needed() {
    let pam = Pam::new("");
    let _verifier = pam.verifier(|_| Act::Say(Outcome::Pass {}));
    assert_eq!(pam.su("alice", b"").text(), "result PAM_SUCCESS\n");
}

#[test]
fn nullok_leaves_people_without_a_credential_to_other_modules() {
    let pam = Pam::new("");
    let _verifier = pam.verifier(|request| match &request.ask {
        Ask::Begin(_) => Act::Say(Outcome::Absent { now: 0 }),
        _ => Act::Say(refuses()),
    });
    let module = crate::world::module().display().to_string();
    for (options, prompted, expected) in [("nullok", 0, "PAM_SUCCESS"), ("", 1, "PAM_AUTH_ERR")] {
        let socket = pam.socket();
        pam.configure(&format!(
            "auth required {module} socket={} {options}\nauth required pam_permit.so",
            socket.display()
        ));
        let finished = pam.su("bob", b"123456");
        assert_eq!((prompts(&finished), result(&finished).as_str()), (prompted, expected), "{options}");
    }
    // Alone in the stack, it lets nobody in.
    pam.configure(&format!("auth required {module} socket={} nullok", pam.socket().display()));
    assert_eq!(result(&pam.su("bob", b"123456")), "PAM_PERM_DENIED");
}

#[test]
fn unknown_people_are_asked_like_all_others() {
    let pam = Pam::new("");
    let refusing = pam.verifier(|_| Act::Say(refuses()));
    let unknown = pam.su("nobody-of-that-name", b"123456");
    drop(refusing);
    let _usual = pam.verifier(usual);
    assert_eq!(unknown.text(), pam.su("alice", b"123456").text());
}

#[test]
fn a_line_of_the_verifier_comes_before_the_prompt() {
    let pam = Pam::new("");
    let line = || Some("Only a scratch code opens this door now.\u{1b}[2J".to_owned());
    let _verifier = pam.verifier(move |request| match &request.ask {
        Ask::Begin(_) => Act::Say(Outcome::Ask { label: None, line: line() }),
        _ => usual(request),
    });
    let said = pam.su("alice", CODE.as_bytes()).text();
    let first = said.lines().next();
    let expected = r#"Hidden "Only a scratch code opens this door now.\\u{1b}[2J\nVerification code: ""#;
    assert_eq!(first, Some(expected));
}

#[test]
fn nobody_to_talk_to_is_refused() {
    let pam = Pam::new("");
    let verifier = pam.verifier(usual);
    let finished = run(&mut pam.host("su", "alice", &["--deaf"]), b"");
    assert_eq!(result(&finished), "PAM_AUTHINFO_UNAVAIL");
    assert_eq!(verifier.asked().len(), 1, "no verify without an answer");
}

#[test]
fn under_sshd_a_key_is_demanded() {
    let key = include_str!("../../../pam_module/tests/keys/ed25519.pub");
    let fingerprint = include_str!("../../../pam_module/tests/keys/ed25519.fingerprint").trim();
    let pam = Pam::new("");
    let verifier = pam.verifier(usual);
    let info = format!("SSH_AUTH_INFO_0=publickey {key}");
    let line = format!("{CODE}\n");
    let sshd = |more: &[&str]| run(&mut pam.host("sshd", "alice", more), line.as_bytes());
    assert_eq!(result(&sshd(&["--tty", "ssh", "--env", &info])), "PAM_SUCCESS");
    for request in verifier.asked() {
        let (Ask::Begin(login) | Ask::Verify(otp_wire::Verify { login, .. })) = &request.ask else { panic!() };
        assert_eq!(login.keys, [fingerprint]);
    }
    let broken = format!("{}x", info.trim_end().replace("ssh-ed25519 ", "ssh-ed25519 x"));
    let mega = format!("SSH_AUTH_INFO_0={}", "x\n".repeat(60_000));
    for (more, expected) in [
        (&["--tty", "ssh"][..], "PAM_AUTH_ERR"),
        (&[], "PAM_AUTH_ERR"),
        (&["--env", "SSH_AUTH_INFO_0="], "PAM_AUTH_ERR"),
        (&["--env", "SSH_AUTH_INFO_0=password\n"], "PAM_AUTH_ERR"),
        (&["--env", &mega], "PAM_AUTH_ERR"),
        (&["--env", "SSH_AUTH_INFO_0=publickey"], "PAM_AUTHINFO_UNAVAIL"),
        (&["--env", &broken], "PAM_AUTHINFO_UNAVAIL"),
    ] {
        let finished = sshd(more);
        assert_eq!((prompts(&finished), result(&finished).as_str()), (0, expected), "{:.100?}", more);
    }
    // The process's own environment is the caller's to write; it isn't read.
    let mut forged = pam.host("sshd", "alice", &["--tty", "ssh"]);
    forged.env("SSH_AUTH_INFO_0", format!("publickey {key}"));
    assert_eq!(result(&run(&mut forged, line.as_bytes())), "PAM_AUTH_ERR");
    assert_eq!(verifier.asked().len(), 0);
}

#[test]
fn many_are_held_at_the_prompt_and_released_together() {
    let pam = Pam::new("");
    let verifier = pam.verifier(usual);
    let mut host = Running::start(&mut pam.host("su", "alice", &["--threads", "16"]));
    for _ in 0..16 {
        host.stdout.expect("Hidden \"Verification code: \"\n", PATIENCE);
    }
    let begun = verifier.asked();
    assert!(begun.len() == 16 && begun.iter().all(|request| matches!(request.ask, Ask::Begin(_))));
    host.send(&format!("{CODE}\n"));
    let said = String::from_utf8(host.stdout.to_end(PATIENCE)).expect("text");
    assert_eq!(said.matches("result PAM_SUCCESS").count(), 16, "{said}");
    let mut ids: Vec<String> = verifier.asked().iter().map(|request| format!("{:?}", request.id)).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 16, "each asks for itself");
}

#[test]
fn a_verdict_that_got_lost_is_asked_for_once_more() {
    let pam = Pam::new("");
    let lost = std::sync::atomic::AtomicBool::new(false);
    let verifier = pam.verifier(move |request| match &request.ask {
        Ask::Begin(_) => Act::Say(asks()),
        _ if !lost.swap(true, std::sync::atomic::Ordering::Relaxed) => Act::Close,
        _ => usual(request),
    });
    assert_eq!(result(&pam.su("alice", CODE.as_bytes())), "PAM_SUCCESS");
    let asked = verifier.asked();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[1].id, asked[2].id);
}
