use std::path::PathBuf;

use otp_wire::message::Reason;

use super::*;
use crate::cli::{CodeKind, Json};
use crate::error::Exit;
use crate::output::Style;
use crate::testing::{KEY, Script, Typist};

const SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
const URI: &str =
    "otpauth://totp/host:laptop?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=host&algorithm=SHA1&digits=6&period=30";
const TERMINAL: Style = Style { terminal: true, colour: false, size: Some((100, 50)) };

fn arguments() -> Enrol {
    Enrol {
        account: None,
        owner: None,
        ssh_key: Some(KEY.to_owned()),
        label: None,
        kind: CodeKind { hotp: false, algorithm: otp_core::Algorithm::Sha1, digits: 6, period: None },
        png: None,
        no_confirm: false,
        json: Json::default(),
    }
}

fn made() -> Outcome {
    Outcome::Enrolled(Box::new(Enrolled {
        account: "alice".to_owned(),
        owner: "alice".to_owned(),
        credential: "aaaaaaaa".to_owned(),
        label: "laptop".to_owned(),
        issuer: "host".to_owned(),
        kind: "totp".to_owned(),
        algorithm: "SHA1".to_owned(),
        digits: 6,
        period: Some(30),
        counter: None,
        secret: SecretText::new(SECRET).unwrap(),
        scratch: vec![SecretText::new("AAAA-BBBB-CCCC-DDDD").unwrap()],
    }))
}

fn accepted() -> Outcome {
    Outcome::Accepted {
        credential: Some("aaaaaaaa".into()),
        label: Some("laptop".into()),
        scratch_left: None,
        digits: None,
    }
}

fn wrong() -> Outcome {
    Outcome::Refused { reason: Reason::Wrong, line: "Wrong code.".to_owned() }
}

/// Runs it and returns the result, the output, and what was asked.
fn enrol(
    arguments: &Enrol,
    replies: Vec<Outcome>,
    typed: &[&'static str],
    style: Style,
) -> (Result<(), Failure>, String, Vec<serde_json::Value>) {
    let (script, typist, mut text) = (Script::of(replies), Typist::of(typed), Vec::new());
    let result = run(&Client::of(&script, &typist), arguments, &mut Output::to(&mut text, style));
    let asked = script.asked().into_iter().map(|mut request| request["ask"].take()).collect();
    (result, String::from_utf8(text).unwrap(), asked)
}

#[test]
fn everything_is_shown_once_and_the_first_code_confirms() {
    let (result, text, asked) = enrol(&arguments(), vec![made(), wrong(), accepted()], &["000000", "123456"], TERMINAL);
    assert_eq!(result, Ok(()));
    for part in ["JBSW Y3DP EHPK 3PXP", URI, "AAAA-BBBB-CCCC-DDDD", "aaaaaaaa", KEY, "█", "Wrong code.", "Confirmed"]
    {
        assert!(text.contains(part), "{part}");
    }
    assert!(text.contains("To take it back: oathgate revoke aaaaaaaa\n"));
    assert!(text.contains(&format!("oathgate ssh install {KEY}\n")));
    assert!(!text.contains("unconfirmed"));
    assert_eq!(
        asked[0]["enrol"],
        serde_json::json!({"account": "alice", "key": KEY, "kind": "totp", "algorithm": "SHA1", "digits": 6, "scratch": true})
    );
    let login = serde_json::json!({"account": "alice", "keys": [KEY], "service": "oathgate"});
    assert_eq!(asked[2]["verify"], serde_json::json!({"login": login, "code": "123456", "credential": "aaaaaaaa"}));
}

#[test]
fn without_a_first_code_it_says_unconfirmed() {
    let three = || vec![made(), wrong(), wrong(), wrong()];
    let asked_not = Enrol { no_confirm: true, ..arguments() };
    for (arguments, replies, typed, style) in [
        (arguments(), vec![made()], &["^C"][..], TERMINAL),
        (arguments(), vec![made()], &[], TERMINAL),
        (arguments(), three(), &["1", "2", "3", "4"], TERMINAL),
        (arguments(), vec![made()], &["123456"], Style::default()),
        (asked_not, vec![made()], &["123456"], TERMINAL),
    ] {
        let (result, text, _) = enrol(&arguments, replies, typed, style);
        assert_eq!(result, Ok(()));
        assert!(text.contains("unconfirmed until its first code is used"), "{text}");
        assert!(text.contains("oathgate revoke aaaaaaaa"));
    }
}

#[test]
fn a_picture_to_hand_over_shows_no_secret_here() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a b.png");
    let arguments = Enrol { png: Some(path.clone()), ..arguments() };
    let (result, text, asked) = enrol(&arguments, vec![made()], &["123456"], TERMINAL);
    assert_eq!(result, Ok(()));
    assert!(path.exists());
    for secret in ["JBSW", "otpauth", "AAAA-BBBB", "█"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(text.contains(&format!("shred -u '{}'", path.display())), "{text}");
    assert_eq!((asked.len(), &asked[0]["enrol"]["scratch"]), (1, &false.into()));

    let (result, text, asked) = enrol(&arguments, vec![], &[], TERMINAL);
    assert_eq!((result.unwrap_err().exit, text.as_str(), asked.len()), (Exit::No, "", 0), "never overwritten");
}

#[test]
fn a_picture_of_nothing_is_not_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = Enrol { png: Some(folder.path().join("x.png")), ..arguments() };
    let no = Outcome::Invalid("alice has a credential labelled laptop already".to_owned());
    let (result, _, _) = enrol(&arguments, vec![no], &[], TERMINAL);
    assert!(result.unwrap_err().hint.unwrap().contains("--label"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn programs_get_one_object_and_are_asked_nothing() {
    let arguments = Enrol { json: Json { json: true }, ..arguments() };
    let (result, text, _) = enrol(&arguments, vec![made()], &["123456"], TERMINAL);
    assert_eq!((result, text.lines().count()), (Ok(()), 1));
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&value["uri"], &value["secret"], &value["key"]), (&URI.into(), &SECRET.into(), &KEY.into()));
    assert_eq!(value["scratch"], serde_json::json!(["AAAA-BBBB-CCCC-DDDD"]));
}

#[test]
fn a_key_file_gives_the_label_and_the_note() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("id.pub");
    let blob = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    std::fs::write(&file, format!("ssh-ed25519 {blob} Alice's laptop!\n")).unwrap();
    let arguments = Enrol { ssh_key: Some(file.display().to_string()), no_confirm: true, ..arguments() };
    let (_, text, asked) = enrol(&arguments, vec![made()], &[], TERMINAL);
    assert_eq!(asked[0]["enrol"]["label"], "Alice-s-laptop");
    assert_eq!(asked[0]["enrol"]["note"], "Alice's laptop!");
    assert!(text.contains(&format!("oathgate ssh install {}\n", file.display())));
    let named = Enrol { label: Some("mine".parse().unwrap()), ..arguments };
    assert_eq!(enrol(&named, vec![made()], &[], TERMINAL).2[0]["enrol"]["label"], "mine");
}

#[test]
fn labels_out_of_comments() {
    for (comment, label) in [
        ("alice@laptop", Some("alice@laptop")),
        ("  two words ", Some("two-words")),
        ("\u{fc}ber", Some("ber")),
        ("\u{fc}\u{fc}", None),
        ("", None),
    ] {
        assert_eq!(label_of(comment).as_deref(), label, "{comment}");
    }
    assert_eq!(label_of(&"x".repeat(100)).unwrap().len(), 64);
}

#[test]
fn too_narrow_a_terminal_gets_the_secret_and_a_word() {
    let narrow = Style { size: Some((40, 24)), ..TERMINAL };
    let (_, text, _) = enrol(&Enrol { no_confirm: true, ..arguments() }, vec![made()], &[], narrow);
    assert!(text.contains("this terminal has 40") && text.contains(URI) && !text.contains('█'), "{text}");
}

/// A place that takes the first bytes and then no more.
struct Full(usize);

impl std::io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0 == 0 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.0 -= 1;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_was_made_and_could_not_be_shown_says_how_to_take_it_back() {
    let (script, typist) = (Script::of([made()]), Typist::default());
    let mut out = Output::to(Full(2), TERMINAL);
    let failure = run(&Client::of(&script, &typist), &arguments(), &mut out).unwrap_err();
    assert_eq!(failure.exit, Exit::Undecided);
    assert!(failure.hint.unwrap().contains("oathgate revoke aaaaaaaa"));
}

#[test]
fn an_answer_that_makes_no_sense_is_no_success() {
    let Outcome::Enrolled(enrolled) = made() else { panic!() };
    let broken = Enrolled { kind: "hotp".to_owned(), ..*enrolled };
    let (result, _, _) = enrol(&arguments(), vec![Outcome::Enrolled(Box::new(broken))], &[], TERMINAL);
    assert_eq!(result.unwrap_err().exit, Exit::Undecided);
    let (result, text, _) = enrol(&arguments(), vec![Outcome::Done("Done.".to_owned())], &[], TERMINAL);
    assert_eq!((result.unwrap_err().exit, text.as_str()), (Exit::Undecided, ""));
}

#[test]
fn words_for_a_shell() {
    assert_eq!(quoted("/a/b.pub"), "/a/b.pub");
    assert_eq!(quoted("a b"), "'a b'");
    assert_eq!(quoted("a'b"), "'a'\\''b'");
    assert_eq!(quoted(&PathBuf::new().display().to_string()), "''");
}
