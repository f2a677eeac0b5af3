//! What the program that reads files has given up before it reads.

use std::fs;

use oathgate_tests::process::{PATIENCE, Running};

use crate::world::{SECRET, World};

/// The only child of a process.
fn child(pid: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

#[test]
fn the_reader_has_no_rights_and_can_start_and_open_nothing() {
    let world = World::new();
    let mut running = Running::start(&mut world.command(&["convert", "-"]));
    // It waits for the end of its input; by then everything is given up.
    running.send(&format!("otpauth://totp/a?secret={SECRET}\n"));
    let deadline = std::time::Instant::now() + PATIENCE;
    let field = |status: &str, name: &str| -> String {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let (pid, status) = loop {
        assert!(std::time::Instant::now() < deadline, "no reader");
        let Some(pid) = child(running.pid()) else { continue };
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        if field(&status, "NoNewPrivs") == "1" && field(&status, "Name") == "oathgate-import" {
            break (pid, status);
        }
        std::thread::yield_now();
    };
    if rustix::process::geteuid().is_root() {
        let nobody = "65534 65534 65534 65534";
        assert_eq!((field(&status, "Uid").as_str(), field(&status, "Gid").as_str()), (nobody, nobody));
        assert_eq!((field(&status, "Groups"), field(&status, "CapEff")), (String::new(), "0".repeat(16)));
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
        assert!(environment.is_empty());
        let limits = loop {
            let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
            // The last one that is set before it reads.
            if limits.lines().any(|line| line.starts_with("Max cpu time") && line.contains("20")) {
                break limits;
            }
            std::thread::yield_now();
        };
        for (limit, most) in [
            ("Max address space", "314572800"),
            ("Max core file size", "0"),
            ("Max file size", "0"),
            ("Max processes", "0"),
        ] {
            let line = limits.lines().find_map(|line| line.strip_prefix(limit)).unwrap();
            assert_eq!(line.split_whitespace().next(), Some(most), "{limit}");
        }
    } else {
        // Not dumpable: even its own user can't look into it.
        assert!(fs::read(format!("/proc/{pid}/environ")).is_err());
    }
    running.close();
    assert_eq!(running.wait(PATIENCE).code(), Some(0));
    assert!(fs::metadata(format!("/proc/{pid}")).is_err(), "it was waited for");
}

#[test]
fn without_the_reader_nothing_is_read() {
    let world = World::new();
    let alone = world.path("oathgate");
    fs::copy(oathgate_tests::built::bin("oathgate"), &alone).unwrap();
    world.file("uris", format!("otpauth://totp/a?secret={SECRET}\n"));
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "exec ./oathgate convert uris"]).env_clear().current_dir(world.folder.path());
    let finished = oathgate_tests::process::run(&mut command, b"");
    assert_eq!(finished.code(), Some(3), "{}", finished.stderr);
    assert!(finished.stderr.contains("oathgate-import"), "{}", finished.stderr);
}
