//! A file system that becomes read-only, as root in a mount namespace: ext4
//! under the running verifier, as it does after an error, and one in memory
//! under verifiers that are started for one request.

use std::path::{Path, PathBuf};
use std::process::Command;

use oathgate_tests::built::bin;
use oathgate_tests::oathgated::{Administrator, Oathgated};
use oathgate_tests::process::run;
use oathgate_tests::sshd::id;
use otp_wire::SpawnVerifier;

use crate::person::{ACCOUNTS, Person, Tried, own, root};

const DISK: &str = "OATHGATE_TEST_DISK";

/// The disk of our own when we run inside; `None` outside, after the test
/// `name` ran inside, with the disk that `mount` makes at `$1`.
fn disk(name: &str, mount: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(DISK) {
        return Some(path.into());
    }
    if own() != 0 {
        eprintln!("skipped: needs root");
        return None;
    }
    // Built with the whole system in sight.
    bin("oathgated");
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("disk");
    std::fs::create_dir(&at).unwrap();
    let mut again = Command::new("unshare");
    let script = format!(
        "{mount} || {{ echo 'skipped: no such file system'; exit 0; }}; exec \"$2\" --exact \"$3\" --nocapture"
    );
    again.args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh"]).arg(&at);
    again.arg(std::env::current_exe().unwrap()).arg(format!("read_only::{name}"));
    let finished = run(again.env(DISK, &at).env("TMPDIR", &at), b"");
    eprint!("{}", finished.text());
    assert!(finished.status.success(), "{}{}", finished.text(), finished.stderr);
    None
}

fn remount(disk: &Path, how: &str) {
    let finished = run(Command::new("mount").args(["-o", how]).arg(disk), b"");
    assert!(finished.status.success(), "{}", finished.stderr);
}

#[test]
fn under_the_running_verifier() {
    let mount = "truncate -s 64M \"$1.image\" && mkfs.ext4 -q \"$1.image\" \
                 && mount -o loop,errors=remount-ro \"$1.image\" \"$1\" && chmod 755 \"$1\"";
    let Some(disk) = disk("under_the_running_verifier", mount) else { return };
    let source = run(Command::new("findmnt").args(["--noheadings", "--output", "SOURCE"]).arg(&disk), b"").text();
    let name = source.trim().trim_start_matches("/dev/");
    let trigger = PathBuf::from(format!("/sys/fs/ext4/{name}/trigger_fs_error"));
    let mut service = Oathgated::start();
    let mut person = Person::enrol(&service.administrator(), ACCOUNTS[0]);
    assert_eq!(person.log_in(&root(&service)), Tried::Accepted);
    if std::fs::write(&trigger, "for a test").is_err() {
        return println!("skipped: no {}", trigger.display());
    }
    for _ in 0..5 {
        let tried = person.log_in(&root(&service));
        assert!(matches!(tried, Tried::Undecided(_)), "{tried:?}");
        println!("on a read-only disk: {tried:?}");
    }
    service.stop();
    // What ext4 gave up is writable again only after it was mounted anew.
    let mut anew = Command::new("sh");
    anew.args(["-c", "umount \"$1\" && mount -o loop \"$1.image\" \"$1\"", "sh"]).arg(&disk);
    let finished = run(&mut anew, b"");
    assert!(finished.status.success(), "{}", finished.stderr);
    service.resume();
    person.recovers(&root(&service), "writable again");
    person.is_audited(&root(&service), "writable again");
}

#[test]
fn under_a_users_own_store() {
    let mount = "mount -t tmpfs -o size=64m,mode=0755 oathgate \"$1\"";
    let Some(disk) = disk("under_a_users_own_store", mount) else { return };
    let home = tempfile::tempdir_in(&disk).unwrap();
    let verifier = SpawnVerifier::user_store(&bin("oathgated"), home.path());
    let mut person = Person::enrol(&Administrator::of_user_store(home.path()), &id("-un"));
    for _ in 0..3 {
        assert_eq!(person.log_in(&verifier), Tried::Accepted);
        remount(&disk, "remount,ro");
        for counter in [person.next - 1, person.next] {
            let tried = person.try_code(&verifier, counter);
            assert!(matches!(tried, Tried::Undecided(_)), "{tried:?}");
        }
        remount(&disk, "remount,rw");
        person.recovers(&verifier, "writable again");
    }
}
