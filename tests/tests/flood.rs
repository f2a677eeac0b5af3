//! One user's flood keeps nobody else out, and fills no disk; guessing in
//! parallel is worth no more than guessing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Barrier, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use oathgate_tests::machine::Stopwatch;
use oathgate_tests::oathgated::{Device, Oathgated, hotp};
use oathgate_tests::process::Running;
use oathgate_tests::sshd::id;
use otp_wire::message::{AuditFilter, Reason};
use otp_wire::{Ask, DEADLINE, Login, Outcome, Request, SecretText, SocketVerifier, Verifier, Verify};

/// How a flood floods; handed to the process that does it.
const KIND: &str = "OATHGATE_TEST_FLOOD";
const SOCKET: &str = "OATHGATE_TEST_SOCKET";
/// One flood at a time: each is measured.
static ALONE: Mutex<()> = Mutex::new(());
/// Whose codes are guessed; uid 1 on Debian.
const GUESSED: &str = "daemon";
/// It ends by itself, whatever happens to the test.
const AT_MOST: Duration = Duration::from_secs(20);
/// Nobody else waits longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a flooding process does: the test runs itself under another uid.
fn flood_if_asked() -> bool {
    let Some(kind) = std::env::var_os(KIND) else { return false };
    let socket = std::env::var_os(SOCKET).expect("a socket");
    println!("flooding");
    if kind == "guesses" {
        guess(Path::new(&socket));
        return true;
    }
    let (begun, mut open) = (Instant::now(), Vec::new());
    while begun.elapsed() < AT_MOST {
        let Ok(mut stream) = UnixStream::connect(Path::new(&socket)) else { continue };
        if kind == "garbage" {
            let _ = stream.write_all(b"{\"v\":1,\"id\":\"\xff\n");
            continue;
        }
        open.push(stream);
        if open.len() >= 900 {
            open.clear();
        }
    }
    true
}

/// Guesses until its input ends, and says how often it was told what.
fn guess(socket: &Path) {
    let (mut judged, mut throttled, mut unanswered) = (0_u64, 0_u64, 0_u64);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = std::io::stdin().read(&mut [0]);
            ended.store(true, Ordering::SeqCst);
        });
        let begun = Instant::now();
        while !ended.load(Ordering::SeqCst) && begun.elapsed() < AT_MOST {
            match ask(socket, 0, GUESSED, "731947") {
                Ok(Outcome::Refused { reason: Reason::Wrong, .. }) => judged += 1,
                Ok(Outcome::Refused { reason: Reason::Throttled, .. }) => throttled += 1,
                Ok(Outcome::Accepted { .. }) => println!("ACCEPTED"),
                _ => unanswered += 1,
            }
        }
        println!("told {judged} {throttled} {unanswered}");
        // Whatever its input does.
        std::process::exit(0);
    });
}

fn ask(socket: &Path, trusted: u32, account: &str, code: &str) -> Result<Outcome, otp_wire::Error> {
    let login = Login { account: account.to_owned(), service: "flood".to_owned(), ..Login::default() };
    let code = SecretText::typed(code.as_bytes());
    let request = Request::new(Ask::Verify(Verify { login, code, credential: None })).unwrap();
    let reply: otp_wire::Reply = SocketVerifier::new(socket, vec![trusted]).ask(&request, Instant::now() + DEADLINE)?;
    Ok(reply.outcome)
}

/// How long a login took, without what the host kept from everybody, and whether
/// it was accepted.
fn verify(socket: &Path, device: &Device, counter: u64) -> (Duration, bool) {
    let (own, account, code) = (rustix::process::getuid().as_raw(), id("-un"), device.code(counter));
    let (ended, end) = mpsc::channel();
    std::thread::scope(|scope| {
        let late = scope.spawn(move || late(&end));
        let watch = Stopwatch::start();
        let outcome = ask(socket, own, &account, &code);
        let (took, kept) = (watch.elapsed(), watch.kept());
        drop(ended);
        let kept = kept.max(late.join().unwrap());
        (took.saturating_sub(kept), matches!(outcome, Ok(Outcome::Accepted { .. })))
    })
}

/// By how much a thread woke too late that did nothing but wait: processors are
/// taken away from a guest, for half a second at a time.
fn late(end: &Receiver<()>) -> Duration {
    const NAP: Duration = Duration::from_millis(5);
    let mut late = Duration::ZERO;
    loop {
        let begun = Instant::now();
        match end.recv_timeout(NAP) {
            Err(RecvTimeoutError::Timeout) => late += begun.elapsed().saturating_sub(NAP),
            _ => return late,
        }
    }
}

/// This test's own program under another uid, doing what `kind` says.
fn flood(kind: &str, test: &str, uid: u32, socket: &Path) -> Running {
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={uid}")).arg(format!("--regid={uid}")).arg("--clear-groups");
    command.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    Running::start(command.env(KIND, kind).env(SOCKET, socket))
}

fn others_come_in(kind: &str) {
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: needs root, to flood as somebody else");
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let service = Oathgated::start();
    let account = id("-un");
    let device = service.administrator().enrol(hotp(&account, &account, None, "phone"));
    let flood = flood(kind, &format!("{kind}_from_another_user"), 65534, &service.public_socket());
    flood.stdout.expect("flooding", Duration::from_secs(10));
    for counter in 0..40 {
        let socket = if counter % 2 == 0 { service.root_socket() } else { service.public_socket() };
        let (took, accepted) = verify(&socket, &device, counter);
        assert!(accepted && took < PATIENCE, "login {counter} at {}: {accepted}, {took:?}", socket.display());
    }
}

#[test]
fn silence_from_another_user() {
    if !flood_if_asked() {
        others_come_in("silence");
    }
}

#[test]
fn garbage_from_another_user() {
    if !flood_if_asked() {
        others_come_in("garbage");
    }
}

/// What the audit says of refusals: rows, and how often codes of an account
/// were judged and how often turned away.
fn refusals(service: &Oathgated, account: &str) -> (usize, u64, u64) {
    let (account, verdict) = (Some(account.to_owned()), Some("refuse".to_owned()));
    let filter = AuditFilter { account, verdict, limit: 1000, ..AuditFilter::default() };
    let Outcome::Audit(rows) = service.administrator().ask(Ask::Audit(filter)) else { panic!("no audit") };
    let count = |reason: &str| rows.iter().filter(|row| row.reason == reason).map(|row| row.count).sum();
    (rows.len(), count("wrong code"), count("too many failures lately"))
}

/// Bytes in the folder of the store.
fn size(service: &Oathgated) -> u64 {
    let folder = std::fs::read_dir(service.store().parent().unwrap()).unwrap();
    folder.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn guesses_from_two_hundred_processes() {
    if flood_if_asked() {
        return;
    }
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: needs root, to guess as somebody else");
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let service = Oathgated::start();
    let (own, administrator) = (id("-un"), service.administrator());
    administrator.enrol(hotp(GUESSED, GUESSED, None, "phone"));
    let device = administrator.enrol(hotp(&own, &own, None, "phone"));
    let before = size(&service);
    let begun = Instant::now();
    // Half of them as the account's own uid, half as a front end that runs as root.
    let sockets = [(1, service.public_socket()), (0, service.root_socket())];
    let one = |uid: u32, socket: &PathBuf| flood("guesses", "guesses_from_two_hundred_processes", uid, socket);
    let mut guessers: Vec<Running> =
        (0..100).flat_map(|_| sockets.each_ref().map(|(uid, socket)| one(*uid, socket))).collect();
    guessers.iter().for_each(|guesser| drop(guesser.stdout.expect("flooding", Duration::from_secs(20))));
    let mut longest = Duration::ZERO;
    for counter in 0..40 {
        let socket = if counter % 2 == 0 { service.root_socket() } else { service.public_socket() };
        let (took, accepted) = verify(&socket, &device, counter);
        assert!(accepted && took < PATIENCE, "login {counter} at {}: {accepted}, {took:?}", socket.display());
        longest = longest.max(took);
    }
    guessers.iter_mut().for_each(Running::close);
    let mut told = [0; 3];
    for guesser in &guessers {
        let said = guesser.stdout.expect("told ", Duration::from_secs(20)) + &guesser.stdout.expect("\n", DEADLINE);
        assert!(!said.contains("ACCEPTED"));
        let line = said.lines().last().unwrap();
        told.iter_mut().zip(line.split(' ')).for_each(|(sum, count)| *sum += count.parse::<u64>().unwrap());
    }
    let (rows, judged, throttled) = refusals(&service, GUESSED);
    let grown = size(&service).saturating_sub(before);
    println!("told {told:?}; {judged} judged, {throttled} throttled in {rows} rows, {grown} bytes, others {longest:?}");
    // Two doors, and every half minute three more at each.
    let allowed = 2 * 3 * (1 + begun.elapsed().as_secs() / 30);
    assert!((3..=allowed).contains(&judged), "{judged} judged, {allowed} allowed");
    assert!(judged >= told[0] && throttled >= told[1] && throttled > 1000, "none is lost");
    // A write-ahead log that is checkpointed, and a row a minute for those that are alike.
    assert!(grown < 8 << 20 && rows < 20, "{grown} bytes, {rows} rows");
}

#[test]
fn of_64_wrong_codes_at_once_none_is_lost_and_three_are_judged() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let service = Oathgated::start();
    let own = rustix::process::getuid().as_raw();
    let device = service.administrator().enrol(hotp(GUESSED, GUESSED, None, "phone"));
    let (wrong, socket, together) = (device.wrong_code(), service.root_socket(), Barrier::new(64));
    let guess = || {
        together.wait();
        match ask(&socket, own, GUESSED, &wrong) {
            Ok(Outcome::Refused { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    };
    let reasons: Vec<Reason> = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..64).map(|_| scope.spawn(guess)).collect();
        guesses.into_iter().map(|guess| guess.join().unwrap()).collect()
    });
    let count = |reason: Reason| reasons.iter().filter(|other| **other == reason).count() as u64;
    let (judged, throttled) = (count(Reason::Wrong), count(Reason::Throttled));
    assert_eq!((judged, throttled), (3, 61));
    assert_eq!(refusals(&service, GUESSED), (2, judged, throttled));
}
