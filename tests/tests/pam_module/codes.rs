//! Each row of the table of return values in pam_oathgate(8).

use std::collections::BTreeMap;
use std::fs;

use oathgate_tests::fake_verifier::Act;
use oathgate_tests::ffi::Library;
use oathgate_tests::process::{Finished, run};
use otp_wire::message::Reason;
use otp_wire::{Ask, Outcome, Request};

use crate::world::{CODE, Pam, WRONG, accepts, asks, module, prompts, usual};

/// What happened: the code that PAM was given, and how often the person was asked.
type Seen = Vec<(String, usize)>;
type Case = fn(&Pam) -> Seen;

/// PAM_CRED_UNAVAIL: libpam gives no PAM_IGNORE out, so another module says this then.
const IGNORED: &str = "15";

/// A stack that hands every code on as it is.
fn stack(pam: &Pam, options: &str) {
    let (module, socket) = (module().display().to_string(), pam.socket().display().to_string());
    let lines = ["auth", "account", "session", "password"].map(|kind| {
        format!(
            "{kind} [success=ok ignore=1 default=die] {module} socket={socket} {options}\n\
             {kind} sufficient pam_permit.so\n\
             {kind} requisite pam_debug.so auth=cred_unavail open_session=cred_unavail prechauthtok=cred_unavail\n"
        )
    });
    fs::write(pam.folder().join("su"), lines.concat()).expect("our folder");
}

fn line<'a>(finished: &'a Finished, text: &'a str, word: &str) -> Option<&'a str> {
    assert_eq!(finished.stderr, "");
    text.lines().find_map(|line| line.strip_prefix(word))
}

fn seen(finished: &Finished) -> (String, usize) {
    let text = finished.text();
    (line(finished, &text, "result ").expect("a result").to_owned(), prompts(finished))
}

fn su(pam: &Pam, answer: fn(&Request) -> Act, more: &[&str]) -> (String, usize) {
    let _verifier = pam.verifier(answer);
    seen(&run(&mut pam.host("su", "alice", more), format!("{CODE}\n").as_bytes()))
}

/// The verifier asks for a code, and answers it so.
fn judged(pam: &Pam, reason: Reason) -> (String, usize) {
    let _verifier = pam.verifier(move |request| match &request.ask {
        Ask::Begin(_) => Act::Say(asks()),
        _ => Act::Say(Outcome::Refused { reason, line: WRONG.to_owned() }),
    });
    seen(&pam.su("alice", CODE.as_bytes()))
}

fn nothing_enrolled(request: &Request) -> Act {
    match &request.ask {
        Ask::Begin(_) => Act::Say(Outcome::Absent { now: 1_800_000_000 }),
        _ => Act::Say(Outcome::Refused { reason: Reason::NotEnrolled, line: WRONG.to_owned() }),
    }
}

fn refused_at_once(request: &Request) -> Act {
    match &request.ask {
        Ask::Begin(_) => Act::Say(Outcome::Refused { reason: Reason::NotEnrolled, line: WRONG.to_owned() }),
        _ => nothing_enrolled(request),
    }
}

/// The first words of a row, and what leads there.
const CASES: [(&str, Case); 18] = [
    ("The code or scratch code was right", |pam| vec![su(pam, usual, &[])]),
    ("Every key's policy is none", |pam| vec![su(pam, |_| Act::Say(Outcome::Pass {}), &[])]),
    ("setcred and account", |pam| {
        let _verifier = pam.verifier(usual);
        let finished = run(&mut pam.host("su", "alice", &["--all"]), format!("{CODE}\n").as_bytes());
        let text = finished.text();
        ["setcred ", "account "].map(|word| (line(&finished, &text, word).expect(word).to_owned(), 1)).into()
    }),
    ("Nothing was ever enrolled", |pam| {
        let mut seen = vec![];
        for options in ["nullok", "nullok_until=2999-01-01"] {
            stack(pam, options);
            seen.push(su(pam, nothing_enrolled, &[]));
        }
        seen
    }),
    ("password and session", |pam| {
        let _verifier = pam.verifier(usual);
        let finished = run(&mut pam.host("su", "alice", &["--rest"]), format!("{CODE}\n").as_bytes());
        let text = finished.text();
        ["session ", "password "].map(|word| (line(&finished, &text, word).expect(word).to_owned(), 1)).into()
    }),
    ("The code was wrong", |pam| {
        use Reason::{Locked, Malformed, Replayed, Throttled, Wrong};
        [Wrong, Replayed, Malformed, Throttled, Locked].map(|reason| judged(pam, reason)).into()
    }),
    ("Nobody is enrolled", |pam| {
        let mut seen = vec![su(pam, nothing_enrolled, &[]), su(pam, refused_at_once, &[])];
        stack(pam, "nullok_until=2027-01-14"); // the day before
        seen.push(su(pam, nothing_enrolled, &[]));
        seen
    }),
    ("A public key was demanded", |pam| {
        let seen = vec![su(pam, usual, &["--tty", "ssh"])];
        stack(pam, "require_publickey=yes");
        [seen, vec![su(pam, usual, &[])]].concat()
    }),
    ("The user's name can't be an account's", |pam| {
        let _verifier = pam.verifier(usual);
        vec![seen(&pam.su("../alice", CODE.as_bytes()))]
    }),
    ("sshd itself forbids the login", |pam| {
        let verifier = pam.verifier(usual);
        let seen = vec![seen(&pam.su("alice", b"\x08"))];
        assert_eq!(verifier.asked().len(), 1, "not sent, so not counted");
        seen
    }),
    ("use_first_pass was given", |pam| {
        stack(pam, "use_first_pass");
        vec![su(pam, usual, &[])]
    }),
    ("Any of these, where the same PAM handle", |pam| {
        let _verifier = pam.verifier(usual);
        let finished = run(&mut pam.host("su", "alice", &["--tries", "5"]), b"1\n2\n3\n4\n73051948\n");
        let text = finished.text();
        let results: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("result ")).collect();
        assert_eq!(results[..2], ["PAM_AUTH_ERR"; 2]);
        assert_eq!(results[4], "PAM_SUCCESS", "the right code still counts");
        results[2..4].iter().map(|result| ((*result).to_owned(), 1)).collect()
    }),
    ("No verifier", |pam| vec![seen(&pam.su("alice", CODE.as_bytes())), su(pam, |_| Act::Close, &[])]),
    ("The verifier could not decide", |pam| {
        let answer = |outcome: fn(String) -> Outcome| Act::Say(outcome(String::new()));
        vec![
            su(pam, |_| Act::Say(Outcome::Undecided("no store".to_owned())), &[]),
            su(pam, |_| Act::Say(Outcome::Denied(String::new())), &[]),
            {
                let _verifier = pam.verifier(move |_| answer(Outcome::Invalid));
                seen(&pam.su("alice", CODE.as_bytes()))
            },
        ]
    }),
    ("An option can't be obeyed", |pam| {
        let mut seen = vec![];
        for options in ["windw=20", "nullok nullok", "nullok_until=soon", "verifier=spawn"] {
            stack(pam, options);
            seen.push(su(pam, usual, &[]));
        }
        seen
    }),
    ("No user or service name that is text", |pam| vec![su(pam, usual, &["--env", "SSH_AUTH_INFO_0=publickey"])]),
    ("Nobody answered the prompt", |pam| vec![su(pam, usual, &["--deaf"])]),
    ("The program that called PAM passed nonsense", |_| {
        let library = Library::open(&module()).expect("the module");
        let abort = library.call_with_zeros("pam_sm_authenticate").expect("an entry point") == 26;
        vec![(if abort { "PAM_ABORT" } else { "another code" }.to_owned(), 0)]
    }),
];

/// The rows of the table: the code, and what stands beside it.
fn rows() -> Vec<(String, String)> {
    let page = include_str!("../../../docs/man/pam_oathgate.8");
    let (_, table) = page.split_once(".TS\n").expect("a table");
    let (table, _) = table.split_once(".TE\n").expect("its end");
    let (mut code, mut rows) = ("", vec![]);
    let mut cells = table.split("T{\n");
    let mut before = cells.next().expect("a format");
    for cell in cells {
        let (text, after) = cell.split_once("\nT}").expect("a cell's end");
        for named in [before.trim(), text].into_iter().filter(|text| text.starts_with("PAM_")) {
            code = named;
        }
        if !text.starts_with("PAM_") {
            rows.push((code.to_owned(), plain(text)));
        }
        before = after;
    }
    rows
}

/// A cell without roff's macros.
fn plain(cell: &str) -> String {
    let macros = [".BR ", ".B "];
    let words = cell.lines().map(|line| match macros.iter().find_map(|name| line.strip_prefix(name)) {
        Some(rest) => rest.replace(" ,", ",").replace(" )", ")").replace(" .", "."),
        None => line.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn each_row_of_the_page_is_as_it_says() {
    let cases: BTreeMap<&str, Case> = CASES.into_iter().collect();
    let rows = rows();
    assert_eq!(rows.len(), cases.len(), "a case for each row, and a row for each case");
    for (code, text) in rows {
        let (_, case) = cases.iter().find(|(words, _)| text.starts_with(*words)).unwrap_or_else(|| panic!("{text}"));
        let pam = Pam::new("");
        stack(&pam, "");
        let no_prompt = text.contains("no prompt");
        for (result, prompts) in case(&pam) {
            let result = if result == IGNORED { "PAM_IGNORE" } else { &result };
            assert_eq!(result, code, "{text}");
            assert!(!(no_prompt && prompts > 0), "{text}: {prompts} prompts");
        }
    }
}

/// Nobody can tell by the prompt, the line or the code who is enrolled or locked.
#[test]
fn refusals_are_alike_to_the_letter() {
    let pam = Pam::new("");
    let answers: [fn(&Request) -> Act; 3] = [nothing_enrolled, refused_at_once, |request| match &request.ask {
        Ask::Begin(_) => Act::Say(asks()),
        Ask::Verify(_) => Act::Say(Outcome::Refused { reason: Reason::Locked, line: WRONG.to_owned() }),
        _ => Act::Say(accepts()),
    }];
    let said = answers.map(|answer| {
        let _verifier = pam.verifier(answer);
        pam.su("alice", b"123456").text()
    });
    assert!(said[0].contains("PAM_AUTH_ERR") && said.iter().all(|text| text == &said[0]), "{said:?}");
}
