//! 1 to 5: a code is accepted once, whatever happens in between.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use otp_wire::message::{Everything, Outcome, Reason, Reply, VERSION};
use otp_wire::{DEADLINE, Error, Request, SocketVerifier, Verifier, frame};
use rustix::process::{Pid, Signal, kill_process};

use crate::common::traced::Traced;
use crate::common::*;
use crate::device::*;

#[test]
fn r01_a_step_or_counter_is_accepted_once_under_any_number_of_parallel_tries() {
    let running = Running::start();
    let (root, account) = (running.verifier("root"), own_name());
    let (hotp, totp) = (Device::enrol(&root, &account, "hotp"), Device::enrol(&root, &account, "totp"));
    // By both sockets, and so at different doors.
    let race = |typed: &str| {
        at_once(24, |number| {
            let socket = if number % 2 == 0 { "root" } else { "socket" };
            ask(&running.verifier(socket), verify(typed)).unwrap()
        })
    };
    for counter in 0..10 {
        assert_once(&race(&hotp.code(counter)));
    }
    assert_once(&race(&totp.code(otp_service::now() / 30)));
}

fn assert_once(told: &[Outcome]) {
    assert_eq!(told.iter().filter(|outcome| is_accepted(outcome)).count(), 1, "{told:?}");
    let replays = told.iter().filter(|outcome| refused(outcome) == Some(Reason::Replayed)).count();
    assert_eq!(replays, told.len() - 1, "{told:?}");
}

/// Ended at any moment under load: `kill.rs`, and the end-to-end suite `faults`.
#[test]
fn r02_a_code_is_accepted_once_though_the_verifier_is_paused_or_killed() {
    let mut running = Running::start();
    let device = Device::enrol(&running.verifier("root"), "daemon", "hotp");
    for round in 0..12 {
        let requests = [(); 6].map(|()| Request::new(verify_as("daemon", &device.code(round))).unwrap());
        let told = interrupted(&mut running, &requests, round);
        let again = requests.each_ref().map(|request| tell(&running, request, DEADLINE).unwrap());
        assert_once(&again);
        for (first, again) in told.iter().zip(&again) {
            assert!(first.as_ref().is_none_or(|first| first == again), "round {round}: {first:?}, then {again:?}");
        }
    }
}

/// What is told to those who ask while the verifier is stopped, at another
/// moment in each round; it goes on afterwards, or is started anew.
fn interrupted(running: &mut Running, requests: &[Request], round: u64) -> Vec<Option<Outcome>> {
    let id = Pid::from_child(&running.child);
    let told = at_once(requests.len() + 1, |number| match requests.get(number) {
        Some(request) => tell(running, request, Duration::from_millis(250)),
        None => {
            // Already when they ask, or while it judges.
            (0..round * 20).for_each(|_| std::thread::yield_now());
            kill_process(id, Signal::STOP).unwrap();
            None
        }
    });
    if round.is_multiple_of(3) {
        running.restart(|_| {});
    } else {
        kill_process(id, Signal::CONT).unwrap();
    }
    told
}

fn tell(running: &Running, request: &Request, patience: Duration) -> Option<Outcome> {
    let reply = running.verifier("root").ask(request, Instant::now() + patience);
    reply.ok().map(|reply| reply.outcome)
}

/// More ways to answer badly: the PAM module's suite, `bad_verifiers`.
#[test]
fn r03_an_ambiguous_outcome_is_never_ok_and_a_retry_gets_the_same_verdict() {
    let running = Running::start();
    let device = Device::enrol(&running.verifier("root"), "daemon", "hotp");
    let request: Request = Request::new(verify_as("daemon", &device.code(0))).unwrap();
    let line = frame::encode(&request, frame::MAX_REQUEST).unwrap();
    let accepted = |id| {
        let outcome =
            Outcome::<Everything>::Accepted { credential: None, label: None, scratch_left: None, digits: None };
        frame::encode(&Reply { v: VERSION, id, outcome }, frame::MAX_REPLY).unwrap().to_vec()
    };
    let (right, foreign) = (accepted(request.id.clone()), accepted(otp_wire::message::RequestId::random().unwrap()));
    let doubled = [right.as_slice(), &right].concat();
    for bad in [b"".as_slice(), &right[..right.len() / 2], &right[..right.len() - 1], &foreign, &doubled] {
        let told = fake(bad, &request);
        assert!(told.is_err(), "{told:?} to {:?}", String::from_utf8_lossy(bad));
    }
    assert!(fake(&right, &request).is_ok(), "the fake is well made");

    // The asker is gone before the answer is there.
    UnixStream::connect(running.path("root")).unwrap().write_all(&line).unwrap();
    for _ in 0..3 {
        assert!(is_accepted(&tell(&running, &request, DEADLINE).unwrap()), "the same request");
    }
    let other = ask(&running.verifier("root"), verify_as("daemon", &device.code(0))).unwrap();
    assert_eq!(refused(&other), Some(Reason::Replayed), "another request");
}

/// What an asker makes of a verifier that says these bytes and hangs up.
fn fake(says: &[u8], request: &Request) -> Result<Outcome, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::scope(|scope| {
        let asker = scope.spawn(|| {
            let verifier = SocketVerifier::new(&path, vec![own_uid()]);
            verifier.ask(request, Instant::now() + DEADLINE).map(|reply| reply.outcome)
        });
        while !asker.is_finished() {
            // An asker who was hung up on may try again.
            listener.set_nonblocking(true).unwrap();
            let Ok((mut stream, _)) = listener.accept() else {
                std::thread::yield_now();
                continue;
            };
            stream.set_nonblocking(false).unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(says);
        }
        asker.join().unwrap()
    })
}

/// That nothing is left unsynced at the answer: the end-to-end suite `faults`.
#[test]
fn r04_an_acceptance_is_durable_before_it_is_told() {
    let Some(traced) = Traced::start() else { return };
    let device = Device::enrol(&traced.running.verifier("root"), "daemon", "hotp");
    for counter in 0..5 {
        let (outcome, work) = traced.measured(verify_as("daemon", &device.code(counter)));
        assert!(is_accepted(&outcome) && work.syncs >= 1 && work.writes >= 1, "{outcome:?}: {work:?}");
    }
}

#[test]
fn r05_a_restored_back_up_revives_no_code() {
    let revive: [fn(&Path); 2] = [
        |_| {},
        // With the store, what was used since is forgotten.
        |folder| files_below(&folder.join("var")).iter().for_each(|file| fs::remove_file(file).unwrap()),
    ];
    for (number, lose) in revive.into_iter().enumerate() {
        let mut running = Running::start();
        let root = |running: &Running| running.verifier("root");
        let hotp = Device::enrol(&root(&running), "daemon", "hotp");
        let totp = Device::enrol(&root(&running), "bin", "totp");
        let copy = oathgated(running.folder.path(), &["--backup"]).stdout;
        fs::write(running.path("copy"), copy).unwrap();
        let present = otp_service::now() / 30;
        let spent = [("daemon", hotp.code(0)), ("daemon", hotp.scratch(0).to_owned()), ("bin", totp.code(present))];
        for (account, typed) in &spent {
            assert!(is_accepted(&ask(&root(&running), verify_as(account, typed)).unwrap()), "{account}");
        }
        running.restart(|folder| {
            lose(folder);
            let copy = fs::File::open(folder.join("copy")).unwrap();
            assert!(command(folder, &["--restore"]).stdin(copy).status().unwrap().success());
        });
        for (account, typed) in &spent {
            let told = ask(&root(&running), verify_as(account, typed)).unwrap();
            assert!(refused(&told).is_some(), "{number}, {account}: {told:?}");
        }
    }
}
