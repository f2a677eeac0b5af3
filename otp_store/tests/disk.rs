//! A full and a read-only disk, as root on a small file system of its own in
//! memory: the test starts itself again in a mount namespace.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside of #[test] functions

mod common;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::*;
use otp_core::Input;
use otp_core::Limits;
use otp_core::record::Factor;
use otp_store::{AuditFilter, AuditRow, Change, Error, RESERVE, Store, Transaction, Whose};

const DISK: &str = "OATHGATE_TEST_DISK";

/// The small disk, when we run inside; `None` outside, after the test `name`
/// ran inside.
fn disk(name: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(DISK) {
        return Some(path.into());
    }
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=64m,mode=0700 oathgate \"$1\" && exec \"$2\" --exact \"$3\" --nocapture";
    let status = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"])
        .args([folder.path(), &std::env::current_exe().unwrap(), Path::new(name)])
        .env(DISK, folder.path())
        .status()
        .unwrap();
    assert!(status.success());
    None
}

/// Fills the disk to its last byte.
fn fill(disk: &Path) {
    let mut file = fs::File::options().append(true).create(true).open(disk.join("full")).unwrap();
    for size in [1 << 20, 4096, 1] {
        let block = vec![1; size];
        while file.write_all(&block).is_ok() {}
    }
}

/// A login with its audit row, as the service makes one.
fn login(store: &dyn Store, number: u64, code: &str) -> Result<bool, Error> {
    let input = Input::parse(code.as_bytes());
    let (tell, told) = std::sync::mpsc::channel();
    let change = Box::new(move |record: Option<otp_core::Record>| {
        let (accepted, record) = judge(record, &input);
        tell.send(accepted).unwrap();
        let (verdict, reason) = if accepted { ("accept", "code of x") } else { ("refuse", "code already used") };
        let row = AuditRow {
            at: NOW,
            verdict,
            reason: reason.to_owned(),
            account: "alice".to_owned(),
            ..AuditRow::default()
        };
        Change { record: Some(record), audit: vec![row], answer: b"{\"accepted\":{\"label\":\"phone\"}}".to_vec() }
    });
    store.transact(Transaction { mark: mark(number), whose: Whose::Owner(alice()), now: NOW + number / 10, change })?;
    Ok(told.recv().unwrap())
}

fn accepts(store: &dyn Store) -> u64 {
    let filter = AuditFilter { verdict: Some("accept".to_owned()), limit: 100_000, ..AuditFilter::default() };
    store.audit(&filter).unwrap().len() as u64
}

#[test]
fn a_full_disk_leaves_a_thousand_logins_then_refuses_then_recovers() {
    let Some(disk) = disk("a_full_disk_leaves_a_thousand_logins_then_refuses_then_recovers") else { return };
    let place = Place::at(tempfile::tempdir_in(&disk).unwrap());
    let store = place.open().unwrap();
    put(&store, 1, record(Factor::Hotp { next: 0 })).unwrap();
    assert_eq!(store.report(Limits::Usual, NOW).unwrap().reserve, RESERVE);

    fill(&disk);
    for counter in 0..1000 {
        assert!(login(&store, 10 + counter, &hotp(counter)).unwrap(), "login {counter} on a full disk");
    }
    assert!(store.report(Limits::Usual, NOW).unwrap().reserve < RESERVE, "the reserve was needed");

    // Whoever filled the disk goes on, until nothing is left.
    let mut next = 1000;
    let failure = loop {
        fill(&disk);
        match login(&store, 10 + next, &hotp(next)) {
            Ok(accepted) => assert!(accepted),
            Err(failure) => break failure,
        }
        next += 1;
        assert!(next < 20_000, "the disk is never full");
    };
    assert!(failure.to_string().contains("full"), "{failure}");
    assert_eq!(accepts(&store), next, "what was accepted is remembered, and nothing else");
    assert!(login(&store, 50_000, &hotp(next - 1)).is_err() && login(&store, 50_001, &hotp(next)).is_err());

    fs::remove_file(disk.join("full")).unwrap();
    assert!(!login(&store, 50_002, &hotp(next - 1)).unwrap(), "spent on the full disk");
    assert!(login(&store, 50_003, &hotp(next)).unwrap(), "never accepted, so not spent");
    assert_eq!(store.report(Limits::Usual, NOW).unwrap().reserve, RESERVE, "the reserve is made again");
    drop(store);
    let store = place.open().unwrap();
    assert_eq!(accepts(&store), next + 1);
    assert!(!login(&store, 50_004, &hotp(next)).unwrap());
}

#[test]
fn a_verifier_starts_on_a_full_disk() {
    let Some(disk) = disk("a_verifier_starts_on_a_full_disk") else { return };
    let place = Place::at(tempfile::tempdir_in(&disk).unwrap());
    put(&place.open().unwrap(), 1, record(Factor::Hotp { next: 0 })).unwrap();
    fill(&disk);
    let store = place.open().unwrap();
    assert!(login(&store, 2, &hotp(0)).unwrap());
}

#[test]
fn many_at_once_on_a_full_disk_are_all_decided_once() {
    let Some(disk) = disk("many_at_once_on_a_full_disk_are_all_decided_once") else { return };
    let place = Place::at(tempfile::tempdir_in(&disk).unwrap());
    let store = place.open().unwrap();
    put(&store, 1, record(Factor::Hotp { next: 0 })).unwrap();
    let mut total = 0;
    for round in 0..20_u64 {
        fill(&disk);
        let code = hotp(total);
        let accepted = std::thread::scope(|scope| {
            let (store, code) = (&store, &code);
            let one = |thread| scope.spawn(move || login(store, 100 + round * 16 + thread, code));
            let logins: Vec<_> = (0..16).map(one).collect();
            logins.into_iter().filter_map(|login| login.join().unwrap().ok()).filter(|accepted| *accepted).count()
        });
        assert!(accepted <= 1, "round {round}: {accepted} accepted");
        total += accepted as u64;
        assert_eq!(accepts(&store), total, "round {round}");
    }
    assert!(total > 0);
}

#[test]
fn on_a_read_only_disk_nothing_is_accepted() {
    let Some(disk) = disk("on_a_read_only_disk_nothing_is_accepted") else { return };
    let place = Place::at(tempfile::tempdir_in(&disk).unwrap());
    put(&place.open().unwrap(), 1, record(Factor::Hotp { next: 0 })).unwrap();
    let remount = |how: &str| {
        assert!(Command::new("mount").args(["-o", how]).arg(&disk).status().unwrap().success());
    };
    remount("remount,ro");
    assert!(place.open().is_err());
    remount("remount,rw");
    assert!(login(&place.open().unwrap(), 2, &hotp(0)).unwrap());
}

#[test]
fn a_bulk_stops_before_the_disk_is_full_and_leaves_nothing() {
    let Some(disk) = disk("a_bulk_stops_before_the_disk_is_full_and_leaves_nothing") else { return };
    let place = Place::at(tempfile::tempdir_in(&disk).unwrap());
    let store = place.open().unwrap();
    put(&store, 1, record(Factor::Hotp { next: 0 })).unwrap();
    let mut bulk = store.bulk().unwrap();
    let newcomer = |number: u32| {
        let owner: otp_core::Owner = format!("person{number}").parse().unwrap();
        let judge = move |_| {
            let mut new = record(Factor::Hotp { next: 0 });
            new.owner = format!("person{number}").parse().unwrap();
            new.entries[0].account = format!("person{number}").parse().unwrap();
            new.credentials[0].id = otp_core::CredentialId::from_random([2, 0, 0, (number >> 8) as u8, number as u8]);
            Ok(Some(otp_store::Arrival { record: new, audit: vec![] }))
        };
        otp_store::Newcomer { owner, judge: Box::new(judge) }
    };
    bulk.add((0..500).map(newcomer).collect()).unwrap();
    fill(&disk);
    let failure = bulk.add((500..1000).map(newcomer).collect()).unwrap_err();
    assert!(failure.to_string().contains("no room"), "{failure}");
    drop(bulk);
    assert!(login(&store, 10, &hotp(0)).unwrap(), "logins go on");
    assert_eq!(store.owners(None).unwrap().len(), 1);
    fs::remove_file(disk.join("full")).unwrap();
    assert!(login(&store, 11, &hotp(1)).unwrap());
    let left = || {
        let connection = rusqlite::Connection::open(place.db()).unwrap();
        connection.query_row("SELECT count(*) FROM owner", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while left() > 1 {
        assert!(std::time::Instant::now() < until, "cleared away when there is room again");
        std::thread::yield_now();
    }
}
