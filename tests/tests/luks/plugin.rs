//! Answers at cryptsetup's prompt.

use std::process::Command;

use luks_cryptsetup::moment;
use oathgate_tests::process::{PATIENCE, Running, run};

use crate::world::{Disk, KEY, PASSPHRASE, PIN, SECRET, good, hotp, ready, shown, token, totp};

#[test]
fn a_code_opens_once() {
    if !ready() {
        return;
    }
    let disk = Disk::with(&token(hotp(), 0));
    let wrong = disk.answer(&format!("{PIN}000000"));
    assert_ne!(wrong.code(), Some(0));
    assert!(wrong.stderr.contains("Wrong PIN or code"), "{}", wrong.stderr);
    assert!(disk.opens(&shown(0)));
    assert_eq!(disk.token().state.next, 1);
    let again = disk.answer(&format!("{PIN}{}", shown(0)));
    assert!(again.stderr.contains("already used"), "{}", again.stderr);
    assert!(disk.opens(&shown(4)), "early");
    assert!(!disk.opens(&shown(3)), "late");
    assert!(disk.opens(&format!("{}{}", shown(50), shown(51))), "two in a row");
    assert!(!disk.opens(&shown(51)) && disk.opens(&shown(52)));
}

#[test]
fn time_is_this_machines() {
    if !ready() {
        return;
    }
    let step = moment().now / 30;
    let disk = Disk::with(&token(totp(), step - 10));
    for (off, right) in [(-5_i64, false), (5, false), (0, true), (0, false)] {
        // The present step may have ended meanwhile; its code still counts.
        let now = moment().now / 30;
        let code = shown(if off == 0 { step.max(now - 1) } else { now.saturating_add_signed(off) });
        assert_eq!(disk.opens(&code), right, "{off} steps");
    }
    let ahead = Disk::with(&token(totp(), step + 100));
    let refused = ahead.answer(&format!("{PIN}{}", shown(step)));
    assert_eq!(refused.stderr.matches("clock is behind").count(), 2, "before and after: {}", refused.stderr);
    let two = format!("{}{}", shown(step + 900), shown(step + 901));
    let opened = ahead.answer(&format!("{PIN}{two}"));
    assert!(opened.code() == Some(0) && opened.stderr.contains("clock is wrong"), "{}", opened.stderr);
}

#[test]
fn of_six_at_once_one_comes_in() {
    if !ready() {
        return;
    }
    let disk = Disk::with(&token(hotp(), 0));
    let (path, answer) = (disk.path(), format!("{PIN}{}", shown(0)));
    let started: Vec<Running> =
        (0..6).map(|_| Running::start(&mut disk.cryptsetup(&Disk::open(path.to_str().unwrap())))).collect();
    let answered = started.into_iter().map(|mut running| {
        running.send(&answer);
        running.close();
        running
    });
    let mut answered: Vec<Running> = answered.collect();
    let codes: Vec<_> = answered.iter_mut().map(|running| running.wait(PATIENCE).code()).collect();
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
    assert_eq!(disk.token().state.next, 1);
}

#[test]
fn after_five_wrong_answers_the_passphrase_is_asked_for() {
    if !ready() {
        return;
    }
    let disk = Disk::with(&token(hotp(), 0));
    for count in 1..=5 {
        assert!(!disk.opens("000000"));
        assert_eq!(disk.token().failures.recent, count);
    }
    let right = disk.answer(&format!("{PIN}{}", shown(0)));
    assert_ne!(right.code(), Some(0));
    assert!(right.stderr.contains("5 wrong answers: use a passphrase"), "{}", right.stderr);
    let path = disk.path();
    good(&disk.run(&["open", "--test-passphrase", path.to_str().unwrap()], PASSPHRASE));
}

#[test]
fn a_passphrase_works_as_before() {
    if !ready() {
        return;
    }
    let disk = Disk::with(&token(hotp(), 0));
    let before = disk.json();
    good(&disk.run(&["open", "--test-passphrase", "--key-slot=0", disk.path().to_str().unwrap()], PASSPHRASE));
    assert_eq!(disk.json(), before, "nothing was used up");
    let dump = disk.run(&["luksDump", disk.path().to_str().unwrap()], "").text();
    assert!(dump.contains("Gate:       header") && dump.contains("HOTP, SHA1, 6 digits"), "{dump}");
    // Without the plugin the disk is as it ever was.
    let mut plain = Command::new("cryptsetup");
    plain.args(["open", "--test-passphrase", "--disable-external-tokens"]).arg(disk.path());
    good(&run(&mut plain, PASSPHRASE.as_bytes()));
}

#[test]
fn nothing_stays_in_memory() {
    if !ready() {
        return;
    }
    let (disk, folder) = (Disk::with(&token(hotp(), 0)), tempfile::tempdir().unwrap());
    let (typed, core) = (folder.path().join("typed"), folder.path().join("core"));
    std::fs::write(&typed, format!("{PIN}{}", shown(0))).unwrap();
    let mut gdb = Disk::inside(&[]);
    gdb.args(["gdb", "-nx", "-batch", "-ex", "catch syscall exit_group"]);
    let path = disk.path();
    let words = Disk::open(path.to_str().unwrap()).join(" ");
    gdb.arg("-ex").arg(format!("run {words} <{}", typed.display()));
    gdb.arg("-ex").arg(format!("gcore {}", core.display()));
    let said = run(gdb.arg("cryptsetup"), b"");
    assert_eq!(disk.token().state.next, 1, "it was opened: {}{}", said.text(), said.stderr);
    let memory = std::fs::read(&core).unwrap_or_else(|_| panic!("{}{}", said.text(), said.stderr));
    let holds = |bytes: &[u8]| memory.windows(bytes.len()).any(|window| window == bytes);
    assert!(holds(b"--token-only"), "the search finds what is there");
    for (secret, what) in [(KEY, "key"), (SECRET, "secret"), (PIN.as_bytes(), "PIN"), (shown(0).as_bytes(), "code")] {
        assert!(!holds(secret), "the {what} is still there");
    }
}
