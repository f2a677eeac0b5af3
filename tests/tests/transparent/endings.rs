//! Deaths, background jobs and clients that go away. What must come after
//! something else is held back by named pipes, never by time.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use oathgate_tests::process::{PATIENCE, Running, Stream};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::world::{BOTH, Way, World};

/// A named pipe of this way's own.
fn pipe(world: &World, way: Way, name: &str) -> PathBuf {
    let path = world.real.sshd.folder().join(format!("{name}-{way:?}"));
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    path
}

/// Everything that is written into a named pipe, until nobody holds it any more.
fn all_of(path: &Path) -> Stream {
    Stream::of(Late(path.to_owned(), None))
}

/// A named pipe that is opened by whoever reads it.
struct Late(PathBuf, Option<fs::File>);

impl Read for Late {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.1.is_none() {
            self.1 = Some(fs::File::open(&self.0)?);
        }
        self.1.as_mut().map_or(Ok(0), |pipe| pipe.read(into))
    }
}

fn text(stream: &Stream) -> String {
    String::from_utf8(stream.to_end(PATIENCE)).unwrap()
}

#[test]
fn a_background_job_lives_on_and_holds_nobody_up() {
    let world = World::new();
    for way in BOTH {
        let (go, done) = (pipe(&world, way, "go"), pipe(&world, way, "done"));
        let job = format!("read x <{}; echo $x >{}", go.display(), done.display());
        let finished = world.run(way, format!("({job}) </dev/null >/dev/null 2>&1 & echo gone").as_bytes(), b"");
        assert_eq!((finished.code(), finished.text().as_str()), (Some(0), "gone\n"), "{way:?}");
        let said = all_of(&done);
        fs::write(&go, "still here\n").unwrap();
        assert_eq!(text(&said), "still here\n", "{way:?}");
    }
}

#[test]
fn a_background_job_that_holds_the_output_is_waited_for() {
    let world = World::new();
    for way in BOTH {
        let go = pipe(&world, way, "go");
        let remote = format!("(read x <{}; echo $x) & echo early; exit 4", go.display());
        let mut ssh = Running::start(&mut world.ssh(way, Some(remote.as_bytes())));
        ssh.stdout.expect("early", PATIENCE);
        fs::write(&go, "late\n").unwrap();
        assert_eq!(ssh.wait(PATIENCE).code(), Some(4), "{way:?}");
        assert_eq!(text(&ssh.stdout), "early\nlate\n", "{way:?}");
    }
}

#[test]
fn a_client_that_closes_its_output_ends_the_writer() {
    let world = World::new();
    for way in BOTH {
        let status = pipe(&world, way, "status");
        let said = all_of(&status);
        let remote = format!("yes; echo $? >{}", status.display());
        let mut ssh = world.ssh(way, Some(remote.as_bytes()));
        let mut child = ssh.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut first = [0; 4];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        assert_eq!(&first, b"y\ny\n");
        child.wait().unwrap();
        assert_eq!(text(&said), "141\n", "{way:?}: yes dies of SIGPIPE");
    }
}

/// Ends the client in the middle; whoever of the command's processes still
/// lived would hold the pipe open.
#[test]
fn nothing_is_left_of_a_command_whose_client_is_killed() {
    let world = World::new();
    for way in BOTH {
        for terminal in [false, true] {
            let held = pipe(&world, way, &format!("held-{terminal}"));
            let remote = format!("exec 9>{}; echo up >&9; cat; echo end-of-input >&9", held.display());
            let said = all_of(&held);
            if terminal {
                let session = world.session(way, Some(&remote));
                said.expect("up", PATIENCE);
                drop(session);
                assert_eq!(text(&said), "up\n", "{way:?}: hung up");
            } else {
                let ssh = Running::start(&mut world.ssh(way, Some(remote.as_bytes())));
                said.expect("up", PATIENCE);
                drop(ssh);
                assert_eq!(text(&said), "up\nend-of-input\n", "{way:?}");
            }
        }
    }
}

#[test]
fn a_hang_up_is_a_signal_that_can_be_caught() {
    let world = World::new();
    for way in BOTH {
        let held = pipe(&world, way, "held");
        let said = all_of(&held);
        let remote = format!(
            "exec 9>{}; trap 'echo hup >&9; exit' HUP; echo up >&9; while :; do read x || exit; done",
            held.display()
        );
        let session = world.session(way, Some(&remote));
        said.expect("up", PATIENCE);
        drop(session);
        assert_eq!(text(&said), "up\nhup\n", "{way:?}");
    }
}

/// The names on the wire, which OpenSSH's own client does not show.
const SIGNALS: &str = include_str!("signals.py");

/// Asks for every command, behind a code where there is one, and returns how
/// each ended as the server said it.
fn endings(world: &World, way: Way, commands: &[String]) -> Vec<String> {
    let script = world.real.sshd.folder().join("signals.py");
    fs::write(&script, SIGNALS).unwrap();
    let key = match way {
        Way::Plain => world.real.sshd.folder().join("plain"),
        Way::Gated => world.alice.key.path.clone(),
    };
    let mut python = world.direct(way).bare("/usr/bin/python3");
    python.arg(&script).arg(world.real.sshd.port().to_string()).arg(&world.real.account).arg(key);
    let mut running = Running::start(&mut python);
    for command in commands {
        let code = if way == Way::Gated { world.code() } else { String::new() };
        running.send(&format!("{code}\t{command}\n"));
    }
    running.close();
    let status = running.wait(PATIENCE);
    assert!(status.success(), "{}", running.stderr.so_far());
    text(&running.stdout).lines().map(str::to_owned).collect()
}

/// Whether paramiko is there; says so where it isn't.
pub fn paramiko() -> bool {
    let there = std::process::Command::new("/usr/bin/python3").args(["-c", "import paramiko"]).output();
    let there = there.is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("skipped: needs python3-paramiko");
    }
    there
}

#[test]
fn death_by_every_signal() {
    if !paramiko() {
        return;
    }
    let world = World::new();
    // Those that stop a process would hold it for ever.
    let signals = (1..=64).filter(|number| !matches!(number, 19..=22 | 32 | 33));
    let mut commands: Vec<String> = signals.map(|number| format!("ulimit -c 0; kill -{number} $$")).collect();
    commands.extend(["exit 0", "exit 7", "exec true", "exec false", ""].map(str::to_owned));
    let [plain, gated] = BOTH.map(|way| endings(&world, way, &commands));
    for (command, (plain, gated)) in commands.iter().zip(plain.iter().zip(&gated)) {
        assert_eq!(plain, gated, "{command:?}");
    }
    assert_eq!((plain.len(), gated.len()), (commands.len(), commands.len()));
    for (number, ending) in [(9, "signal KILL"), (15, "signal TERM"), (1, "signal HUP"), (13, "signal PIPE")] {
        let row = commands.iter().position(|command| command.ends_with(&format!("-{number} $$"))).unwrap();
        assert!(gated[row].starts_with(ending), "{number}: {}", gated[row]);
    }
    assert_eq!(gated.last().unwrap(), "status 0 ''", "the empty command is no login shell");
}
