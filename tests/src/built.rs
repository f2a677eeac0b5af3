//! The programs under test, built from this workspace.

#![allow(clippy::expect_used, clippy::panic)]

use std::collections::HashSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Which package each program comes from.
const PROGRAMS: [(&str, &str); 7] = [
    ("oathgate-disk-key", "luks_key_service"),
    ("ssh-otp", "ssh_otp"),
    ("oathgate-keys", "ssh_otp"),
    ("oathgated", "otp_service"),
    ("oathgate", "tools"),
    ("oathgate-import", "otp_import"),
    ("oathgate-luks", "luks_helper"),
];

/// The program called `name`, up to date with the sources, beside the others.
///
/// # Panics
/// When it can't be built.
pub fn bin(name: &str) -> PathBuf {
    static BUILT: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    let (_, package) = PROGRAMS.iter().find(|(program, _)| *program == name).expect("a program of the workspace");
    let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let path = folder().join(name);
    if built.get_or_insert_default().insert(name.to_owned()) && (is_test() || !path.exists()) {
        build(package);
    }
    path
}

/// make builds everything before it runs a program (demo, bench). One package
/// built alone may have other features, and would take the place of that.
pub(crate) fn is_test() -> bool {
    env::current_exe().expect("/proc").parent().is_some_and(|folder| folder.ends_with("deps"))
}

/// Where cargo puts the programs: beside this one, or above it if it is a
/// test, which lies in `deps`.
pub fn folder() -> PathBuf {
    let this = env::current_exe().expect("/proc");
    let folder = this.parent().expect("…/target/PROFILE");
    if folder.ends_with("deps") { folder.parent().expect("…/target/PROFILE").to_owned() } else { folder.to_owned() }
}

fn build(package: &str) {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--offline", "--package", package]);
    command.args(folder().ends_with("release").then_some("--release"));
    command.arg("--target-dir").arg(folder().parent().expect("…/target/PROFILE"));
    command.arg("--manifest-path").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"));
    let output = command.output().expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
