//! What stays in the host's memory after a login.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use oathgate_tests::fake_verifier::Act;
use oathgate_tests::process::{PATIENCE, Running};
use otp_wire::{Ask, Outcome, Request};

use crate::world::{CODE, Pam, asks, refuses, usual};

type Answer = fn(&Request) -> Act;

#[test]
fn no_code_stays_in_memory() {
    let after: [(&str, Answer); 4] = [
        ("PAM_SUCCESS", usual),
        ("PAM_AUTH_ERR", |request| match &request.ask {
            Ask::Begin(_) => Act::Say(asks()),
            _ => Act::Say(refuses()),
        }),
        ("PAM_AUTHINFO_UNAVAIL", |request| match &request.ask {
            Ask::Begin(_) => Act::Say(asks()),
            _ => Act::Close,
        }),
        ("PAM_AUTHINFO_UNAVAIL", |request| match &request.ask {
            Ask::Begin(_) => Act::Say(asks()),
            _ => Act::Say(Outcome::Undecided("no store".to_owned())),
        }),
    ];
    for (expected, act) in after {
        let pam = Pam::new("debug");
        let _verifier = pam.verifier(act);
        let mut host = Running::start(&mut pam.host("su", "alice", &["--hold"]));
        host.stdout.expect("Verification code: ", PATIENCE);
        host.send(&format!("{CODE}\n"));
        host.stdout.expect(&format!("result {expected}\nheld\n"), PATIENCE);
        let places = search(host.pid(), CODE.as_bytes());
        assert!(places.is_empty(), "the code after {expected} is still in {places:?}");
        // The search finds what is there.
        assert!(!search(host.pid(), b"pam_host").is_empty());
        host.send("\n");
    }
}

/// PAM's own copy is wiped by libpam when the transaction ends.
#[test]
fn no_password_stays_in_memory() {
    const PASSWORD: &str = "nine red herons stand in the shallow water at dawn and wait";
    for (expected, act) in [
        ("PAM_SUCCESS", usual as Answer),
        ("PAM_AUTH_ERR", |request| match &request.ask {
            Ask::Begin(_) => Act::Say(asks()),
            _ => Act::Say(refuses()),
        }),
    ] {
        let pam = Pam::new("debug forward_pass");
        let _verifier = pam.verifier(act);
        let mut host = Running::start(&mut pam.host("su", "alice", &["--hold"]));
        host.stdout.expect("Password & verification code: ", PATIENCE);
        host.send(&format!("{PASSWORD}{CODE}\n"));
        host.stdout.expect(&format!("result {expected}\nheld\n"), PATIENCE);
        // What free(3) writes over the beginning of a buffer wipes nothing.
        for secret in [&PASSWORD[32..], CODE] {
            let places = search(host.pid(), secret.as_bytes());
            assert!(places.is_empty(), "{secret} after {expected} is still in {places:?}");
        }
        host.send("\n");
    }
}

/// Where `text` is in the writable memory of a process.
fn search(pid: u32, text: &[u8]) -> Vec<String> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("a child of ours");
    let memory = File::open(format!("/proc/{pid}/mem")).expect("a child of ours");
    let writable = maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.starts_with("rw")));
    writable.filter(|line| read(&memory, line).is_ok_and(|bytes| contains(&bytes, text))).map(str::to_owned).collect()
}

fn read(memory: &File, line: &str) -> io::Result<Vec<u8>> {
    let range = line.split(' ').next().and_then(|range| range.split_once('-')).expect("a range");
    let number = |text| u64::from_str_radix(text, 16).expect("a hexadecimal number");
    let (start, end) = (number(range.0), number(range.1));
    let mut bytes = vec![0; usize::try_from(end - start).expect("not that large")];
    memory.read_exact_at(&mut bytes, start)?;
    Ok(bytes)
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
