//! The systemd units that are shipped.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::Command;

fn units() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pkg/systemd")
}

#[test]
fn the_sandbox_is_tight() {
    if !Path::new("/usr/bin/systemd-analyze").exists() {
        eprintln!("skipped: needs systemd-analyze");
        return;
    }
    let mut analyze = Command::new("/usr/bin/systemd-analyze");
    analyze.args(["security", "--offline=true", "--threshold=20"]).arg(units().join("oathgated.service"));
    let output = analyze.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_sandbox_lets_the_verifier_work() {
    let unit = fs::read_to_string(units().join("oathgated.service")).unwrap();
    let set = |name: &str| unit.lines().any(|line| line.starts_with(name));
    // SO_PEERCRED would name every ordinary peer 65534.
    assert!(!set("PrivateUsers="));
    // They hide the boot id, and the clock's state.
    assert!(!set("ProcSubset=") && !set("ProtectClock="));
    // The keys stay root's.
    assert!(set("LoadCredential=keys:/etc/oathgate/keys") && unit.contains("--keys %d"));
    assert!(set("User=_oathgate"));
}
