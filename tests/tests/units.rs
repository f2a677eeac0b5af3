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
    for unit in ["oathgated.service", "oathgate-disk-key@.service"] {
        let mut analyze = Command::new("/usr/bin/systemd-analyze");
        analyze.args(["security", "--offline=true", "--threshold=20"]).arg(units().join(unit));
        let output = analyze.output().unwrap();
        assert!(output.status.success(), "{unit}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn the_key_service_waits_for_nothing_that_waits_for_volumes() {
    for unit in ["oathgate-disk-key.socket", "oathgate-disk-key@.service"] {
        let text = fs::read_to_string(units().join(unit)).unwrap();
        assert!(text.contains("\nDefaultDependencies=no\n"), "{unit}");
        let after = text.lines().filter(|line| line.starts_with("After=") || line.starts_with("Requires="));
        assert_eq!(after.count(), 0, "{unit}");
    }
}

#[test]
fn a_reboot_ends_the_trial_of_a_migration() {
    let unit = fs::read_to_string(units().join("oathgate-trial.service")).unwrap();
    let source = fs::read_to_string(units().join("../../tools/src/migrate/trial.rs")).unwrap();
    let marker = unit.lines().find_map(|line| line.strip_prefix("ConditionPathExists=/etc/pam.d/")).unwrap();
    assert!(source.contains(&format!("\"{marker}\"")), "{marker}");
    assert!(unit.contains("ExecStart=/usr/bin/oathgate trial-end\n"), "without a trial's number");
    if !Path::new("/usr/bin/systemd-analyze").exists() {
        eprintln!("skipped: needs systemd-analyze");
        return;
    }
    // As text: the program need not be installed here.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("oathgate-trial.service");
    fs::write(&copy, unit.replace("/usr/bin/oathgate", "/bin/true")).unwrap();
    let mut analyze = Command::new("/usr/bin/systemd-analyze");
    let output = analyze.args(["verify", "--man=no"]).arg(&copy).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("oathgate-trial"), "{said}");
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
