//! Login shells: sshd starts them, they start the gate, and the gate starts
//! them again.

use std::fs;
use std::path::Path;

use oathgate_tests::process::run;
use oathgate_tests::sshd::{Settings, id};

use crate::probe::{alike, probe};
use crate::world::{BOTH, World, seen};

/// Lays another passwd(5) over the machine's own, for the server only.
const NAMESPACE: &str = r#"mount --bind "$1" /etc/passwd && shift && exec "$@""#;

/// A server for which `shell` is the login shell of this user.
fn server(shell: &str, folder: &Path) -> Settings {
    let (name, passwd) = (id("-un"), fs::read_to_string("/etc/passwd").unwrap());
    let changed = passwd.lines().map(|line| match line.rsplit_once(':') {
        Some((rest, _)) if line.starts_with(&format!("{name}:")) => format!("{rest}:{shell}\n"),
        _ => format!("{line}\n"),
    });
    fs::write(folder.join("passwd"), changed.collect::<String>()).unwrap();
    let mut wrapper: Vec<_> = ["unshare", "-m", "sh", "-c", NAMESPACE, "sh"].map(Into::into).to_vec();
    wrapper.push(folder.join("passwd").into());
    Settings { wrapper, ..Settings::default() }
}

/// Shows how its parent, the login shell, was started.
const PARENT: &str = r#"sh -c 'tr "\0" " " </proc/$PPID/cmdline; echo'"#;

fn shell(path: &str) {
    if !rustix::process::getuid().is_root() || !Path::new(path).exists() {
        eprintln!("skipped: needs root and {path}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let world = World::with(&server(path, folder.path()));
    let name = path.rsplit('/').next().unwrap();
    found(&world, name);
    ran(&world, name);
    logged_in(&world, name);
}

/// What a program finds behind it.
fn found(world: &World, name: &str) {
    let [plain, gated] = BOTH.map(|way| world.run(way, probe().as_bytes(), b"").text());
    alike(&plain, &gated, name);
    assert!(gated.contains(&format!("/{name}\n")), "{name}: {gated}");
    let [plain, gated] = BOTH.map(|way| world.session(way, Some(&probe())).wait().1);
    alike(&plain, &gated, name);
}

/// Commands, exit codes and deaths: no shell is left in between.
fn ran(world: &World, name: &str) {
    world.same(PARENT.as_bytes(), b"");
    world.same(b"echo 'a  b' \"c'd\" x\\ y; echo err >/dev/stderr; cat", b"input\n");
    let [plain, gated] = BOTH.map(|way| {
        let mut ssh = world.ssh(way, Some(b"printf '%s' '\xff\xfe\xe2\x82\xac' | od -c"));
        // fish 3 takes its variables apart by the locale, and the request is one.
        run(ssh.env("LC_ALL", "C.UTF-8"), b"")
    });
    assert_eq!(seen(&plain), seen(&gated), "{name}");
    world.same(b"no-such-command-here", b"");
    for code in [0, 1, 127, 255] {
        assert_eq!(world.same(format!("exit {code}").as_bytes(), b"").code(), Some(code), "{name}");
    }
    for signal in ["HUP", "KILL", "TERM", "PIPE"] {
        let dead = world.same(format!("exec sh -c 'kill -{signal} $$'").as_bytes(), b"");
        assert_eq!(dead.code(), Some(255), "{name}: {signal} is told as a signal");
    }
}

/// No command: the shell itself, as a login shell.
fn logged_in(world: &World, name: &str) {
    let script = format!("{PARENT}\nenv | grep -v '^SSH_C\\|^_=' | sort\nexit 7\n");
    let [plain, gated] = BOTH.map(|way| run(&mut world.ssh(way, None), script.as_bytes()));
    assert_eq!(seen(&plain), seen(&gated), "{name}");
    assert_eq!((gated.code(), gated.text().contains(&format!("-{name} "))), (Some(7), true), "{}", gated.text());
}

#[test]
fn bash() {
    shell("/usr/bin/bash");
}

#[test]
fn dash() {
    shell("/usr/bin/dash");
}

#[test]
fn zsh() {
    shell("/usr/bin/zsh");
}

#[test]
fn tcsh() {
    shell("/usr/bin/tcsh");
}

#[test]
fn fish() {
    shell("/usr/bin/fish");
}

#[test]
fn ksh() {
    shell("/usr/bin/ksh");
}
