//! Behind the gate everything is as it would be without it: the same requests
//! go through a gated key and through a plain one.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use oathgate_tests::process::{Finished, run};
use oathgate_tests::sshd::Client;

use crate::world::{Scripted, no_code};

/// A client behind the gate, and one that is not.
fn both(world: &Scripted) -> [Client; 2] {
    let plain = world.sshd.key("plain");
    world.sshd.authorise(&plain, "restrict,pty");
    [world.client(), world.sshd.client(&plain)]
}

/// What one can tell apart from outside.
fn seen(finished: &Finished) -> (Option<i32>, String, String) {
    (finished.code(), finished.text(), finished.stderr.clone())
}

/// Runs the same command in both ways, and checks that nothing differs.
fn same(clients: &[Client; 2], remote: &[u8], input: &[u8]) -> Finished {
    let [gated, plain] =
        clients.each_ref().map(|client| run(&mut client.ssh(&["-T"], Some(OsStr::from_bytes(remote))), input));
    assert_eq!(seen(&gated), seen(&plain), "{:?}", String::from_utf8_lossy(remote));
    gated
}

#[test]
fn exit_codes_and_deaths() {
    let world = Scripted::new(no_code);
    let clients = both(&world);
    for code in [0, 1, 2, 42, 126, 127, 128, 254, 255] {
        assert_eq!(same(&clients, format!("exit {code}").as_bytes(), b"").code(), Some(code));
    }
    for signal in ["HUP", "INT", "QUIT", "KILL", "PIPE", "TERM", "USR1"] {
        same(&clients, format!("kill -{signal} $$").as_bytes(), b"");
    }
    same(&clients, b"no-such-command-here", b"");
}

#[test]
fn bytes_both_ways() {
    let world = Scripted::new(no_code);
    let clients = both(&world);
    // Every byte value, and more than any buffer on the way holds.
    let input: Vec<u8> = (0..4_u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for client in &clients {
        let finished = run(&mut client.ssh(&["-T"], Some(OsStr::new("cat"))), &input);
        assert!(finished.stdout == input, "{} bytes came back", finished.stdout.len());
        assert_eq!(finished.stderr, "");
    }
    same(&clients, b"sha256sum; echo done >&2", &input);
}

#[test]
fn commands_arrive_byte_for_byte() {
    let world = Scripted::new(no_code);
    let clients = both(&world);
    for command in [
        &b"printf '%s' 'a  b\"c\\d $HOME `id`' | od -c"[..],
        b"printf '%s' '\xff\xfe\x80' | od -c",
        b"echo one\necho two\n",
        b"# only a comment",
        b"  echo  leading blanks",
        b"-c",
        b"exec -a x sh -c 'echo $0'",
    ] {
        same(&clients, command, b"");
    }
    let long = format!("echo {} | wc -c", "x".repeat(120_000));
    assert_eq!(same(&clients, long.as_bytes(), b"").text().trim(), "120001");
}

#[test]
fn the_process_is_what_sshd_made_it() {
    let world = Scripted::new(no_code);
    let clients = both(&world);
    let probes = [
        "umask; ulimit -a; ulimit -Ha; pwd; id; nice",
        "grep -E '^(Sig(Blk|Ign|Cgt)|ShdPnd|NoNewPrivs|Seccomp:|Cap|CoreDumping|Groups|Umask)' /proc/self/status",
        "ls /proc/self/fd; readlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 | sed 's/[0-9]//g'",
        // The session's leader is the shell itself: nobody waits behind it.
        "set -- $(cat /proc/$$/stat); echo $(($1 - $5)) $(($1 - $6)) $7 ${20}",
        "cat /proc/$(cut -d' ' -f4 /proc/$$/stat)/comm; tr '\\0' ' ' </proc/$$/cmdline | head -c 20",
        "(exec 3<>/dev/tty) 2>&1 | sed 's/.*: //'",
        "(sleep 60 >/dev/null 2>&1 </dev/null & echo gone)",
    ];
    for probe in probes {
        assert_ne!(same(&clients, probe.as_bytes(), b"").text(), "", "{probe}");
    }
}

#[test]
fn the_environment_is_the_same_without_ours() {
    let world = Scripted::new(no_code);
    let [gated, plain] = both(&world).map(|client| {
        let mut command = client.ssh(&["-T"], Some(OsStr::new("env | sort")));
        run(command.env("LC_OTP", "123456").env("LC_ALL", "C"), b"").text()
    });
    let kept = |text: &str, gone: &str| {
        let moving = ["SSH_CLIENT=", "SSH_CONNECTION=", "_=", gone];
        text.lines().filter(|line| !moving.iter().any(|m| line.starts_with(m))).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(!gated.contains("LC_OTP") && !gated.contains("SSH_ORIGINAL_COMMAND"), "{gated}");
    assert_eq!(kept(&gated, "LC_OTP="), kept(&plain, "LC_OTP="));
}

#[test]
fn shells_with_and_without_a_terminal() {
    let world = Scripted::new(no_code);
    let clients = both(&world);
    let script = b"echo \"$0\"; shopt login_shell 2>/dev/null; tty; exit 7\n";
    let [gated, plain] = clients.each_ref().map(|client| run(&mut client.ssh(&["-T"], None), script));
    assert_eq!(seen(&gated), seen(&plain));
    assert_eq!((gated.code(), gated.text().starts_with('-')), (Some(7), true), "{}", gated.text());
    let [gated, plain] = clients.each_ref().map(|client| client.session(Some("stty -a; echo $TERM; exit 3")).wait());
    assert_eq!(gated, plain);
    assert_eq!(gated.0, Some(3));
}

#[test]
fn an_empty_command_is_not_a_login_shell() {
    // OpenSSH's own client can't send one, others can.
    let world = Scripted::new(no_code);
    let mut command = world.client().bare(oathgate_tests::built::bin("ssh-otp").to_str().unwrap());
    command.args(["--key", &world.key.fingerprint]);
    command.args(crate::world::socket(world.verifier.path()).split_whitespace());
    command.env("USER", oathgate_tests::sshd::id("-un")).env("SHELL", "/bin/sh");
    let empty = run(command.env("SSH_ORIGINAL_COMMAND", ""), b"echo a login shell reads this\n");
    assert_eq!(seen(&empty), (Some(0), String::new(), String::new()));
    let shell = run(command.env_remove("SSH_ORIGINAL_COMMAND"), b"echo \"$0\"\n");
    assert_eq!(seen(&shell), (Some(0), "-sh\n".into(), String::new()));
}

#[test]
fn another_forced_command_can_stand_behind_the_gate() {
    let world = Scripted::new(no_code);
    let key = world.sshd.key("handed-over");
    let arguments = format!("--key {} {}", key.fingerprint, crate::world::socket(world.verifier.path()));
    let inner = "-- sh -c 'echo \\\"$1:$SSH_ORIGINAL_COMMAND:$LC_OTP\\\"' sh inner";
    world.sshd.authorise(&key, &crate::world::line(&format!("{arguments} {inner}")));
    let finished = world.sshd.client(&key).run("rm -rf  x", Some("123456"));
    assert_eq!(seen(&finished), (Some(0), "inner:rm -rf  x:\n".into(), String::new()));
}

#[test]
fn help_and_version() {
    let program = oathgate_tests::built::bin("ssh-otp");
    let help = run(Command::new(&program).arg("--help"), b"");
    assert_eq!(help.code(), Some(0));
    for option in ["--key", "--user-store", "--socket", "--help", "--version", "LC_OTP", "restrict,pty,command="] {
        assert!(help.text().contains(option), "{option}");
    }
    assert!(run(Command::new(&program).arg("--version"), b"").text().starts_with("ssh-otp 0."));
}
