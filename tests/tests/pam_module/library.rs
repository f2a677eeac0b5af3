//! The library itself.

use std::path::Path;
use std::process::Command;

use oathgate_tests::cdylib::{Promise, grown};
use oathgate_tests::process::run;

use crate::world::{CODE, Pam, module, usual};

#[test]
fn the_library_holds_its_promises() {
    let promise = Promise {
        library: &module(),
        exports: &[
            "pam_sm_acct_mgmt",
            "pam_sm_authenticate",
            "pam_sm_chauthtok",
            "pam_sm_close_session",
            "pam_sm_open_session",
            "pam_sm_setcred",
        ],
        needed: &["libpam.so.0", "libc.so.6", "libgcc_s.so.1", "ld-linux"],
        // Two hundred thousand are std's backtraces, and eleven thousand a fast SHA-256.
        size: 426_000,
        host: Path::new(env!("CARGO_BIN_EXE_cdylib_host")),
    };
    promise.check();
}

#[test]
fn it_stays_loaded() {
    let dynamic = run(Command::new("readelf").arg("-d").arg(module()), b"").text();
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
}

#[test]
fn authenticating_leaves_no_trace() {
    for (case, typed) in [("accepted", CODE), ("refused", "111111")] {
        let pam = Pam::new("debug");
        let _verifier = pam.verifier(usual);
        let lines = format!("{typed}\n").repeat(310);
        let said = run(&mut pam.host("su", "alice", &["--times", "300"]), lines.as_bytes()).text();
        assert_eq!(said.matches("result").count(), 310);
        assert!(said.contains("\nstate same\n"), "{case}: {said}");
        assert!(grown(&said) < 1000, "{case}: {said}");
    }
}

#[test]
fn neither_a_database_nor_a_runtime_comes_with_it() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["tree", "--offline", "-p", "pam_module", "-e", "normal", "--prefix", "none", "--manifest-path"]);
    let tree = run(cargo.arg(manifest), b"");
    assert!(tree.status.success(), "{}", tree.stderr);
    for line in tree.text().lines() {
        let name = line.split(' ').next().unwrap_or_default();
        let foreign = ["sqlite", "tokio", "async", "tls", "openssl", "ring"].iter().any(|word| name.contains(word));
        assert!(!foreign, "{line}");
    }
}
