//! Under valgrind: no byte is read that nobody wrote, none is touched after it
//! was given back, and none is lost.

use std::process::Command;
use std::thread;

use oathgate_tests::process::run;

use crate::world::{CODE, Pam, usual};

/// The library as it is shipped, in our host. What is only "possibly" lost is
/// not an error: std keeps a thread's handle by a pointer into its inside.
const MEMCHECK: [&str; 5] = [
    "--quiet",
    "--error-exitcode=99",
    "--leak-check=full",
    "--show-leak-kinds=definite,indirect",
    "--errors-for-leak-kinds=definite,indirect",
];

#[test]
fn memcheck_finds_nothing() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("skipped: needs valgrind");
        return;
    }
    // Options, whether there is a verifier, what is typed, how it ends.
    let cases: [(&str, &[&str], bool, &str, &str); 4] = [
        ("debug", &["--all", "--rhost", "192.0.2.7", "--threads", "4"], true, CODE, "PAM_SUCCESS"),
        ("", &[], true, "111111", "PAM_AUTH_ERR"),
        ("nullok", &[], false, CODE, "PAM_AUTHINFO_UNAVAIL"),
        ("windw=20", &[], true, CODE, "PAM_AUTHINFO_UNAVAIL"),
    ];
    thread::scope(|scope| {
        for (options, more, served, typed, expected) in cases {
            scope.spawn(move || {
                let pam = Pam::new(options);
                let _verifier = served.then(|| pam.verifier(usual));
                let host = pam.host("su", "alice", more);
                let mut valgrind = Command::new("valgrind");
                let checked = valgrind.args(MEMCHECK).arg(host.get_program()).args(host.get_args());
                let finished = run(checked, format!("{typed}\n").as_bytes());
                assert_eq!(finished.code(), Some(0), "{expected}: {}", finished.stderr);
                assert!(finished.text().contains(&format!("result {expected}\n")), "{}", finished.text());
            });
        }
    });
}
