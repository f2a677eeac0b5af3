//! The library itself.

use std::path::Path;
use std::process::Command;

use oathgate_tests::built::bin;
use oathgate_tests::cdylib::Promise;
use oathgate_tests::process::run;

use crate::world::plugin;

const EXPORTS: [&str; 6] = [
    "cryptsetup_token_buffer_free@@CRYPTSETUP_TOKEN_1.0",
    "cryptsetup_token_dump@@CRYPTSETUP_TOKEN_1.0",
    "cryptsetup_token_open@@CRYPTSETUP_TOKEN_1.0",
    "cryptsetup_token_open_pin@@CRYPTSETUP_TOKEN_1.0",
    "cryptsetup_token_validate@@CRYPTSETUP_TOKEN_1.0",
    "cryptsetup_token_version@@CRYPTSETUP_TOKEN_1.0",
];

const NEEDED: [&str; 4] = ["libcryptsetup.so.12", "libc.so.6", "libgcc_s.so.1", "ld-linux"];

#[test]
fn the_library_holds_its_promises() {
    let host = Path::new(env!("CARGO_BIN_EXE_cdylib_host"));
    Promise { library: &plugin(), exports: &EXPORTS, needed: &NEEDED, size: 570_000, host }.check();
}

#[test]
fn another_linker_makes_the_same_library() {
    let (folder, root) = (tempfile::tempdir().unwrap(), Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let library = folder.path().join("plugin.so");
    // What `make token-plugin` does behind cargo.
    let said =
        run(Command::new("make").args(["-s", "-C"]).arg(&root).args(["--eval", "x:;@echo $(PLUGIN_LINK)", "x"]), b"");
    let flags = said.text();
    let mut linker = Command::new("cc");
    linker.args(flags.split_whitespace()).arg("-o").arg(&library).arg(plugin().with_extension("a"));
    let linked = run(linker.args(["-lcryptsetup", "-lgcc_s", "-lc"]).current_dir(&root), b"");
    assert_eq!(linked.code(), Some(0), "{}{}", said.stderr, linked.stderr);
    // GNU ld lists the version itself too.
    let exports = [&EXPORTS[..], &["CRYPTSETUP_TOKEN_1.0"]].concat();
    let listed = run(Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(&library), b"").text();
    let mut names: Vec<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    names.sort_unstable();
    let mut expected = exports.clone();
    expected.sort_unstable();
    assert_eq!(names, expected);
    let host = run(Command::new(env!("CARGO_BIN_EXE_cdylib_host")).arg(&library).args(EXPORTS), b"");
    assert!(host.text().contains("state same"), "{}{}", host.text(), host.stderr);
}

#[test]
fn it_stays_loaded() {
    let dynamic = run(Command::new("readelf").arg("-d").arg(plugin()), b"").text();
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
}

#[test]
fn oathgate_runs_without_libcryptsetup() {
    let needed = |program: &str| run(Command::new("readelf").args(["-d", "-W"]).arg(bin(program)), b"").text();
    assert!(needed("oathgate-luks").contains("libcryptsetup.so.12"));
    assert!(!needed("oathgate").contains("libcryptsetup"));
}
