//! Askers that are scripts, in a folder that stands for `/`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::*;

/// A script can't be started while another test's child still has it open for
/// writing: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A program of the machine in `root`.
fn program(root: &Path, name: &str, script: &str) -> PathBuf {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn systemd_comes_first_then_plymouth_then_askpass() {
    let _alone = alone();
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    assert_eq!(Asker::below(root), None);
    let askpass = program(root, "lib/cryptsetup/askpass", "");
    assert_eq!(Asker::below(root), Some(Asker::Askpass(askpass.clone())));
    let plymouth = program(root, "usr/bin/plymouth", "[ \"$*\" != --ping ]");
    assert_eq!(Asker::below(root), Some(Asker::Askpass(askpass)), "it does not answer");
    program(root, "usr/bin/plymouth", "[ \"$*\" = --ping ]");
    assert_eq!(Asker::below(root), Some(Asker::Plymouth(plymouth.clone())));
    let systemd = program(root, "usr/bin/systemd-ask-password", "");
    assert_eq!(Asker::below(root), Some(Asker::Plymouth(plymouth)), "systemd is there, and does not run");
    fs::create_dir_all(root.join("run/systemd/system")).unwrap();
    assert_eq!(Asker::below(root), Some(Asker::Systemd(systemd)));
}

/// Which one it is.
type Make = fn(PathBuf) -> Asker;

/// Arguments and environment go into a file; the answer is that of `script`.
fn asked(make: Make, script: &str) -> (Result<Zeroizing<Vec<u8>>, Unanswered>, String) {
    let root = tempfile::tempdir().unwrap();
    let seen = root.path().join("seen");
    let note = format!("{{ printf '[%s]' \"$@\"; env; }} >{}\n{script}", seen.display());
    let asker = make(program(root.path(), "asker", &note));
    let answer = asker.ask_within(Duration::from_secs(180), "/dev/x", "PIN\nand code: ");
    (answer, fs::read_to_string(seen).unwrap_or_default())
}

#[test]
fn each_is_asked_in_its_own_words() {
    let _alone = alone();
    let words: [(Make, &str); 3] = [
        (Asker::Systemd, "[--icon=drive-harddisk][--timeout=180][--id=oathgate:/dev/x][--][PIN\\u{a}and code: ]"),
        (Asker::Plymouth, "[ask-for-password][--prompt=PIN\\u{a}and code: ]"),
        (Asker::Askpass, "[PIN\\u{a}and code: ]"),
    ];
    for (make, expected) in words {
        let (answer, seen) = asked(make, "printf 'a b1\\nc'");
        assert_eq!(answer.unwrap().as_slice(), b"a b1");
        let (words, environment) = seen.rsplit_once(']').unwrap();
        assert_eq!(format!("{words}]"), expected);
        // What a shell sets by itself.
        let own = |line: &str| ["PWD=", "SHLVL=", "_=", "OLDPWD="].iter().any(|name| line.starts_with(name));
        assert!(environment.lines().all(own), "{environment}");
    }
}

#[test]
fn without_an_answer_there_is_none() {
    let _alone = alone();
    let fails = |script: &str| asked(Asker::Askpass, script).0.unwrap_err();
    assert!(matches!(fails("echo secret; exit 1"), Unanswered::Nobody));
    assert!(matches!(fails("head -c 600 /dev/zero"), Unanswered::TooLong));
    assert!(matches!(fails("yes"), Unanswered::TooLong), "and it is ended");
    assert_eq!(asked(Asker::Askpass, "printf '%0512d' 0").0.unwrap().len(), MAX_ANSWER);
    let missing = Asker::Askpass("/nonexistent/askpass".into()).ask("x", "y").unwrap_err();
    assert!(missing.to_string().starts_with("/nonexistent/askpass: "), "{missing}");
}

#[test]
fn nobody_is_waited_for_in_vain() {
    let _alone = alone();
    let root = tempfile::tempdir().unwrap();
    // One says nothing; one says something, closes its output, and stays.
    for script in ["exec sleep 1000", "echo 1; exec sleep 1000 >/dev/null"] {
        let asker = program(root.path(), "asker", script);
        let mut running = Running(Command::new(&asker).stdout(Stdio::piped()).spawn().unwrap());
        let said = running.0.stdout.take().unwrap();
        let until = Instant::now() + Duration::from_millis(50);
        let answer = answer(&said, until, |why| Unanswered::Unusable(asker.clone(), why));
        assert!(answer.is_err() || running.end(until).is_none());
        let pid = running.0.id();
        drop(running);
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "it is ended");
    }
}
