//! `oathgate import --homes` with as many homes as a large host has, in a mount
//! namespace with accounts of its own.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use oathgate_tests::built::bin;
use oathgate_tests::oathgated::Oathgated;
use oathgate_tests::process::run;

use crate::numbers::Series;
use crate::people::secret;

/// Homes, each with a state file that holds five scratch codes.
pub const HOMES: usize = 1000;
/// The first of their uids.
const FIRST: u32 = 40_000;
const INSIDE: &str = "mount --bind \"$1\" /etc/passwd && shift && exec \"$@\"";

/// Imports all of them into an empty store, some times; nothing is measured where
/// that can't be done.
pub fn import(folder: &Path, times: usize) -> Series {
    let mut series = Series::default();
    let folder = fs::canonicalize(folder).expect("our folder").join("homes");
    if !rustix::process::geteuid().is_root() {
        println!("not measured: importing homes (not root)");
        return series;
    }
    let passwd = people(&folder);
    for _ in 0..times {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", INSIDE, "sh"]).arg(&passwd);
        command.arg(std::env::current_exe().expect("/proc")).arg("homes");
        let finished = run(&mut command, b"");
        let took = finished.text().trim().parse().unwrap_or_else(|_| panic!("{}", finished.stderr));
        series.add(Duration::from_micros(took));
    }
    fs::remove_dir_all(folder).expect("our folder");
    series
}

/// Imports them once, where they have accounts; prints the microseconds.
pub fn once() -> ExitCode {
    bin("oathgate-import");
    let service = Oathgated::start();
    let mut command = Command::new(bin("oathgate"));
    command.arg("--socket").arg(service.root_socket()).args(["import", "--homes", "--json"]).env_clear();
    let start = Instant::now();
    let finished = run(&mut command, b"");
    let took = start.elapsed();
    let imported = finished.text().matches("\"state\":\"imported\"").count();
    assert_eq!(imported, HOMES, "{}", finished.stderr);
    println!("{}", took.as_micros());
    ExitCode::SUCCESS
}

/// Makes the homes, and says where their list is.
fn people(folder: &Path) -> PathBuf {
    let mut passwd = "root:x:0:0::/nonexistent:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n".to_owned();
    // People walk through it to their own.
    let above = folder.parent().expect("a folder above");
    for path in [above, folder] {
        fs::create_dir_all(path).expect("our folder");
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("our folder");
    }
    for (uid, person) in (FIRST..).zip(0..HOMES) {
        let home = folder.join(format!("p{person}"));
        let state = home.join(".google_authenticator");
        passwd += &format!("p{person}:x:{uid}:{uid}::{}:/bin/sh\n", home.display());
        let codes: String = (1..=5).map(|code| format!("{}\n", 10_000_000 * code + person)).collect();
        let text = format!("{}\n\" WINDOW_SIZE 17\n\" TOTP_AUTH\n{codes}", &*secret(person).to_base32());
        fs::create_dir(&home).expect("our folder");
        fs::write(&state, text).expect("our folder");
        fs::set_permissions(&state, Permissions::from_mode(0o400)).expect("our file");
        [home, state].iter().for_each(|path| chown(path, Some(uid), Some(uid)).expect("as root"));
    }
    let path = folder.join("passwd");
    fs::write(&path, passwd).expect("our folder");
    path
}
