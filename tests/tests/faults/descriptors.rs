//! No descriptors: in the verifier, and in those who ask.

use std::fs;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

use oathgate_tests::oathgated::Oathgated;
use oathgate_tests::process::{PATIENCE, Running, run};
use otp_wire::Ask;
use otp_wire::socket::timespec;
use rustix::event::poll;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::front::Fronts;
use crate::person::{ACCOUNTS, Person, Tried, ask, own, root};

/// The deadline of a front end, and a little.
const SOON: Duration = Duration::from_secs(6);

/// Lets a process have so many descriptors; its limit before.
fn limit(pid: u32, descriptors: u64) -> u64 {
    let pid = Pid::from_raw(pid.cast_signed());
    // The upper limit stays, to be able to go back.
    let before = prlimit(pid, Resource::Nofile, Rlimit { current: Some(descriptors), maximum: Some(4096) }).unwrap();
    before.current.unwrap_or(4096).min(4096)
}

/// Descriptors of a process that has nothing to do: who answered hangs up a moment later.
fn at_rest(pid: u32) -> u64 {
    let open = |_| {
        let _ = poll(&mut [], Some(&timespec(Duration::from_millis(10))));
        fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64
    };
    (0..20).map(open).min().unwrap()
}

/// Only root may look into a process that can't be dumped.
fn skipped() -> bool {
    if own() != 0 {
        eprintln!("skipped: needs root");
    }
    own() != 0
}

fn world() -> (Oathgated, Person) {
    let service = Oathgated::start();
    let person = Person::enrol(&service.administrator(), ACCOUNTS[0]);
    (service, person)
}

#[test]
fn a_verifier_without_descriptors_refuses_and_recovers() {
    if skipped() {
        return;
    }
    let (mut service, mut person) = world();
    for more in 0..8 {
        service.stop();
        service.resume();
        // Its sockets are there before its store is open, and then it would end.
        assert!(ask(&root(&service), Ask::Status {}).is_ok());
        let pid = service.running().pid();
        let before = limit(pid, at_rest(pid) + more);
        let begun = Instant::now();
        let tried = person.log_in(&root(&service));
        assert!(begun.elapsed() < SOON, "{more} more: {:?}", begun.elapsed());
        assert!(more > 0 || tried != Tried::Accepted, "without any: {tried:?}");
        limit(pid, before);
        println!("{more} more: {tried:?} after {:?}", begun.elapsed());
        person.recovers(&root(&service), &format!("{more} more"));
    }
    person.is_audited(&root(&service), "in the end");
}

#[test]
fn idle_connections_that_take_all_descriptors() {
    if skipped() {
        return;
    }
    let (service, mut person) = world();
    let before = limit(service.running().pid(), 64);
    let descriptors = format!("/proc/{}/fd", service.running().pid());
    for round in 0..3 {
        let idle: Vec<UnixStream> = (0..100).map_while(|_| UnixStream::connect(service.root_socket()).ok()).collect();
        assert_eq!(idle.len(), 100);
        let begun = Instant::now();
        let tried = person.log_in(&root(&service));
        println!("behind 100 idle connections: {tried:?} after {:?}", begun.elapsed());
        assert!(begun.elapsed() < SOON, "round {round}: {:?}", begun.elapsed());
        drop(idle);
        let deadline = Instant::now() + PATIENCE;
        while fs::read_dir(&descriptors).unwrap().count() > 40 {
            assert!(Instant::now() < deadline, "idle connections are never left");
            std::thread::yield_now();
        }
        person.recovers(&root(&service), &format!("round {round}"));
    }
    limit(service.running().pid(), before);
    person.is_audited(&root(&service), "in the end");
}

#[test]
fn a_module_without_descriptors_refuses() {
    if skipped() {
        return;
    }
    let (service, mut person) = world();
    let fronts = Fronts::of(&service);
    for moment in ["paused\n", "Verification code"] {
        let mut host = Running::start(fronts.pam(&person.account).arg("--pause"));
        host.stdout.expect("paused\n", PATIENCE);
        if moment != "paused\n" {
            host.send("\n");
            host.stdout.expect(moment, PATIENCE);
        }
        limit(host.pid(), 3);
        let begun = Instant::now();
        let typed = if moment == "paused\n" { String::new() } else { person.code() };
        host.send(&format!("{typed}\n"));
        // libpam, which wants to tell the kernel's audit, has no descriptor either.
        let refusals = ["result PAM_AUTHINFO_UNAVAIL\n", "result PAM_SYSTEM_ERR\n"];
        let (_, said) = host.stdout.wait_for_any(&refusals, SOON).unwrap();
        assert!(begun.elapsed() < SOON && !said.contains("Hidden"), "{moment}: {said}");
        // Nobody was asked, so nothing was spent.
        assert_eq!(person.log_in(&root(&service)), Tried::Accepted, "{moment}");
    }
    person.recovers(&root(&service), "in the end");
}

/// Runs a front end with every small number of descriptors from its start on.
fn with_few(mut person: Person, service: &Oathgated, command: impl Fn(&Person) -> (Command, Vec<u8>), yes: &str) {
    let mut let_in = 0;
    for descriptors in 1..10 {
        let (command, input) = command(&person);
        let mut limited = Command::new("prlimit");
        limited.arg(format!("--nofile={descriptors}")).arg(command.get_program()).args(command.get_args());
        limited.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let finished = run(&mut limited, &input);
        let came_in = finished.text().contains(yes);
        assert!(finished.took < SOON, "{descriptors}: {:?}", finished.took);
        let tried = person.log_in(&root(service));
        assert!(!came_in || tried == Tried::Spent, "{descriptors}: let in, and then {tried:?}");
        let_in += usize::from(came_in);
    }
    assert!((1..9).contains(&let_in), "{let_in} of 9");
    person.recovers(&root(service), "in the end");
}

#[test]
fn a_host_with_few_descriptors() {
    let (service, person) = world();
    let fronts = Fronts::of(&service);
    let command = |person: &Person| (fronts.pam(&person.account), format!("{}\n", person.code()).into_bytes());
    with_few(person, &service, command, "result PAM_SUCCESS\n");
}

#[test]
fn a_forced_command_with_few_descriptors() {
    let (service, person) = world();
    let fronts = Fronts::of(&service);
    let command = |person: &Person| (fronts.ssh_otp(&person.account, Some(&person.code())), vec![]);
    with_few(person, &service, command, "in\n");
}

#[test]
fn a_forced_command_that_loses_its_descriptors_at_the_prompt() {
    if skipped() {
        return;
    }
    let (service, mut person) = world();
    let fronts = Fronts::of(&service);
    // script(1) gives it a terminal.
    let command = fronts.ssh_otp(&person.account, None);
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    let line = words.join(std::ffi::OsStr::new(" "));
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--flush", "--command"]).arg(&line).arg("/dev/null");
    script.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut session = Running::start(&mut script);
    session.stdout.expect("Code", PATIENCE);
    limit(forced_command(&service), 3);
    session.send(&format!("{}\r", person.code()));
    let said = session.stdout.expect("cannot check codes right now", SOON);
    assert!(!said.contains("in\r"), "{said}");
    assert_eq!(session.wait(SOON).code(), Some(1));
    assert_eq!(person.log_in(&root(&service)), Tried::Accepted);
    person.recovers(&root(&service), "in the end");
}

/// The process that asks `service`.
fn forced_command(service: &Oathgated) -> u32 {
    let socket = service.root_socket();
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let asks = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == socket.as_os_str().as_encoded_bytes())
            && fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "ssh-otp\n")
    };
    pids.into_iter().find(asks).expect("a forced command")
}
