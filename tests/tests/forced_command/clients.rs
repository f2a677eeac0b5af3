//! Other people's programs: with a code in LC_OTP they work, without one they
//! are refused at once and not left hanging.

use std::time::Duration;

use oathgate_tests::process::{Finished, run};
use oathgate_tests::transfers::{arrived, prepare, transfers};

use crate::world::{Scripted, one_code};

#[test]
fn with_a_code_they_work() {
    let world = Scripted::new(one_code);
    let folder = world.sshd.folder();
    prepare(&world.client(), folder);
    for (name, mut command) in transfers(&world.client(), folder) {
        let done = run(command.env("LC_OTP", "123456"), b"");
        assert!(done.status.success(), "{name}: {}", done.stderr);
        assert_eq!(world.asked(), ["begin", "verify 123456"], "{name}");
    }
    assert_eq!(arrived(folder), 8);
}

/// Checks what a person reads. sshd shows an SFTP client no standard error,
/// and `scp` then shows no text of the server's either, only its verdict.
fn says(name: &str, finished: &Finished, line: &str) {
    let line = if matches!(name, "scp there" | "scp back") { "Permission denied" } else { line };
    assert!(finished.stderr.contains(line), "{name}: {}", finished.stderr);
}

#[test]
fn without_a_code_they_are_refused_at_once() {
    let world = Scripted::new(one_code);
    let folder = world.sshd.folder();
    prepare(&world.client(), folder);
    let mut times = Vec::new();
    for (name, mut command) in transfers(&world.client(), folder) {
        let refused = run(&mut command, b"");
        assert!(!refused.status.success(), "{name}");
        assert_eq!(refused.text().replace("sftp> ", "").lines().count(), 0, "{name}: {}", refused.text());
        assert!(refused.own_time() < Duration::from_secs(2), "{name}: {:?}", refused.took);
        says(name, &refused, "LC_OTP=123456");
        times.push(refused.own_time());
        assert_eq!(world.asked(), ["begin"], "{name}");
    }
    times.sort();
    println!("refused without a code: median {:?}, most {:?}", times[times.len() / 2], times[times.len() - 1]);
    assert_eq!(arrived(folder), 0);
}

#[test]
fn a_wrong_code_is_refused_with_its_reason() {
    let world = Scripted::new(one_code);
    let folder = world.sshd.folder();
    prepare(&world.client(), folder);
    for (name, mut command) in transfers(&world.client(), folder) {
        let refused = run(command.env("LC_OTP", "000000"), b"");
        assert!(!refused.status.success(), "{name}");
        says(name, &refused, "that code is wrong");
        assert!(refused.own_time() < Duration::from_secs(2), "{name}: {:?}", refused.took);
    }
}
