//! A test of its own in a mount namespace, as root: what it lays over the
//! machine's folders is there for it alone, and gone with it.

#![allow(clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;

use crate::built::{bin, library};
use crate::process::run;

const INSIDE: &str = "OATHGATE_TEST_INSIDE";

/// Runs the test once more in a namespace; whether this is that run. `test` is
/// its name, with its module's.
///
/// # Panics
/// When the test fails there.
pub fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: needs root");
        return false;
    }
    // Built with the whole system in sight.
    let (_, _) = (module(), bin("oathgated"));
    let mut again = Command::new("unshare");
    again.arg("-m").arg(std::env::current_exe().expect("/proc"));
    again.args(["--exact", test, "--include-ignored", "--nocapture"]).env(INSIDE, "1");
    let finished = run(&mut again, b"");
    assert!(finished.status.success(), "{}{}", finished.text(), finished.stderr);
    assert!(finished.text().contains("1 passed"), "{}", finished.text());
    false
}

/// The PAM module as it is shipped.
pub fn module() -> std::path::PathBuf {
    library("libpam_oathgate.so")
}

/// Lays `folder` over `place`.
pub fn lay(folder: &Path, place: &str) {
    done(Command::new("mount").arg("--bind").arg(folder).arg(place));
}

/// Lays an empty folder over `place`.
pub fn empty(place: &str) {
    done(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=755", "none", place]));
}

/// Runs `command`, which must succeed.
///
/// # Panics
/// When it doesn't; with what it said.
pub fn done(command: &mut Command) {
    let finished = run(command, b"");
    assert!(finished.status.success(), "{command:?}: {}", finished.stderr);
}
