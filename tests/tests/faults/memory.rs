//! No memory: at every allocation in turn.

use std::fs;
use std::time::{Duration, Instant};

use oathgate_tests::built::library;
use oathgate_tests::fake_verifier::{Act, FakeVerifier};
use oathgate_tests::process::run;
use oathgate_tests::shim::{Calls, Fault, Faults};
use otp_wire::message::Reason;
use otp_wire::{Ask, Outcome};
use rustix::io::Errno;

use crate::bare;
use crate::disk::World;
use crate::person::{Tried, ask, root, rounds};

const ONCE: Fault = Fault { errno: Some(Errno::NOMEM), lasting: false };
const LASTING: Fault = Fault { errno: Some(Errno::NOMEM), lasting: true };

/// Numbers of calls to let fail, of `all`: all of them in a long soak.
fn some(all: u64, usual: u64) -> impl Iterator<Item = u64> {
    (1..=all).step_by(usize::try_from((all / rounds(usual)).max(1)).unwrap())
}

/// How many allocations a login takes in the verifier.
fn allocations(world: &mut World) -> u64 {
    world.faults.begin(Calls::Memory, ONCE, u64::MAX);
    assert_eq!(world.person.log_in(&root(&world.service)), Tried::Accepted);
    world.faults.end();
    world.faults.seen()
}

#[test]
fn a_verifier_without_memory_decides_or_ends() {
    let mut world = World::new();
    let all = allocations(&mut world);
    let mut ended = 0;
    for fault in [ONCE, LASTING] {
        for first in some(all, 40) {
            let case = format!("{fault} allocation {first} of {all}");
            world.faults.begin(Calls::Memory, fault, first);
            let begun = Instant::now();
            let tried = world.person.log_in(&root(&world.service));
            assert!(tried != Tried::Accepted || world.faults.log_is_synced(), "{case}");
            assert!(begun.elapsed() < Duration::from_secs(6), "{case}: {:?}", begun.elapsed());
            world.faults.end();
            if !world.answers() {
                ended += 1;
                world.restart();
            }
            world.person.recovers(&root(&world.service), &case);
            world.person.is_audited(&root(&world.service), &case);
        }
    }
    println!("{all} allocations a login; the verifier ended {ended} times");
    assert!(ended > 0);
    world.recovers("in the end");
}

/// Where nothing is remembered of an account, `nullok` lets it pass.
#[test]
fn a_verifier_without_memory_forgets_nobody() {
    let mut world = World::new();
    let all = allocations(&mut world);
    for fault in [ONCE, LASTING] {
        for first in some(all, 100) {
            world.faults.begin(Calls::Memory, fault, first);
            let outcome = ask(&root(&world.service), Ask::Begin(world.person.login()));
            world.faults.end();
            assert!(!matches!(outcome, Ok(Outcome::Pass {} | Outcome::Absent { .. })), "{fault} {first}: {outcome:?}");
            if !world.answers() {
                world.restart();
            }
        }
    }
    world.recovers("in the end");
}

/// Everybody who waits is hung up on, and asks in vain.
#[test]
fn who_waits_at_a_verifier_that_ends_is_refused() {
    let mut world = World::new();
    let all = allocations(&mut world);
    for first in some(all, 10) {
        world.faults.begin(Calls::Memory, LASTING, first);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                let (verifier, person) = (root(&world.service), &world.person);
                scope.spawn(move || {
                    // None of these codes is the next one, so nobody may come in.
                    let tried = person.try_code(&verifier, person.next - 1);
                    assert!(!matches!(tried, Tried::Accepted), "{tried:?}");
                });
            }
        });
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
        world.faults.end();
        if !world.answers() {
            world.restart();
        }
        world.person.recovers(&root(&world.service), &format!("from allocation {first}"));
    }
}

/// With every allocation in turn missing in the program that authenticates.
#[test]
fn a_host_without_memory_lets_nobody_in() {
    let folder = tempfile::Builder::new().prefix("oathgate-pam-").tempdir().unwrap();
    let socket = folder.path().join("socket");
    let module = library("libpam_oathgate.so");
    let stack = format!("auth required {} socket={}\n", module.display(), socket.display());
    fs::write(folder.path().join("su"), stack).unwrap();
    let verifier = FakeVerifier::start(&socket, |request| {
        Act::Say(match &request.ask {
            Ask::Begin(_) => Outcome::Ask { label: Some("phone".to_owned()), line: None },
            _ => Outcome::Refused { reason: Reason::Wrong, line: "That code is wrong.".to_owned() },
        })
    });
    let faults = Faults::new(folder.path());
    let host = || {
        let mut command = bare(env!("CARGO_BIN_EXE_pam_host"));
        command.arg(folder.path()).args(["su", "alice"]);
        run(faults.preload(&mut command), b"123456\n")
    };
    faults.begin(Calls::Memory, ONCE, u64::MAX);
    assert!(host().text().contains("result PAM_AUTH_ERR"));
    let all = faults.seen();
    let mut results = std::collections::BTreeMap::<String, u64>::new();
    for fault in [ONCE, LASTING] {
        for first in some(all, 150) {
            faults.begin(Calls::Memory, fault, first);
            let finished = host();
            let said = finished.text();
            assert!(!said.contains("PAM_SUCCESS"), "{fault} {first}: {said}");
            assert!(finished.took < Duration::from_secs(6), "{fault} {first}: {:?}", finished.took);
            let result = said.lines().find_map(|line| line.strip_prefix("result ")).unwrap_or("ended").to_owned();
            *results.entry(result).or_default() += 1;
        }
    }
    println!("{all} allocations of a host: {results:?}");
    assert!(!verifier.asked().is_empty());
}
