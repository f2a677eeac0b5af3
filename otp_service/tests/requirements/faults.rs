//! 19 and 21: whatever fails, nobody is let in by it.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use otp_wire::message::Outcome;
use otp_wire::{Ask, DEADLINE, Error};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use crate::common::world::{ACCOUNT, NOW, login, verify};
use crate::common::*;
use crate::device::*;
use crate::watched::Watch;

/// What is said within five seconds; the reason of a refusal is in it.
fn tried(running: &Running, typed: &str) -> Result<Outcome, Error> {
    let begun = Instant::now();
    let told = ask(&running.verifier("root"), verify_as("daemon", typed));
    let took = begun.elapsed();
    assert!(took < DEADLINE + Duration::from_millis(500), "{took:?}");
    told
}

/// The reason why nothing could be decided.
fn undecided(told: Result<Outcome, Error>) -> String {
    match told {
        Ok(Outcome::Undecided(why)) => why,
        Err(why) => why.to_string(),
        Ok(other) => panic!("{other:?}"),
    }
}

#[test]
fn r19_without_a_verifier_it_is_refused_in_time_with_the_reason() {
    let mut running = Running::start();
    let device = Device::enrol(&running.verifier("root"), "daemon", "hotp");
    let id = Pid::from_child(&running.child);
    kill_process(id, Signal::STOP).unwrap();
    assert!(undecided(tried(&running, &device.code(0))).contains("in time"));
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    let begun = Instant::now();
    assert!(undecided(tried(&running, &device.code(0))).contains("root"), "which socket");
    assert!(begun.elapsed() < Duration::from_secs(1), "who is not there is not waited for");
}

/// Damaged, swapped and newer ones: `otp_store/tests/damage.rs`.
#[test]
fn r19_without_a_database_it_is_refused_with_the_reason() {
    let running = Running::start();
    let device = Device::enrol(&running.verifier("root"), "daemon", "hotp");
    let (store, aside) = (running.path("var/store.db"), running.path("var/aside"));
    fs::rename(&store, &aside).unwrap();
    let why = undecided(tried(&running, &device.code(0)));
    assert!(why.contains("store.db"), "{why}");
    let again = oathgated(running.folder.path(), &["--check"]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("store.db"), "{again:?}");
}

/// With the reserve, with EIO, short writes and a read-only disk: the
/// end-to-end suite `faults`, and `otp_store/tests/disk.rs`.
#[test]
fn r19_without_room_on_the_disk_it_is_refused_with_the_reason() {
    let Some(running) = on_a_small_disk() else { return };
    let device = Device::enrol(&running.verifier("root"), "daemon", "hotp");
    // The disk as the service sees it.
    let filler = Path::new("/proc").join(running.child.id().to_string()).join("root");
    let filler = filler.join(running.path("var/filler").strip_prefix("/").unwrap());
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    let full = (0..500).find_map(|counter| match tried(&running, &device.code(counter)) {
        Ok(Outcome::Accepted { .. }) => None,
        other => Some((counter, undecided(other))),
    });
    let (counter, why) = full.expect("no room at last");
    assert!(why.contains("full"), "{why}");
    fs::remove_file(&filler).unwrap();
    drop(file);
    assert!(is_accepted(&tried(&running, &device.code(counter)).unwrap()), "it was not spent");
}

/// A service whose store is on a disk without room for a reserve.
fn on_a_small_disk() -> Option<Running> {
    let folder = tempfile::tempdir().unwrap();
    assert!(oathgated(folder.path(), &["--init"]).status.success());
    let served = command(folder.path(), &[]);
    let script = "mount -t tmpfs -o size=1m,mode=0700 oathgate \"$1\" || exit 9; shift; \"$@\" --init && exec \"$@\"";
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]).arg(folder.path().join("var"));
    unshare.arg(served.get_program()).args(served.get_args()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = unshare.spawn().ok()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::os::unix::net::UnixStream::connect(folder.path().join("socket")).is_err() {
        if child.try_wait().unwrap().is_some() {
            println!("skipped: needs root, and a mount namespace");
            return None;
        }
        assert!(Instant::now() < deadline, "oathgated did not start");
        std::thread::yield_now();
    }
    Some(Running { folder, child })
}

/// At each allocation in turn: the end-to-end suite `faults`.
#[test]
fn r19_without_memory_it_is_refused_with_the_reason() {
    let mut running = Running::start();
    let device = Device::enrol(&running.verifier("root"), "daemon", "hotp");
    // One that has not hashed anything yet, and so holds no memory for it.
    running.restart(|_| {});
    assert!(is_accepted(&tried(&running, &device.code(0)).unwrap()));
    let statm = fs::read_to_string(format!("/proc/{}/statm", running.child.id())).unwrap();
    let data: u64 = statm.split(' ').nth(5).unwrap().parse().unwrap();
    let limit = Some(data * 4096 + (1 << 20));
    prlimit(Some(Pid::from_child(&running.child)), Resource::Data, Rlimit { current: limit, maximum: limit }).unwrap();
    let why = undecided(tried(&running, device.scratch(0)));
    assert!(!why.is_empty());
    running.restart(|_| {});
    assert!(is_accepted(&tried(&running, device.scratch(0)).unwrap()), "it was not spent");
}

/// At each call on the disk and each allocation in turn: the end-to-end suite `faults`.
#[test]
fn r21_a_fault_at_any_call_of_the_store_never_gives_ok() {
    let (world, watch) = Watch::world();
    let device = Device::of(world.at(NOW, Ask::Enrol(eight("hotp", ACCOUNT))));
    let hotp: fn(&Device, usize) -> String = |device, number| device.code(u64::try_from(number).unwrap());
    let kinds = [hotp, |device: &Device, number| device.scratch(number).to_owned()];
    for typed in kinds.map(|kind| kind(&device, 0)) {
        let question = || verify(login(ACCOUNT, &[]), &typed);
        let mut faults = 0;
        loop {
            watch.fail_at(faults + 1);
            let told = world.at(NOW, question());
            if is_accepted(&told) {
                break;
            }
            assert!(matches!(&told, Outcome::Undecided(why) if !why.is_empty()), "call {}: {told:?}", faults + 1);
            faults += 1;
        }
        watch.fail_at(0);
        assert!(faults >= 1 && watch.calls().len() > faults, "{faults} calls");
        assert!(refused(&world.at(NOW, question())).is_some(), "once");
    }
}
