//! Sessions on a terminal.

use oathgate_tests::process::{PATIENCE, Running};
use oathgate_tests::sshd::Session;
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::world::{BOTH, World};

/// Types each line after the text that it answers, and returns all that was shown.
fn talk(mut session: Session, lines: &[(&str, &str)]) -> (Option<i32>, String) {
    for (after, line) in lines {
        session.expect(after);
        session.send(line);
    }
    session.wait()
}

fn same(world: &World, remote: Option<&str>, lines: &[(&str, &str)]) -> (Option<i32>, String) {
    let [plain, gated] = BOTH.map(|way| talk(world.session(way, remote), lines));
    assert_eq!(plain, gated, "{remote:?}");
    gated
}

#[test]
fn modes_and_what_can_be_done_with_them() {
    let world = World::new();
    same(&world, Some("stty -a; echo $TERM; exit 3"), &[]);
    same(&world, Some("stty -echo raw; stty -a; stty sane; stty -a"), &[]);
    same(&world, Some("tty | tr -d 0-9; test -t 0 && test -t 1 && test -t 2 && echo all three"), &[]);
    same(&world, Some("exec 3<>/dev/tty && echo opened >&3"), &[]);
}

#[test]
fn keys_that_send_signals() {
    let world = World::new();
    let trap = "trap 'echo caught $1; exit 9' INT QUIT; echo up; while :; do read x; done";
    assert_eq!(same(&world, Some(trap), &[("up", "\x03")]).0, Some(9));
    assert_eq!(same(&world, Some(trap), &[("up", "\x1c")]).0, Some(9));
    // Not caught: the whole group dies.
    same(&world, Some("ulimit -c 0; echo up; sleep 100; echo not here"), &[("up", "\x03")]);
    same(&world, Some("echo up; cat; echo end"), &[("up", "line\r\x04")]);
}

/// A login shell that is stopped and goes on: job control works.
#[test]
fn jobs_in_a_login_shell() {
    let world = World::new();
    let lines = [
        // What is typed before the shell gives the terminal away is shown in another way.
        ("ready> ", "echo u''p; cat\r"),
        ("up\r\n", "one\r"),
        ("one\r\none\r\n", "\x1a"),
        ("ready> ", "jobs; echo $-\r"),
        ("ready> ", "fg\r"),
        ("cat\r\n", "two\r"),
        ("two\r\ntwo\r\n", "\x03"),
        ("ready> ", "echo $?; shopt login_shell; exit 5\r"),
    ];
    let [plain, gated] = BOTH.map(|way| {
        let mut session = world.session(way, None);
        session.expect_any(&["$ ", "# "]);
        session.send("PS1='rea''dy> '\r");
        talk(session, &lines)
    });
    assert_eq!(plain, gated);
    assert!(gated.1.contains("Stopped") && gated.1.contains("130"), "{}", gated.1);
    assert_eq!(gated.0, Some(5));
}

/// ssh on a terminal of its own, whose size changes while it runs.
#[test]
fn the_window_and_its_changes() {
    let world = World::new();
    let said = BOTH.map(|way| {
        let (terminal, near) = oathgate_tests::terminal::open();
        let size = |rows, columns| {
            let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 7, ws_ypixel: 9 };
            tcsetwinsize(&terminal, size).unwrap();
        };
        size(33, 111);
        let remote = "trap 'stty size; kill $!; exit' WINCH; sleep 100 & stty size; wait";
        let mut command = world.direct(way).ssh(&["-tt"], Some(remote.as_ref()));
        world.arm(way, &mut command);
        let ssh = Running::start_with_input(&mut command, near.into());
        ssh.stdout.expect("33 111", PATIENCE);
        size(44, 99);
        // The kernel would tell a process whose controlling terminal it is.
        kill_process(Pid::from_raw(ssh.pid().cast_signed()).unwrap(), Signal::WINCH).unwrap();
        ssh.stdout.expect("44 99", PATIENCE);
        String::from_utf8(ssh.stdout.to_end(PATIENCE)).unwrap()
    });
    assert_eq!(said[0], said[1]);
}
