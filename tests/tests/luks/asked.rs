//! `oathgate luks` where there is no terminal.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use oathgate_tests::built::bin;
use oathgate_tests::process::{Finished, PATIENCE, Running};
use otp_wire::socket::timespec;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify;

use crate::machine::Machine;
use crate::world::{Disk, PIN, Pipe, good, hotp, ready, shown, token};

const SYSTEMD: &str = "/usr/bin/systemd-ask-password";
const ASKPASS: &str = "/lib/cryptsetup/askpass";

/// Tries the disk on the machine; there is no terminal in a session of its own.
fn open(machine: &Machine, disk: &Disk) -> Finished {
    bin("oathgate-luks");
    let (program, path) = (bin("oathgate"), disk.path());
    machine.run(&["setsid", "-w", program.to_str().unwrap(), "luks", "open", path.to_str().unwrap(), "--test"], &[])
}

fn answer(counter: u64) -> String {
    format!("{PIN}{}", shown(counter))
}

#[test]
fn askpass_asks_which_disk_it_is_and_what_was_wrong() {
    if !ready() {
        return;
    }
    let disk = Disk::with(&token(hotp(), 0));
    let opened = open(&Machine::new(&["wrong000000", &answer(0)]), &disk);
    good(&opened);
    let question = format!("{}: PIN and code: ", disk.path().display());
    assert_eq!(opened.stderr.matches(&question).count(), 2, "{}", opened.stderr);
    assert!(opened.stderr.lines().any(|line| line.contains("Wrong PIN") && line.contains(&question)));
    assert_eq!(disk.token().state.next, 1);
    for secret in [PIN, &shown(0)] {
        assert!(!opened.stderr.contains(secret) && !opened.text().contains(secret));
    }
}

#[test]
fn where_nobody_can_be_asked_it_says_so() {
    if !ready() {
        return;
    }
    let (disk, machine) = (Disk::with(&token(hotp(), 0)), Machine::new(&[]));
    machine.program("cryptsetup/askpass", "#!/bin/sh\nexit 1\n");
    let refused = open(&machine, &disk);
    assert!(refused.code() == Some(1) && refused.stderr.contains("nobody answered"), "{}", refused.stderr);
    fs::remove_file(machine.path("cryptsetup/askpass")).unwrap();
    let refused = open(&machine, &disk);
    assert!(refused.stderr.contains("nobody can be asked") && refused.stderr.contains("--stdin"), "{}", refused.stderr);
    assert_eq!(disk.token().failures.all, 0);
}

/// One question of systemd-ask-password's, in the folder of its agents.
fn question(folder: &Path, event: &rustix::fd::OwnedFd) -> (String, String) {
    assert_eq!(poll(&mut [PollFd::new(event, PollFlags::IN)], Some(&timespec(PATIENCE))), Ok(1), "nobody asks");
    let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(event, &mut buffer);
    loop {
        let name = events.next().unwrap().file_name().map(|name| name.to_str().unwrap().to_owned());
        let Some(name) = name.filter(|name| name.starts_with("ask.")) else { continue };
        let text = fs::read_to_string(folder.join(name)).unwrap();
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        return (field("Message="), field("Socket="));
    }
}

#[test]
fn systemds_agents_are_asked_where_it_runs() {
    if !ready() {
        return;
    }
    if !Path::new(SYSTEMD).exists() || !rustix::process::geteuid().is_root() {
        eprintln!("skipped: needs {SYSTEMD}, and root, who alone may answer it");
        return;
    }
    bin("oathgate-luks");
    let (disk, folder) = (Disk::with(&token(hotp(), 0)), tempfile::tempdir().unwrap());
    let event = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&event, folder.path(), inotify::WatchFlags::MOVED_TO).unwrap();
    let agents = ["--bind", folder.path().to_str().unwrap(), "/run/systemd/ask-password"];
    let mut command: Command =
        Disk::inside(&[&["--new-session", "--dir", "/run/systemd/system"], &agents[..]].concat());
    let mut running = Running::start(command.arg(bin("oathgate")).args(["luks", "open", "--test"]).arg(disk.path()));
    for answer in ["wrong000000", &answer(0)] {
        let (message, socket) = question(folder.path(), &event);
        assert!(message.contains(&format!("{}: PIN and code:", disk.path().display())), "{message}");
        let socket = folder.path().join(Path::new(&socket).file_name().unwrap());
        UnixDatagram::unbound().unwrap().send_to(format!("+{answer}").as_bytes(), socket).unwrap();
    }
    assert_eq!(running.wait(PATIENCE).code(), Some(0));
    assert_eq!(disk.token().state.next, 1);
}

#[test]
fn the_real_askpass_is_answered_by_its_pipe() {
    if !ready() {
        return;
    }
    if !Path::new(ASKPASS).exists() {
        eprintln!("skipped: needs {ASKPASS}");
        return;
    }
    let (disk, machine) = (Disk::with(&token(hotp(), 0)), Machine::new(&[]));
    fs::copy(ASKPASS, machine.path("cryptsetup/askpass")).unwrap();
    let pipe = Pipe::new(machine.path("cryptsetup/passfifo"));
    let writer = std::thread::spawn(move || pipe.writer().write_all(answer(0).as_bytes()).unwrap());
    let opened = open(&machine, &disk);
    writer.join().unwrap();
    good(&opened);
    assert_eq!(disk.token().state.next, 1);
}
