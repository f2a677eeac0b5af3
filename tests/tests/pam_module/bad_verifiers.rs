//! No verifier, and verifiers that are none.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use oathgate_tests::fake_verifier::{Act, FakeVerifier};
use oathgate_tests::process::Finished;
use otp_wire::{Ask, Outcome, Request};

use crate::world::{CODE, Pam, asks, prompts, result};

/// Refused, within the deadline of 5 seconds and a little.
fn assert_undecided(finished: &Finished, prompted: usize, case: &str) {
    assert_eq!((prompts(finished), result(finished).as_str()), (prompted, "PAM_AUTHINFO_UNAVAIL"), "{case}");
    assert!(finished.took < Duration::from_secs(6), "{case}: {:?}", finished.took);
    assert_eq!(finished.stderr, "", "{case}");
}

type Answer = fn(&Request) -> Act;

fn raw(request: &Request, version: u16, outcome: &str) -> Act {
    let id = request.id.digits().expect("an id");
    Act::Raw(format!("{{\"v\":{version},\"id\":\"{id}\",\"outcome\":{outcome}}}\n").into_bytes())
}

/// What no verifier would answer; the rest of each would let somebody in.
const ANSWERS: [(&str, Answer); 16] = [
    ("nothing at all", |_| Act::Hang),
    ("the connection is cut", |_| Act::Close),
    ("an empty line", |_| Act::Raw(b"\n".to_vec())),
    ("no line", |_| Act::Raw(b"{\"v\":1".to_vec())),
    ("garbage", |_| Act::Raw(b"\xff\x00PAM_SUCCESS\n".to_vec())),
    ("another version", |request| raw(request, 2, "{\"pass\":{}}")),
    ("another id", |_| {
        let id = "0".repeat(32);
        Act::Raw(format!("{{\"v\":1,\"id\":\"{id}\",\"outcome\":{{\"pass\":{{}}}}}}\n").into_bytes())
    }),
    ("an unknown outcome", |request| raw(request, 1, "{\"welcome\":{}}")),
    ("an unknown field", |request| raw(request, 1, "{\"pass\":{\"really\":true}}")),
    ("two outcomes", |request| raw(request, 1, "{\"refused\":{},\"pass\":{}}")),
    ("no outcome", |request| raw(request, 1, "null")),
    ("two lines", |request| match raw(request, 1, "{\"pass\":{}}") {
        Act::Raw(line) => Act::Raw(line.repeat(2)),
        other => other,
    }),
    ("a line that is too long", |request| {
        let line = " ".repeat(17_000);
        raw(request, 1, &format!("{line}{{\"pass\":{{}}}}"))
    }),
    ("a line without end", |_| Act::Raw(vec![b' '; 10 << 20])),
    ("an answer to another question", |_| Act::Say(Outcome::Listing(vec![]))),
    ("that it could not decide", |_| Act::Say(Outcome::Undecided("no store\u{1b}[2J".to_owned()))),
];

/// All at once: some of them take the whole deadline.
#[test]
fn whatever_else_begin_is_answered_with() {
    thread::scope(|scope| {
        for (case, answer) in ANSWERS {
            scope.spawn(move || {
                let pam = Pam::new("nullok");
                let _verifier = pam.verifier(answer);
                assert_undecided(&pam.su("alice", CODE.as_bytes()), 0, case);
            });
        }
    });
}

#[test]
fn whatever_else_verify_is_answered_with() {
    thread::scope(|scope| {
        for (case, answer) in ANSWERS {
            scope.spawn(move || {
                let pam = Pam::new("nullok");
                let _verifier = pam.verifier(move |request| match &request.ask {
                    Ask::Begin(_) => Act::Say(asks()),
                    _ => answer(request),
                });
                assert_undecided(&pam.su("alice", CODE.as_bytes()), 1, case);
            });
        }
    });
}

#[test]
fn a_pass_at_the_wrong_moment_is_none() {
    let pam = Pam::new("nullok");
    let answers: [fn() -> Outcome; 3] = [|| Outcome::Pass {}, || Outcome::Absent { now: 0 }, asks];
    for answer in answers {
        let verifier = pam.verifier(move |request| match &request.ask {
            Ask::Begin(_) => Act::Say(asks()),
            _ => Act::Say(answer()),
        });
        assert_undecided(&pam.su("alice", CODE.as_bytes()), 1, "verify");
        drop(verifier);
    }
    let _verifier = pam.verifier(|_| Act::Say(crate::world::accepts()));
    assert_undecided(&pam.su("alice", CODE.as_bytes()), 0, "begin");
}

#[test]
fn nobody_there() {
    let pam = Pam::new("nullok");
    assert_undecided(&pam.su("alice", CODE.as_bytes()), 0, "no socket");
    fs::write(pam.socket(), "").expect("our folder");
    assert_undecided(&pam.su("alice", CODE.as_bytes()), 0, "a file");
    fs::remove_file(pam.socket()).expect("our folder");
    drop(std::os::unix::net::UnixListener::bind(pam.socket()).expect("a free path"));
    assert_undecided(&pam.su("alice", CODE.as_bytes()), 0, "nobody listens any more");
    fs::remove_file(pam.socket()).expect("our folder");
    fs::create_dir(pam.socket()).expect("our folder");
    assert_undecided(&pam.su("alice", CODE.as_bytes()), 0, "a folder");
}

/// A service that is stopped (SIGSTOP) with a full queue does not even take connections.
#[test]
fn a_queue_that_is_full() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, listen, socket};
    let pam = Pam::new("nullok");
    let address = SocketAddrUnix::new(pam.socket()).expect("a short path");
    let stream = || socket(AddressFamily::UNIX, SocketType::STREAM, None).expect("a socket");
    let listener = stream();
    bind(&listener, &address).and_then(|()| listen(&listener, 0)).expect("a free path");
    let queued = stream();
    connect(&queued, &address).expect("the one place in the queue");
    assert_undecided(&pam.su("alice", CODE.as_bytes()), 0, "full");
}

#[test]
fn somebody_elses_socket() {
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let pam = Pam::new("nullok");
    fs::set_permissions(pam.folder(), fs::Permissions::from_mode(0o777)).expect("our folder");
    let socket = pam.socket();
    // Only this thread becomes nobody; who listens is whose socket it is.
    let impostor = thread::spawn(move || {
        let nobody = rustix::process::Uid::from_raw(65534);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).expect("root");
        FakeVerifier::start(&socket, |_| Act::Say(Outcome::Pass {}))
    });
    let impostor = impostor.join().expect("no panic there");
    fs::set_permissions(pam.socket(), fs::Permissions::from_mode(0o666)).expect("our folder");
    assert_undecided(&pam.su("alice", CODE.as_bytes()), 0, "somebody else's socket");
    assert_eq!(impostor.asked().len(), 0, "not even asked");
}
