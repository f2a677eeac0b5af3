//! Other people's programs that carry files over ssh.

#![allow(clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::run;
use crate::sshd::Client;

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
/// for git, to a new place `to-…` in `folder`.
///
/// # Panics
/// When the folder is gone.
pub fn transfers(client: &Client, folder: &Path) -> Vec<(&'static str, Command)> {
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
    fs::write(folder.join("batch"), format!("get {} {}\n", path("from"), path("to-sftp"))).expect("our folder");
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

/// Puts into `folder` what [`transfers`] take from there.
///
/// # Panics
/// Without git.
pub fn prepare(client: &Client, folder: &Path) {
    fs::write(folder.join("from"), content()).expect("our folder");
    fs::create_dir(folder.join("repository")).expect("our folder");
    fs::write(folder.join("repository/file"), content()).expect("our folder");
    let person = ["-c", "user.name=Test", "-c", "user.email=test@example.com"];
    for arguments in [&["init", "-q"][..], &["add", "file"], &["commit", "-qm", "file"]] {
        let mut git = client.bare("git");
        let made = run(git.arg("-C").arg(folder.join("repository")).args(person).args(arguments), b"");
        assert!(made.status.success(), "{}", made.stderr);
    }
}

/// How many of the eight have arrived.
///
/// # Panics
/// When one has, but not as it was.
pub fn arrived(folder: &Path) -> usize {
    let all = fs::read_dir(folder).expect("our folder").map(|entry| entry.expect("our folder").path());
    let arrived = all.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("to-")));
    arrived
        .map(|path| {
            let file = if path.is_dir() { path.join("file") } else { path };
            assert!(fs::read(&file).expect("our folder") == content(), "{}", file.display());
        })
        .count()
}
