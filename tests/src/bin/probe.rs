//! What a program finds when it starts: `probe [ARGUMENT…]` prints whatever a
//! process inherits, a line each, so that two ways of starting it can be
//! compared. What Rust changes before `main` (SIGPIPE) must be looked at before.

#![allow(clippy::expect_used)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::{getpgrp, getpid, getppid, getsid};

fn main() {
    for argument in std::env::args_os() {
        show("argument", argument.as_bytes());
    }
    folder();
    standing();
    limits();
    status();
    descriptors();
    environment();
}

fn show(name: &str, value: &[u8]) {
    println!("{name}: {}", value.escape_ascii());
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn folder() {
    show("folder", std::env::current_dir().expect("a folder").as_os_str().as_bytes());
    show("root", fs::read_link("/proc/self/root").expect("/proc").as_os_str().as_bytes());
}

/// Groups and session, told by whether they are this process.
fn standing() {
    let this = getpid();
    println!("leads its process group: {}", getpgrp() == this);
    println!("leads its session: {}", getsid(None) == Ok(this));
    let parent = getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    print!("parent: {}", read(&format!("/proc/{parent}/comm")));
    let terminal = fs::File::options().read(true).write(true).open("/dev/tty");
    match &terminal {
        Ok(terminal) => println!("in the foreground: {}", rustix::termios::tcgetpgrp(terminal) == Ok(getpgrp())),
        Err(error) => println!("no terminal: {error}"),
    }
    println!("dumpable: {:?}", rustix::process::dumpable_behavior());
    println!("signal at the parent's end: {:?}", rustix::process::parent_process_death_signal());
    println!("nice: {:?}", rustix::process::getpriority_process(None));
    println!("children: {:?}", read(&format!("/proc/self/task/{this}/children")));
}

fn limits() {
    print!("{}", read("/proc/self/limits"));
    for file in ["oom_score_adj", "timerslack_ns", "coredump_filter", "personality", "cgroup", "attr/current"] {
        println!("{file}: {}", read(&format!("/proc/self/{file}")).trim());
    }
}

/// Signals, credentials and capabilities, as proc_pid_status(5) has them.
fn status() {
    let watched = ["Umask", "Uid", "Gid", "Groups", "Threads", "Shd", "Sig", "Cap", "NoNewPrivs", "Seccomp", "Cpus"];
    for line in read("/proc/self/status").lines().filter(|line| watched.iter().any(|name| line.starts_with(name))) {
        // How many signals wait, of how many: others of this uid have theirs too.
        if !line.starts_with("SigQ") {
            println!("{line}");
        }
    }
}

/// Each open one: what it is, and its flags.
fn descriptors() {
    let mut open: Vec<i32> = fs::read_dir("/proc/self/fd")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    open.sort_unstable();
    for number in open {
        let Ok(target) = fs::read_link(format!("/proc/self/fd/{number}")) else { continue };
        let info = read(&format!("/proc/self/fdinfo/{number}"));
        let flags = info.lines().find(|line| line.starts_with("flags:")).unwrap_or_default();
        println!("descriptor {number}: {} {flags}", kind(&target));
    }
}

/// A descriptor's target without the number of its own.
fn kind(target: &Path) -> String {
    let text = target.display().to_string();
    match text.split_once(":[") {
        Some((kind, _)) => kind.to_owned(),
        None if text.starts_with("/dev/pts/") => "/dev/pts".to_owned(),
        None => text,
    }
}

fn environment() {
    let mut bytes = fs::read("/proc/self/environ").expect("/proc");
    bytes.pop();
    let mut variables: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    variables.sort_unstable();
    for variable in variables {
        show("variable", OsStr::from_bytes(variable).as_bytes());
    }
}
