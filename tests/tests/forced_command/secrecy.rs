//! Where codes must not be found: arguments, environments, logs, memory.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use oathgate_tests::process::Running;

use crate::world::{Real, Scripted, one_code};

/// The processes with `text` in the named file of theirs.
pub fn holding(file: &str, text: &str) -> Vec<u32> {
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let found = |pid: &u32| {
        let content = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        content.windows(text.len()).any(|window| window == text.as_bytes())
    };
    pids.filter(found).collect()
}

/// How often `text` stands in the memory that a process can write to.
fn in_memory(pid: u32, text: &str) -> usize {
    let memory = File::open(format!("/proc/{pid}/mem")).expect("root may read it");
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut found = 0;
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.starts_with("rw"))) {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let (from, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        let mut content = vec![0; usize::try_from(to - from).unwrap()];
        if memory.read_exact_at(&mut content, from).is_ok() {
            found += content.windows(text.len()).filter(|window| *window == text.as_bytes()).count();
        }
    }
    found
}

#[test]
fn a_code_is_in_no_argument_and_no_environment() {
    let world = Scripted::new(one_code);
    // A command that stays, behind a code in the environment.
    let mut command = world.client().ssh(&["-T"], Some("echo in; cat".as_ref()));
    let mut session = Running::start(command.env("LC_OTP", "ABCD-EFGH-IJKL-2345"));
    session.stdout.expect("in\n", Duration::from_secs(20));
    // Only the client itself, which was given it.
    assert_eq!(holding("environ", "ABCD-EFGH-IJKL-2345"), [session.pid()]);
    assert_eq!(holding("cmdline", "ABCD-EFGH-IJKL-2345"), [0; 0]);
    session.close();
    assert!(session.wait(Duration::from_secs(20)).success());
    assert!(!world.sshd.log().contains("ABCD-EFGH-IJKL-2345"));
}

#[test]
fn other_processes_of_the_same_uid_cannot_look_into_it() {
    let world = Scripted::new(one_code);
    let session = world.client().session(None);
    session.expect("Code (phone): ");
    let pid = holding("cmdline", &world.key.fingerprint)[0];
    // What may not be dumped belongs to root, whoever runs it.
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(format!("/proc/{pid}/environ")).unwrap());
    assert_eq!(owner, 0);
    if !rustix::process::getuid().is_root() {
        assert!(File::open(format!("/proc/{pid}/mem")).is_err());
    }
}

/// Types a wrong code, and waits until the next one is asked for.
fn after_a_wrong_code(world: &Real, check: impl FnOnce(u32, &str)) {
    let alice = world.enrol("alice");
    let wrong = alice.device.wrong_code();
    let mut session = alice.client.session(None);
    session.expect("Code (alice): ");
    session.send(&format!("{wrong}\r"));
    session.expect("Code (alice): ");
    let pid = holding("cmdline", &alice.key.fingerprint)[0];
    assert!(in_memory(pid, &alice.key.fingerprint) > 0, "the search finds what is there");
    check(pid, &wrong);
}

#[test]
fn ssh_otp_wipes_a_code_that_was_not_spent() {
    if !rustix::process::getuid().is_root() {
        return; // nobody else can look
    }
    after_a_wrong_code(&Real::new(), |pid, wrong| assert_eq!(in_memory(pid, wrong), 0));
}

#[test]
fn oathgated_wipes_a_code_that_was_not_spent() {
    if !rustix::process::getuid().is_root() {
        return; // nobody else can look
    }
    let world = Real::new();
    after_a_wrong_code(&world, |_, wrong| assert_eq!(in_memory(world.service.running().pid(), wrong), 0));
}
