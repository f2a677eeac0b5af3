//! Homes of people who have accounts only in a mount namespace, as root.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::built::bin;
use crate::process::run;

/// RFC 4226's secret, but for its end.
const FIRST_28: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3T";
/// Says where the homes are, to the test that runs among them.
const HOMES: &str = "OATHGATE_TEST_HOMES";
/// The first uid.
pub const FIRST: u32 = 40_000;

/// The folder of homes when we run inside; `None` outside, after the test
/// `name` ran inside, where `people` have accounts.
pub fn inside(name: &str, people: &[&str]) -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os(HOMES) {
        return Some(folder.into());
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: not root");
        return None;
    }
    // Built with the whole system in sight.
    for program in ["oathgate", "oathgate-import", "oathgated"] {
        bin(program);
    }
    let folder = tempfile::tempdir_in(fs::canonicalize(std::env::temp_dir()).unwrap()).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let mut passwd =
        "root:x:0:0::/nonexistent:/bin/sh\nnobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n".to_owned();
    for (uid, person) in (FIRST..).zip(people) {
        let home = folder.path().join(person);
        passwd += &format!("{person}:x:{uid}:{uid}::{}:/bin/sh\n", home.display());
        fs::create_dir(&home).unwrap();
        own(&home, uid, 0o700);
    }
    fs::write(folder.path().join("passwd"), passwd).unwrap();
    let mut again = Command::new("unshare");
    let script = "mount --bind \"$1/passwd\" /etc/passwd || { echo 'skipped: no mounts here'; exit 0; }; \
                  exec \"$2\" --exact \"$3\" --nocapture";
    again.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]).arg(folder.path());
    again.arg(std::env::current_exe().unwrap()).arg(name).env(HOMES, folder.path());
    let finished = run(&mut again, b"");
    eprint!("{}", finished.text());
    assert!(finished.status.success(), "{}{}", finished.text(), finished.stderr);
    None
}

/// Gives a file or folder to somebody.
///
/// # Panics
/// When we may not.
pub fn own(path: &Path, uid: u32, mode: u32) {
    chown(path, Some(uid), Some(uid)).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A secret for each number.
pub fn secret(number: u32) -> String {
    let digit = |place: u32| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(number >> (5 * place) & 31) as usize]);
    format!("{}{}", FIRST_28, (0..4).map(digit).collect::<String>())
}

/// A person's state file.
///
/// # Panics
/// When it can't be written.
pub fn state(folder: &Path, person: &str, uid: u32, text: &str) -> PathBuf {
    let path = folder.join(person).join(".google_authenticator");
    fs::write(&path, text).unwrap();
    own(&path, uid, 0o400);
    path
}
