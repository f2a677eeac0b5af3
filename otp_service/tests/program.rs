//! `oathgated` itself: its sockets, its one-request form, its refusals to start.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside of #[test] functions

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use common::*;
use otp_wire::message::{Everything, Outcome, Reply};
use otp_wire::{Ask, Request, SpawnVerifier, frame};

#[test]
fn a_service_answers_at_both_sockets() {
    let running = Running::start();
    let mode = |name| fs::metadata(running.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("root"), mode("socket"), mode("var")), (0o600, 0o666, 0o700));
    let (secret, _) = enrolled(&running.verifier("root"));
    assert!(matches!(ask(&running.verifier("socket"), verify(&code(&secret, 0))), Ok(Outcome::Accepted { .. })));
    assert!(matches!(ask(&running.verifier("root"), verify(&code(&secret, 0))), Ok(Outcome::Refused { .. })));
}

#[test]
fn the_settings_can_be_read_by_the_service_which_is_not_root() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("etc/keys");
    let (store, config) = (folder.path().join("var/store.db"), folder.path().join("etc/oathgate.toml"));
    let mut init = Command::new("sh");
    init.args(["-c", "umask 077; exec \"$@\"", "sh", PROGRAM, "--init", "--keys"]).arg(&keys);
    assert!(
        init.arg("--store").arg(store).arg("--config").arg(config).stdout(Stdio::null()).status().unwrap().success()
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder.path().join("etc")), mode(&keys), mode(&keys.join("1.key"))), (0o755, 0o700, 0o400));
}

/// Writes `bytes` and reads what comes until the service hangs up.
fn raw(path: &Path, bytes: &[u8]) -> (Vec<u8>, Duration) {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let begun = Instant::now();
    let _ = stream.write_all(bytes);
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    (reply, begun.elapsed())
}

#[test]
fn nonsense_is_hung_up_on() {
    let running = Running::start();
    let socket = running.path("socket");
    let line =
        String::from_utf8(frame::encode(&Request::<Everything>::new(Ask::Status {}).unwrap(), 1000).unwrap().to_vec())
            .unwrap();
    let reply: Reply = frame::decode(&raw(&socket, line.as_bytes()).0).unwrap();
    assert!(matches!(reply.outcome, Outcome::Status(_)));
    let long = vec![b'x'; 100_000];
    let unknown = line.replace("\"v\":1", "\"v\":1,\"admin\":true");
    let two = line.repeat(2);
    for bad in
        [b"\n".as_slice(), b"{}\n", b"GET / HTTP/1.0\r\n\r\n", b"\0\xff\n", &long, unknown.as_bytes(), two.as_bytes()]
    {
        assert!(raw(&socket, bad).0.is_empty(), "{:?}", String::from_utf8_lossy(&bad[..bad.len().min(60)]));
    }
    let newer: Reply = frame::decode(&raw(&socket, line.replace("\"v\":1", "\"v\":2").as_bytes()).0).unwrap();
    assert!(matches!(newer.outcome, Outcome::Invalid(_)));
}

#[test]
fn who_says_nothing_is_hung_up_on_after_a_second() {
    let running = Running::start();
    let (reply, time) = raw(&running.path("socket"), b"{\"v\":1");
    assert!(reply.is_empty() && time < Duration::from_secs(3), "{time:?}");
}

#[test]
fn silent_connections_keep_nobody_out_of_the_other_socket() {
    let running = Running::start();
    let silent: Vec<UnixStream> = (0..200).map_while(|_| UnixStream::connect(running.path("socket")).ok()).collect();
    let begun = Instant::now();
    assert!(matches!(ask(&running.verifier("root"), Ask::Status {}), Ok(Outcome::Status(_))));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    drop(silent);
}

#[test]
fn a_second_service_does_not_start_on_the_same_sockets() {
    let running = Running::start();
    let second = oathgated(running.folder.path(), &[]);
    assert_eq!(second.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another verifier answers there"));
}

#[test]
fn it_does_not_start_on_what_is_not_as_it_should_be() {
    let begin = |prepare: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        assert!(oathgated(folder.path(), &["--init"]).status.success());
        prepare(folder.path());
        let output = oathgated(folder.path(), &[]);
        assert_eq!(output.status.code(), Some(3));
        String::from_utf8(output.stderr).unwrap()
    };
    let chmod = |path: PathBuf, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let store = |folder: &Path, content: &[u8]| {
        fs::write(folder.join("var/store.db"), content).unwrap();
        chmod(folder.join("var/store.db"), 0o600);
    };
    assert!(begin(&|folder| chmod(folder.join("keys/1.key"), 0o444)).contains("chmod 0400"));
    assert!(begin(&|folder| fs::remove_file(folder.join("keys/1.key")).unwrap()).contains("no sealing key"));
    assert!(begin(&|folder| fs::remove_file(folder.join("var/store.db")).unwrap()).contains("not there"));
    assert!(begin(&|folder| chmod(folder.join("var"), 0o777)).contains("chmod 0700"));
    assert!(begin(&|folder| store(folder, &[b'x'; 4096])).contains("not a database"));
    assert!(begin(&|folder| fs::write(folder.join("oathgate.toml"), "colour = 1").unwrap()).contains("colour"));
    assert!(begin(&|folder| fs::write(folder.join("root"), "").unwrap()).contains("something else is there"));
}

/// A home directory with a user's own store.
fn user_store(home: &Path) -> SpawnVerifier {
    SpawnVerifier::user_store(Path::new(PROGRAM), home)
}

#[test]
fn a_users_own_store_needs_no_service() {
    let home = tempfile::tempdir().unwrap();
    let verifier = user_store(home.path());
    let (secret, scratch) = enrolled(&verifier);
    assert!(matches!(ask(&verifier, verify(&code(&secret, 0))), Ok(Outcome::Accepted { .. })));
    assert!(matches!(ask(&verifier, verify(&code(&secret, 0))), Ok(Outcome::Refused { .. })));
    assert!(matches!(ask(&verifier, verify(&scratch[0])), Ok(Outcome::Accepted { scratch_left: Some(9), .. })));
    assert!(matches!(ask(&verifier, enrol("two")), Ok(Outcome::CodeNeeded(_))), "a second one needs a code");
    let mode = |name: &str| fs::metadata(home.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(".local/share/oathgate"), 0o700);
    assert_eq!(mode(".local/share/oathgate/store.db"), 0o600);
    assert_eq!(mode(".config/oathgate/keys/1.key"), 0o400);
}

#[test]
fn of_many_processes_with_one_code_one_wins() {
    let home = tempfile::tempdir().unwrap();
    let (secret, scratch) = enrolled(&user_store(home.path()));
    for (round, scratch) in scratch.iter().enumerate() {
        for typed in [code(&secret, round as u64), scratch.clone()] {
            let barrier = Arc::new(Barrier::new(8));
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    let (verifier, typed, barrier) = (user_store(home.path()), typed.clone(), Arc::clone(&barrier));
                    std::thread::spawn(move || {
                        barrier.wait();
                        matches!(ask(&verifier, verify(&typed)), Ok(Outcome::Accepted { .. }))
                    })
                })
                .collect();
            let accepted = threads.into_iter().map(|thread| thread.join().unwrap()).filter(|yes| *yes).count();
            assert_eq!(accepted, 1, "round {round}");
        }
    }
    // A rollback journal, not WAL (SQLite's file format, 1.3.3): hosts that
    // share a home over NFS share no memory.
    let store = fs::read(home.path().join(".local/share/oathgate/store.db")).unwrap();
    assert_eq!(store[18..20], [1, 1]);
}

#[test]
fn a_missing_half_of_a_users_store_is_not_made_again() {
    for lost in [".config/oathgate/keys/1.key", ".local/share/oathgate/store.db"] {
        let home = tempfile::tempdir().unwrap();
        let (secret, _) = enrolled(&user_store(home.path()));
        fs::remove_file(home.path().join(lost)).unwrap();
        let outcome = ask(&user_store(home.path()), verify(&code(&secret, 0)));
        assert!(matches!(outcome, Ok(Outcome::Undecided(_))), "{lost}: {outcome:?}");
    }
}

#[test]
fn only_root_spawns_the_systems_verifier() {
    if own_uid() == 0 {
        return;
    }
    let output = Command::new(PROGRAM).arg("--stdio").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_back_up_is_made_beside_a_running_service_and_restored_without_one() {
    let running = Running::start();
    let (secret, scratch) = enrolled(&running.verifier("root"));
    let copy = oathgated(running.folder.path(), &["--backup"]);
    assert!(copy.status.success() && copy.stdout.starts_with(b"SQLite format 3\0"));
    fs::write(running.path("copy"), &copy.stdout).unwrap();
    for typed in [&code(&secret, 0), &scratch[0]] {
        assert!(matches!(ask(&running.verifier("root"), verify(typed)), Ok(Outcome::Accepted { .. })));
    }
    let restore = |folder: &Path| {
        let copy = fs::File::open(folder.join("copy")).unwrap();
        command(folder, &["--restore"]).stdin(copy).output().unwrap()
    };
    let refused = restore(running.folder.path());
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("stop it first"));

    let mut running = running;
    running.restart(|folder| assert!(restore(folder).status.success()));
    for typed in [&code(&secret, 0), &scratch[0]] {
        assert!(matches!(ask(&running.verifier("root"), verify(typed)), Ok(Outcome::Refused { .. })));
    }
    assert!(matches!(ask(&running.verifier("root"), verify(&code(&secret, 1))), Ok(Outcome::Accepted { .. })));
    assert!(matches!(ask(&running.verifier("root"), verify(&scratch[1])), Ok(Outcome::Accepted { .. })));
}

#[test]
fn the_next_sealing_key_is_used_from_the_next_start_on() {
    let mut running = Running::start();
    let (secret, _) = enrolled(&running.verifier("root"));
    let keys = |running: &Running| match ask(&running.verifier("root"), Ask::Status {}).unwrap() {
        Outcome::Status(report) => {
            let store = report.store.unwrap();
            (store.sealing_key, store.older_key)
        }
        other => panic!("{other:?}"),
    };
    assert!(oathgated(running.folder.path(), &["--rotate"]).status.success());
    assert_eq!(keys(&running), (1, 0));
    running.restart(|_| {});
    assert_eq!(keys(&running), (2, 1));
    assert!(matches!(ask(&running.verifier("root"), verify(&code(&secret, 0))), Ok(Outcome::Accepted { .. })));
    assert_eq!(keys(&running), (2, 0));
    running.restart(|folder| fs::remove_file(folder.join("keys/1.key")).unwrap());
    assert!(matches!(ask(&running.verifier("root"), verify(&code(&secret, 1))), Ok(Outcome::Accepted { .. })));

    let nothing = tempfile::tempdir().unwrap();
    assert!(!oathgated(nothing.path(), &["--rotate"]).status.success(), "a first key is made by --init");
}
