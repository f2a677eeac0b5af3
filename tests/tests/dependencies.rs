//! What each program is made of: the PAM module lives inside sshd, and one
//! version of each hash is one thing to trust.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside of #[test] functions

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Crates of a package by name, with their versions, as they are linked into it.
fn tree(package: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["tree", "--locked", "--offline", "--edges", "normal,build", "--prefix", "none"]);
    cargo.args(["--no-dedupe", "--format", "{p}"]).args(package);
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut crates: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            crates.entry(name.to_owned()).or_default().insert(version.to_owned());
        }
    }
    crates
}

#[test]
fn front_ends_have_no_database_no_runtime_and_no_tls() {
    for package in ["pam_module", "ssh_otp", "luks_plugin", "luks_helper"] {
        let crates = tree(&["--package", package]);
        assert!(crates.contains_key("otp_wire"), "{package}: {crates:?}");
        let banned = |name: &str| {
            [
                "otp_store",
                "otp_service",
                "rusqlite",
                "libsqlite3-sys",
                "tokio",
                "async-std",
                "rustls",
                "ring",
                "openssl",
            ]
            .contains(&name)
                || name.ends_with("-tls")
                || name.starts_with("openssl-")
        };
        let found: Vec<&String> = crates.keys().filter(|name| banned(name)).collect();
        assert!(found.is_empty(), "{package} links {found:?}");
    }
}

#[test]
fn what_decides_and_what_asks_knows_no_database() {
    for package in ["otp_core", "otp_wire"] {
        let crates = tree(&["--package", package]);
        assert!(!crates.contains_key("libsqlite3-sys"), "{package} links SQLite");
    }
    assert!(tree(&["--package", "otp_store"]).contains_key("libsqlite3-sys"), "the store is SQLite's");
}

#[test]
fn there_is_one_version_of_each_hash_and_cipher() {
    let crates = tree(&["--workspace"]);
    for name in ["sha1", "sha2", "hmac", "digest", "subtle", "zeroize", "chacha20poly1305", "argon2", "base32"] {
        let versions = crates.get(name).unwrap_or_else(|| panic!("{name} isn't used any more; leave it out here"));
        assert_eq!(versions.len(), 1, "{name} in several versions: {versions:?}");
    }
}
