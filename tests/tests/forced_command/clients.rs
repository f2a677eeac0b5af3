//! Other people's programs: with a code in LC_OTP they work, without one they
//! are refused at once and not left hanging.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use oathgate_tests::process::{Finished, run};
use oathgate_tests::sshd::Client;

use crate::world::{Scripted, one_code};

/// Some megabytes that don't compress.
fn content() -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..3 << 20).map(|_| next()).collect()
}

/// The same transfer by every program: from `from`, a file, or a repository
/// for git, to a new place `to`.
fn transfers(client: &Client, folder: &Path) -> Vec<(&'static str, Command)> {
    let path = |name: &str| folder.join(name).display().to_string();
    let remote = |name: &str| format!("127.0.0.1:{}", path(name));
    let program = |program: &str, arguments: &[String]| {
        let mut command = client.command(program);
        command.args(arguments);
        command
    };
    let with_shell = |program: &str, arguments: &[String]| {
        let mut command = client.bare(program);
        command.args(arguments).env("RSYNC_RSH", client.shell_words()).env("GIT_SSH_COMMAND", client.shell_words());
        command
    };
    fs::write(folder.join("batch"), format!("get {} {}\n", path("from"), path("to-sftp"))).unwrap();
    vec![
        ("scp there", program("scp", &[path("from"), remote("to-scp-there")])),
        ("scp back", program("scp", &[remote("from"), path("to-scp-back")])),
        ("scp -O there", program("scp", &["-O".into(), path("from"), remote("to-rcp-there")])),
        ("scp -O back", program("scp", &["-O".into(), remote("from"), path("to-rcp-back")])),
        ("sftp", program("sftp", &["-b".into(), path("batch"), "127.0.0.1".into()])),
        ("rsync there", with_shell("rsync", &[path("from"), remote("to-rsync-there")])),
        ("rsync back", with_shell("rsync", &[remote("from"), path("to-rsync-back")])),
        ("git", with_shell("git", &["clone".into(), "-q".into(), remote("repository"), path("to-git")])),
    ]
}

fn repository(client: &Client, folder: &Path) {
    fs::create_dir(folder.join("repository")).unwrap();
    fs::write(folder.join("repository/file"), content()).unwrap();
    let person = ["-c", "user.name=Test", "-c", "user.email=test@example.com"];
    for arguments in [&["init", "-q"][..], &["add", "file"], &["commit", "-qm", "file"]] {
        let mut git = client.bare("git");
        let made = run(git.arg("-C").arg(folder.join("repository")).args(person).args(arguments), b"");
        assert!(made.status.success(), "{}", made.stderr);
    }
}

#[test]
fn with_a_code_they_work() {
    let world = Scripted::new(one_code);
    let folder = world.sshd.folder();
    fs::write(folder.join("from"), content()).unwrap();
    repository(&world.client(), folder);
    for (name, mut command) in transfers(&world.client(), folder) {
        let done = run(command.env("LC_OTP", "123456"), b"");
        assert!(done.status.success(), "{name}: {}", done.stderr);
        assert_eq!(world.asked(), ["begin", "verify 123456"], "{name}");
    }
    let arrived = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let arrived: Vec<_> =
        arrived.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("to-")).collect();
    assert_eq!(arrived.len(), 8, "{arrived:?}");
    for path in arrived {
        let file = if path.is_dir() { path.join("file") } else { path };
        assert!(fs::read(&file).unwrap() == content(), "{}", file.display());
    }
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
    fs::write(folder.join("from"), b"content").unwrap();
    repository(&world.client(), folder);
    let mut times = Vec::new();
    for (name, mut command) in transfers(&world.client(), folder) {
        let refused = run(&mut command, b"");
        assert!(!refused.status.success(), "{name}");
        assert_eq!(refused.text().replace("sftp> ", "").lines().count(), 0, "{name}: {}", refused.text());
        assert!(refused.took < Duration::from_secs(2), "{name}: {:?}", refused.took);
        says(name, &refused, "LC_OTP=123456");
        times.push(refused.took);
        assert_eq!(world.asked(), ["begin"], "{name}");
    }
    times.sort();
    println!("refused without a code: median {:?}, most {:?}", times[times.len() / 2], times[times.len() - 1]);
    let left = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("to-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_wrong_code_is_refused_with_its_reason() {
    let world = Scripted::new(one_code);
    let folder = world.sshd.folder();
    fs::write(folder.join("from"), b"content").unwrap();
    repository(&world.client(), folder);
    for (name, mut command) in transfers(&world.client(), folder) {
        let refused = run(command.env("LC_OTP", "000000"), b"");
        assert!(!refused.status.success(), "{name}");
        says(name, &refused, "that code is wrong");
        assert!(refused.took < Duration::from_secs(2), "{name}: {:?}", refused.took);
    }
}
