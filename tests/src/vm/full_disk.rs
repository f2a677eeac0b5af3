//! A store on a small ext4 volume that somebody else fills.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use otp_wire::{Ask, DEADLINE, Error, Login, Outcome, Reply, Request, SERVICE_USER, SecretText, SocketVerifier};
use otp_wire::{Verifier, Verify};

use crate::scenario::Next;
use crate::system::{Person, install, must, property, step};

const STORE: &str = "/var/lib/oathgate";
const FILL: &str = "/var/lib/oathgate/fill";
/// Logins that the reserve is made for.
const PROMISED: u64 = 1000;

/// Fills the volume, logs in until the reserve is gone, and makes room again.
pub fn run(_boot: u32) -> Next {
    step("a small ext4 volume for the store");
    must(&["mkfs.ext4", "-q", "/dev/disk/by-id/virtio-data"]);
    must(&["mkdir", "-p", STORE]);
    must(&["mount", "/dev/disk/by-id/virtio-data", STORE]);
    install();
    let (ann, process) = (Person::new("ann"), property("oathgated.service", "MainPID"));
    let verifier = verifier();
    step("full to the last block");
    fill();
    step("1000 further logins");
    for counter in 0..PROMISED {
        accepted(&verifier, &ann, counter).unwrap_or_else(|said| panic!("login {counter}: {said}"));
    }
    step("until the reserve is gone");
    let (next, said) = until_refused(&verifier, &ann);
    println!("  login {next}: {said}");
    assert!(said.contains("full"), "{said}");
    let told = ann.verify(ann.name, &ann.code(next));
    assert_eq!(told.code(), Some(3), "{}{}", told.text(), told.stderr);
    step("room again, and no restart");
    fs::remove_file(FILL).expect("our file");
    ann.comes_in(next);
    ann.is_refused_as_used(&ann.code(next));
    assert_eq!(property("oathgated.service", "MainPID"), process);
    must(&["oathgate", "doctor"]);
    Next::Done
}

/// Until not even one byte more has room.
fn fill() {
    let mut file = File::options().append(true).create(true).open(FILL).expect("an inode");
    for size in [1 << 20, 4096, 1] {
        let block = vec![1; size];
        while file.write_all(&block).is_ok() {}
    }
    let _ = file.sync_all();
}

fn verifier() -> SocketVerifier {
    let uid = must(&["id", "-u", SERVICE_USER]).parse().expect("a uid");
    SocketVerifier::new(Path::new("/run/oathgate/root"), vec![0, uid])
}

/// Whether a login by su would be let in; otherwise what was said instead.
fn accepted(verifier: &SocketVerifier, ann: &Person, counter: u64) -> Result<(), String> {
    let login = Login { account: ann.name.to_owned(), service: "su".to_owned(), ..Login::default() };
    let code = SecretText::typed(ann.code(counter).as_bytes());
    let request = Request::new(Ask::Verify(Verify { login, code, credential: None })).expect("random numbers");
    let reply: Result<Reply, Error> = verifier.ask(&request, Instant::now() + DEADLINE);
    match reply.map(|reply| reply.outcome) {
        Ok(Outcome::Accepted { .. }) => Ok(()),
        Ok(other) => Err(format!("{other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Whoever fills the volume goes on. The first login that nothing is left for,
/// and what is said to it.
fn until_refused(verifier: &SocketVerifier, ann: &Person) -> (u64, String) {
    for counter in PROMISED..20 * PROMISED {
        if counter % 100 == 0 {
            fill();
        }
        if let Err(said) = accepted(verifier, ann, counter) {
            return (counter, said);
        }
    }
    panic!("the volume is never full");
}
