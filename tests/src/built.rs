//! The programs under test, built from this workspace.

#![allow(clippy::expect_used, clippy::panic)]

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// What make builds at once (PROGRAMS in the Makefile). Cargo chooses the features of
/// what several packages need by all that it builds: each alone would be another
/// program than the one that is installed, and everything below it compiled again.
const PACKAGES: [&str; 8] =
    ["otp_service", "otp_import", "pam_module", "ssh_otp", "tools", "luks_key_service", "luks_plugin", "luks_helper"];

/// What this process has built: a profile, and the first of the packages.
static BUILT: Mutex<Vec<[&str; 2]>> = Mutex::new(vec![]);

/// The program called `name`, up to date with the sources, beside the others.
///
/// # Panics
/// When it can't be built.
pub fn bin(name: &str) -> PathBuf {
    let folder = folder();
    let profile = if folder.ends_with("release") { "release" } else { "dev" };
    up_to_date(folder.join(name), profile, &PACKAGES)
}

/// The library called `name` as it is installed, up to date with the sources.
///
/// # Panics
/// When it can't be built.
pub fn library(name: &str) -> PathBuf {
    released(name, &PACKAGES)
}

/// The library `liboathgate_shim.so`.
pub(crate) fn shim() -> PathBuf {
    released("liboathgate_shim.so", &["oathgate_shim"])
}

fn released(name: &str, packages: &[&'static str]) -> PathBuf {
    up_to_date(folder().with_file_name("release").join(name), "release", packages)
}

fn up_to_date(file: PathBuf, profile: &'static str, packages: &[&'static str]) -> PathBuf {
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let this = [profile, packages[0]];
    if !built.contains(&this) && (is_test() || !file.exists()) {
        build(profile, packages);
        built.push(this);
    }
    file
}

/// make builds everything before it runs a program (demo, bench).
fn is_test() -> bool {
    env::current_exe().expect("/proc").parent().is_some_and(|folder| folder.ends_with("deps"))
}

/// Where cargo puts the programs: beside this one, or above it if it is a
/// test, which lies in `deps`.
pub fn folder() -> PathBuf {
    let this = env::current_exe().expect("/proc");
    let folder = this.parent().expect("…/target/PROFILE");
    if folder.ends_with("deps") { folder.parent().expect("…/target/PROFILE").to_owned() } else { folder.to_owned() }
}

fn build(profile: &str, packages: &[&str]) {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked", "--offline", "--profile", profile]);
    command.args(packages.iter().flat_map(|package| ["--package", package]));
    command.arg("--target-dir").arg(folder().parent().expect("…/target/PROFILE"));
    command.arg("--manifest-path").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"));
    let output = command.output().expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
