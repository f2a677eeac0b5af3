//! Bad codes, bad names, bad options.

use oathgate_tests::process::run;
use otp_wire::Ask;

use crate::world::{CODE, Pam, module, prompts, result, usual};

#[test]
fn bad_codes_are_refused() {
    let pam = Pam::new("");
    let verifier = pam.verifier(usual);
    let junk: Vec<u8> = b"\x08\r\x7fINCORRECT".repeat(2);
    let long = b"1".repeat(10_240);
    let cut = format!("{CODE}\0");
    let cases: [(&[u8], &str); 12] = [
        (b"", ""),
        (b"12345", "12345"),
        (b"123456789", "123456789"),
        (b"12ab56", "12ab56"),
        // A reply is a string of C: it ends at the NUL.
        (b"730\x0051948", "730"),
        (b"\0", ""),
        (cut.as_bytes(), CODE),
        ("\u{ff17}\u{ff13}\u{ff10}".as_bytes(), "\u{ff17}\u{ff13}\u{ff10}"),
        (b"\xff\xfe\xfd", ""),
        (b"\"}}\\", ""),
        (&long, ""),
        (&junk, ""),
    ];
    for (typed, sent) in cases {
        let finished = pam.su("alice", typed);
        let expected = if sent == CODE { "PAM_SUCCESS" } else { "PAM_AUTH_ERR" };
        assert_eq!(result(&finished), expected, "{:?}", String::from_utf8_lossy(typed));
        let asked = verifier.asked();
        let Some(Ask::Verify(verify)) = asked.last().map(|request| &request.ask) else { panic!("{asked:?}") };
        assert_eq!(verify.code.expose(), sent);
    }
}

#[test]
fn the_end_of_input_is_an_empty_code() {
    let pam = Pam::new("");
    let _verifier = pam.verifier(usual);
    assert_eq!(result(&run(&mut pam.host("su", "alice", &[]), b"")), "PAM_AUTH_ERR");
}

#[test]
fn what_sshd_makes_up_is_not_sent() {
    let pam = Pam::new("");
    let verifier = pam.verifier(usual);
    // sshd's junk has a line break in it, so as much as stands before that.
    let finished = pam.su("alice", b"\x08");
    assert_eq!(result(&finished), "PAM_AUTH_ERR");
    assert_eq!(verifier.asked().len(), 1, "only begin");
}

#[test]
fn names_that_nobody_has_are_refused() {
    let pam = Pam::new("nullok");
    let verifier = pam.verifier(usual);
    let long = "a".repeat(10_240);
    for user in ["../../etc/passwd", "a/b", "alice\nbob", "alice\r", "-alice", "a:b", " ", "..", "\u{1b}[2J", &long] {
        let finished = pam.su(user, CODE.as_bytes());
        assert_eq!((prompts(&finished), result(&finished).as_str()), (0, "PAM_AUTH_ERR"), "{user:.20?}");
    }
    assert_eq!(verifier.asked().len(), 0);
}

#[test]
fn names_come_to_the_verifier_as_they_are() {
    let pam = Pam::new("");
    let verifier = pam.verifier(usual);
    let longest = "a".repeat(256);
    for user in ["Alice", "DOM\\alice b", "j\u{f8}rgen", "alice@example.com", &longest] {
        assert_eq!(result(&pam.su(user, CODE.as_bytes())), "PAM_SUCCESS");
        for request in verifier.asked() {
            let (Ask::Begin(login) | Ask::Verify(otp_wire::Verify { login, .. })) = &request.ask else { panic!() };
            assert_eq!(login.account, user);
        }
    }
}

#[test]
fn an_option_that_cannot_be_obeyed_shuts_the_door() {
    let pam = Pam::new("");
    let verifier = pam.verifier(usual);
    let long = "x".repeat(900);
    for options in [
        "windw=20",
        "nullok nullok",
        "nullok=yes",
        "socket=",
        "verifier=spawn",
        "verifier=nobody",
        "require_publickey=perhaps",
        "secret=/home/alice/.otp",
        &long,
    ] {
        let socket = pam.socket();
        pam.configure(&format!("auth required {} socket={} {options}", module().display(), socket.display()));
        let finished = pam.su("alice", CODE.as_bytes());
        assert_eq!((prompts(&finished), result(&finished).as_str()), (0, "PAM_AUTHINFO_UNAVAIL"), "{options:.40}");
    }
    assert_eq!(verifier.asked().len(), 0);
}

#[test]
fn every_known_option_works() {
    let pam = Pam::new("nullok debug require_publickey=no");
    let _verifier = pam.verifier(usual);
    let finished = run(&mut pam.host("sshd", "alice", &["--tty", "ssh"]), format!("{CODE}\n").as_bytes());
    assert_eq!(result(&finished), "PAM_SUCCESS");
    assert_eq!(finished.stderr, "", "debug goes to the log");
}
