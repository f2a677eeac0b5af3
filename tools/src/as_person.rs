//! Work in a person's home, done by a child that is that person: what root
//! opens there by mistake, the person could have made root open.
//!
//! The child is this program again, `oathgate as-person NAME TASK`, with an
//! empty environment, no descriptors but three pipes, and no terminal. It takes
//! the person's groups, gid and uid for good before it looks at anything.

use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use nix::unistd::{Gid, Uid, getresgid, getresuid, setgroups, setresgid, setresuid};
use otp_wire::frame;
use otp_wire::passwd::Entry;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, setsid, waitid};
use zeroize::Zeroizing;

use crate::error::{Exit, Failure};

/// The most that goes in or comes out, in bytes.
pub const LIMIT: usize = 16 * 1024 * 1024;

/// How long a task may take: a home on a server that hangs must not hang root.
const PATIENCE: Duration = Duration::from_secs(60);

/// This program, whatever happened to its name since it was started.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// Somebody with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The login name as the system spells it.
    pub name: String,
    /// The uid.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// The home directory.
    pub home: PathBuf,
    /// The login shell, never empty (passwd(5): /bin/sh).
    pub shell: PathBuf,
}

impl From<Entry> for Person {
    fn from(entry: Entry) -> Self {
        let Entry { name, uid, gid, home, shell } = entry;
        let shell = if shell.as_os_str().is_empty() { PathBuf::from("/bin/sh") } else { shell };
        Self { name, uid, gid, home, shell }
    }
}

impl Person {
    /// Finds `name`.
    ///
    /// # Errors
    /// When nobody is called so, or nobody can say.
    pub fn named(name: &str) -> Result<Self, Failure> {
        let found = database::by_name(name);
        let found = found.map_err(|error| Failure::undecided(format!("who is {name}? {error}")))?;
        found.ok_or_else(|| Failure::no(format!("there is no account {name:?} here")))
    }

    /// Whoever runs this program. Who is in no user database that this program
    /// can read is whom USER, HOME and SHELL say: they choose no more rights.
    ///
    /// # Errors
    /// When nobody can say.
    pub fn caller() -> Result<Self, Failure> {
        let uid = Uid::effective().as_raw();
        let found = database::by_uid(uid).ok().flatten().or_else(|| Self::of_environment(uid));
        found.ok_or_else(|| {
            Failure::usage("your uid has no login name here").hint("name the account on the command line")
        })
    }

    fn of_environment(uid: u32) -> Option<Self> {
        let name = std::env::var("USER").ok().filter(|name| !name.is_empty())?;
        let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute())?;
        let shell = std::env::var_os("SHELL").map(PathBuf::from).filter(|shell| shell.is_absolute());
        Some(Self::from(Entry { name, uid, gid: Gid::effective().as_raw(), home, shell: shell.unwrap_or_default() }))
    }

    /// Has a child of theirs do `task` (the words of the hidden verb) with
    /// `input`, and returns what it writes to its standard output.
    ///
    /// # Errors
    /// The child's own failure; or when it can't be started, is refused their
    /// identity, or takes too long.
    pub fn ask(&self, task: &[&str], input: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let me = Uid::effective();
        if !me.is_root() && me.as_raw() != self.uid {
            return Err(Failure::no(format!("only root may look after {}'s files", self.name)).hint("try it with sudo"));
        }
        let failed = |what: &dyn std::fmt::Display| Failure::undecided(format!("as {}: {what}", self.name));
        let mut command = Command::new(THIS_PROGRAM);
        command.args(["as-person", &self.name]).args(task).env_clear().current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| failed(&error))?;
        let (status, answer) = within_patience(child, input).map_err(|error| failed(&error))?;
        if status.success() { Ok(answer.stdout) } else { Err(said(&self.name, status, &answer.stderr)) }
    }

    /// Becomes this person for good. Whoever is not root may only be the
    /// person already.
    fn become_them(&self) -> Result<(), Failure> {
        let failed = |what: &dyn std::fmt::Display| Failure::undecided(format!("can't become {}: {what}", self.name));
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let groups = database::groups(&self.name, gid).map_err(|error| failed(&error))?;
        let changed =
            setgroups(&groups).and_then(|()| setresgid(gid, gid, gid)).and_then(|()| setresuid(uid, uid, uid));
        changed.map_err(|error| failed(&error))?;
        let (uids, gids) = (getresuid().map_err(|error| failed(&error))?, getresgid().map_err(|error| failed(&error))?);
        let theirs = [uids.real, uids.effective, uids.saved] == [uid; 3];
        if theirs && [gids.real, gids.effective, gids.saved] == [gid; 3] { Ok(()) } else { Err(failed(&"refused")) }
    }
}

/// The child's first steps: no descriptor and no terminal of root's is left,
/// and root is only who was meant to be root.
///
/// # Errors
/// When one of them fails; the task must not be done then.
pub fn enter(name: &str) -> Result<(), Failure> {
    close_others().map_err(|error| Failure::undecided(format!("/proc/self/fd: {error}")))?;
    // Without a terminal nothing that a person's shell runs can type into root's.
    setsid().map_err(|errno| Failure::undecided(format!("setsid: {errno}")))?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    if Uid::effective().is_root() { Person::named(name)?.become_them() } else { Ok(()) }
}

fn close_others() -> io::Result<()> {
    let names = std::fs::read_dir("/proc/self/fd")?.map(|entry| entry.map(|entry| entry.file_name()));
    let names = names.collect::<io::Result<Vec<_>>>()?;
    for number in names.iter().filter_map(|name| name.to_str()?.parse::<i32>().ok()) {
        if number > 2 {
            // The folder's own descriptor is closed by now.
            let _ = nix::unistd::close(number);
        }
    }
    Ok(())
}

/// The child's input, whole.
///
/// # Errors
/// When it is longer than [`LIMIT`], or can't be read.
pub fn input() -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    read_all(&mut crate::verify::Unbuffered, &mut bytes)
        .map_err(|error| Failure::undecided(format!("input: {error}")))?;
    Ok(bytes)
}

struct Answer {
    stdout: Zeroizing<Vec<u8>>,
    stderr: Zeroizing<Vec<u8>>,
}

/// Talks to `child`, and ends it where that takes too long.
fn within_patience(mut child: Child, input: &[u8]) -> io::Result<(ExitStatus, Answer)> {
    let pid = Pid::from_child(&child);
    let (ended, watch) = channel::<()>();
    let keeper = thread::spawn(move || {
        if watch.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    let answer = converse(&mut child, input);
    if answer.is_err() {
        let _ = child.kill();
    }
    // It stays a zombie until the keeper is gone: its number is nobody else's yet.
    let gone = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    drop(ended);
    let _ = keeper.join();
    let status = child.wait()?;
    gone?;
    answer.map(|answer| (status, answer))
}

/// Hands over `input`, then reads the answer: the child reads all before it
/// writes.
fn converse(child: &mut Child, input: &[u8]) -> io::Result<Answer> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    // A child that failed early has read nothing; what it said counts.
    drop(stdin.map(|mut stdin| stdin.write_all(input)));
    let mut answer = Answer { stdout: Zeroizing::default(), stderr: Zeroizing::default() };
    stdout.map(|mut from| read_all(&mut from, &mut answer.stdout)).transpose()?;
    stderr.map(|mut from| read_all(&mut from, &mut answer.stderr)).transpose()?;
    Ok(answer)
}

/// Reads to the end; what moves is wiped where it was.
fn read_all(from: &mut impl Read, to: &mut Zeroizing<Vec<u8>>) -> io::Result<()> {
    let mut chunk = Zeroizing::new([0_u8; 16 * 1024]);
    loop {
        match from.read(&mut chunk[..]) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                frame::reserve(to, count, LIMIT)?;
                to.extend_from_slice(chunk.get(..count).unwrap_or_default());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The child's failure, as it told it (see `run`).
fn said(name: &str, status: ExitStatus, stderr: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(stderr);
    let told = |start: &str| text.lines().find_map(|line| line.strip_prefix(start)).map(|line| line.trim().to_owned());
    let Some(what) = told("error: ") else {
        let why = status.signal().map_or_else(|| status.to_string(), |signal| format!("ended by signal {signal}"));
        return Failure::undecided(format!("as {name}: {why}"));
    };
    let exit = if status.code() == Some(Exit::No as i32) { Exit::No } else { Exit::Undecided };
    Failure { exit, what, hint: told("hint: ") }
}

/// The groups of a person whose first group is `gid`, and that one.
///
/// # Errors
/// When they can't be found.
pub fn groups(name: &str, gid: Gid) -> io::Result<Vec<Gid>> {
    database::groups(name, gid)
}

#[cfg(not(target_feature = "crt-static"))]
mod database {
    use std::ffi::CString;

    use nix::unistd::{Gid, Uid, User, getgrouplist};
    use otp_wire::passwd::Entry;

    use super::Person;

    pub fn by_name(name: &str) -> std::io::Result<Option<Person>> {
        Ok(User::from_name(name)?.map(person))
    }

    pub fn by_uid(uid: u32) -> std::io::Result<Option<Person>> {
        Ok(User::from_uid(Uid::from_raw(uid))?.map(person))
    }

    fn person(user: User) -> Person {
        let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
        Person::from(Entry { name: user.name, uid, gid, home: user.dir, shell: user.shell })
    }

    pub fn groups(name: &str, gid: Gid) -> std::io::Result<Vec<Gid>> {
        Ok(getgrouplist(&CString::new(name)?, gid)?)
    }
}

/// A static program must not load the libraries of the system's other sources:
/// they belong to another libc. It knows the local file, and no further groups.
#[cfg(target_feature = "crt-static")]
mod database {
    use nix::unistd::Gid;
    use otp_wire::passwd;

    use super::Person;

    pub fn by_name(name: &str) -> std::io::Result<Option<Person>> {
        Ok(passwd::by_name(name)?.map(Person::from))
    }

    pub fn by_uid(uid: u32) -> std::io::Result<Option<Person>> {
        Ok(passwd::by_uid(uid)?.map(Person::from))
    }

    pub fn groups(_: &str, gid: Gid) -> std::io::Result<Vec<Gid>> {
        Ok(vec![gid])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_found_by_name() {
        let root = Person::named("root").unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        for nobody in ["no-such-account-here", "", "root\n"] {
            assert!(Person::named(nobody).unwrap_err().what.contains("no account"), "{nobody:?}");
        }
        assert_eq!(Person::caller().unwrap().uid, Uid::effective().as_raw());
    }

    #[test]
    fn the_childs_failure_is_passed_on() {
        let exited = |code: i32| ExitStatus::from_raw(code << 8);
        let failure = said("ann", exited(1), b"error: no\nhint: do\n");
        assert_eq!(failure, Failure::no("no").hint("do"));
        assert_eq!(said("ann", exited(3), b"error: x\n"), Failure::undecided("x"));
        assert!(said("ann", ExitStatus::from_raw(9), b"").what.contains("signal 9"));
        assert_eq!(said("ann", exited(101), b"thread panicked").exit, Exit::Undecided);
    }

    fn shell(script: &str, input: &[u8]) -> io::Result<(ExitStatus, Answer)> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        within_patience(command.spawn().unwrap(), input)
    }

    #[test]
    fn answers_are_whole_and_bounded() {
        let input = vec![b'x'; 300_000];
        let (status, answer) = shell("text=$(cat); printf %s \"$text\"; echo error >&2; exit 3", &input).unwrap();
        assert_eq!((status.code(), &answer.stdout[..], &answer.stderr[..]), (Some(3), &input[..], &b"error\n"[..]));
        let (status, answer) = shell("echo gone; exit 1", &input).unwrap();
        assert_eq!((status.code(), &answer.stdout[..]), (Some(1), &b"gone\n"[..]), "it read nothing");
        assert!(shell("exec cat /dev/zero", b"").is_err());
    }
}
