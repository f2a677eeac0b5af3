//! `--trial`: the stacks go back by themselves unless somebody confirms in time.
//!
//! A marker stands among the stacks as long as a trial runs. Whoever confirms,
//! undoes or ends it holds the marker's lock, so only one of them does. It is
//! ended by a timer of systemd's, or else by a child without a terminal; after a
//! reboot by `oathgate-trial.service`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use otp_wire::socket::timespec;
use otp_wire::syslog;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FlockOperation, OFlags, flock, inotify};
use rustix::process::setsid;
use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};

use super::files::{self, Found, Replaced};
use super::stack::Module;
use crate::clock;
use crate::error::Failure;

/// The marker; no service is called so.
const MARKER: &str = ".oathgate-trial";
/// The longest marker that is read, in bytes: the names of all stacks of a host.
const MAX_MARKER: u64 = 1024 * 1024;
/// The longest trial, in seconds.
const LONGEST: u64 = 24 * 3600;
/// systemd is the one to ask where this is (sd_booted(3)).
const SYSTEMD: &str = "/run/systemd/system";
/// Another one after each boot (random(4)).
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// Arguments of the hidden `trial-end`.
#[derive(Debug, Args)]
pub struct TrialEnd {
    /// The folder of the stacks
    #[arg(long, value_name = "DIR", default_value = super::STACKS)]
    pam_dir: PathBuf,
    /// The trial that ends; without it one that a reboot has ended
    #[arg(long)]
    id: Option<String>,
    /// Seconds to wait before
    #[arg(long)]
    after: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Marker {
    module: Module,
    id: String,
    boot: String,
    /// The names of the stacks it replaces. Earlier versions wrote none: then it is all that was kept.
    #[serde(default)]
    names: Option<Vec<String>>,
}

/// A trial whose marker we have locked.
#[derive(Debug)]
pub struct Trial {
    path: PathBuf,
    marker: Marker,
    _locked: File,
}

impl Trial {
    /// The trial that runs, if one does.
    ///
    /// # Errors
    /// When the marker can't be read.
    pub fn running(folder: &Path) -> Result<Option<Self>, Failure> {
        let path = folder.join(MARKER);
        Self::at(&path).map_err(|why| Failure::undecided(format!("{}: {why}", path.display())))
    }

    fn at(path: &Path) -> io::Result<Option<Self>> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let mut file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        flock(&file, FlockOperation::LockExclusive)?;
        // Whoever held it before us may have ended the trial.
        let (ours, there) = (file.metadata()?, fs::symlink_metadata(path));
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            let mut text = String::new();
            (&mut file).take(MAX_MARKER).read_to_string(&mut text)?;
            let marker = serde_json::from_str(&text)?;
            return Ok(Some(Self { path: path.to_owned(), marker, _locked: file }));
        }
        Ok(None)
    }

    /// From which module.
    pub fn module(&self) -> Module {
        self.marker.module
    }

    /// The names of the stacks it replaced; what an earlier trial left is not its business.
    pub fn names(&self) -> Option<&[String]> {
        self.marker.names.as_deref()
    }

    /// Ends it, whatever became of the stacks.
    ///
    /// # Errors
    /// When the marker can't be removed.
    pub fn over(self) -> Result<(), Failure> {
        let done = fs::remove_file(&self.path).and_then(|()| files::sync(&self.path));
        done.map_err(|why| Failure::undecided(format!("{}: {why}", self.path.display())))
    }
}

/// Reads how long a trial is to last, in seconds.
///
/// # Errors
/// When it is no time, or none between a second and a day.
pub fn seconds(text: &str) -> Result<u64, Failure> {
    clock::time(text).and_then(|seconds| match seconds {
        1..=LONGEST => Ok(seconds),
        _ => Err(Failure::usage("a trial lasts from 1s to 24h")),
    })
}

/// Begins a trial: from now on the stacks go back after so many seconds. It comes
/// before the stacks are changed, so that nothing between can be forgotten.
///
/// # Errors
/// When one runs already, or nobody could end it; then there is none.
pub fn begin(folder: &Path, module: Module, found: &[Found], seconds: u64) -> Result<(), Failure> {
    let failed = |why: io::Error| Failure::undecided(format!("{}: {why}; no stack was changed", folder.display()));
    let names = Some(found.iter().map(|one| files::name(&one.path)).collect());
    let marker = Marker { module, id: id().map_err(failed)?, boot: boot().map_err(failed)?, names };
    let path = folder.join(MARKER);
    write(&path, &marker).map_err(failed)?;
    let armed = if timer(folder, &marker.id, seconds) { Ok(()) } else { child(folder, &marker.id, seconds) };
    armed.map_err(|why| {
        let _ = fs::remove_file(&path);
        failed(why)
    })
}

fn write(path: &Path, marker: &Marker) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&serde_json::to_vec(marker)?)?;
    file.sync_all()?;
    files::sync(path)
}

fn id() -> io::Result<String> {
    let mut bits = [0; 8];
    match getrandom(&mut bits, GetRandomFlags::empty())? {
        8 => Ok(format!("{:016x}", u64::from_be_bytes(bits))),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn boot() -> io::Result<String> {
    fs::read_to_string(BOOT).map(|id| id.trim().to_owned())
}

fn words(command: &mut Command, folder: &Path, id: &str) {
    command.arg("trial-end").arg("--pam-dir").arg(folder).args(["--id", id]);
}

/// Lets systemd wait, whom the end of a session does not touch; for the system's own stacks.
fn timer(folder: &Path, id: &str, seconds: u64) -> bool {
    let this = std::env::current_exe();
    let (true, Ok(this)) = (folder == Path::new(super::STACKS) && Path::new(SYSTEMD).is_dir(), this) else {
        return false;
    };
    let mut command = Command::new("/usr/bin/systemd-run");
    command.args(["--quiet", "--collect", "--timer-property=AccuracySec=1s"]);
    command.arg(format!("--on-active={seconds}s")).arg(this).env_clear();
    words(&mut command, folder, id);
    command.stdin(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Lets a child of ours wait; it says when it has left our terminal.
fn child(folder: &Path, id: &str, seconds: u64) -> io::Result<()> {
    let mut command = Command::new("/proc/self/exe");
    words(&mut command, folder, id);
    command.args(["--after", &seconds.to_string()]).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let said = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let mut ready = [0; 1];
    said.take(1).read_exact(&mut ready)
}

/// Ends a trial that nobody confirmed, after its time if that is still to come.
///
/// # Errors
/// When the stacks can't be put back. The log tells it, too: nobody may be there.
pub fn end(arguments: &TrialEnd) -> Result<(), Failure> {
    if let Some(seconds) = arguments.after {
        detach(&arguments.pam_dir, seconds)?;
    }
    let said = ended(arguments).inspect_err(|failure| syslog::authpriv("oathgate", &failure.what))?;
    said.iter().for_each(|line| syslog::authpriv("oathgate", line));
    Ok(())
}

/// Leaves the terminal, says so, and waits until the time is over or the trial is.
fn detach(folder: &Path, seconds: u64) -> Result<(), Failure> {
    let until = Instant::now() + Duration::from_secs(seconds.min(LONGEST));
    setsid().map_err(|errno| Failure::undecided(format!("setsid: {errno}")))?;
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK);
    let watch = watch.map_err(Failure::undecided)?;
    inotify::add_watch(&watch, folder, inotify::WatchFlags::DELETE).map_err(Failure::undecided)?;
    io::stdout().write_all(b".").and_then(|()| io::stdout().flush()).map_err(Failure::undecided)?;
    let left = || Some(until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero());
    while let (Some(left), true) = (left(), folder.join(MARKER).exists()) {
        let _ = poll(&mut [PollFd::new(&watch, PollFlags::IN)], Some(&timespec(left)));
        let _ = rustix::io::read(&watch, &mut [0; 4096]);
    }
    Ok(())
}

/// Puts the stacks back; what is to be said about each.
fn ended(arguments: &TrialEnd) -> Result<Vec<String>, Failure> {
    let folder = &arguments.pam_dir;
    let Some(trial) = Trial::running(folder)? else { return Ok(vec![]) };
    let present = boot().map_err(Failure::undecided)?;
    let is_over = match &arguments.id {
        Some(id) => *id == trial.marker.id,
        None => trial.marker.boot != present,
    };
    if !is_over {
        return Ok(vec![]);
    }
    let Replaced { found, edited, gone } = files::replaced(folder, trial.module(), trial.names())?;
    files::put_back(&found)?;
    trial.over()?;
    let said = |what: String| format!("the trial was not confirmed; {what}");
    let back = found.iter().map(|one| said(format!("put back {}", one.path.display())));
    let left = edited.iter().map(|path| said(format!("{} was edited and is left", path.display())));
    let none = gone.iter().map(|path| said(format!("{} is gone and is left so", path.display())));
    Ok(back.chain(left).chain(none).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str = "auth required pam_google_authenticator.so\n";
    const OURS: &str = "auth required pam_oathgate.so\n";

    /// Two stacks that were replaced, `old` before this trial; and what is left of them when it has ended.
    fn after(names: &str) -> [String; 2] {
        let folder = tempfile::tempdir().unwrap();
        for name in ["old", "new"] {
            fs::write(folder.path().join(name), OURS).unwrap();
            fs::write(files::before(&folder.path().join(name)), THEIRS).unwrap();
        }
        let marker = format!(r#"{{"module":"google-authenticator","id":"1","boot":"2"{names}}}"#);
        fs::write(folder.path().join(MARKER), marker).unwrap();
        let arguments = TrialEnd { pam_dir: folder.path().to_owned(), id: Some("1".to_owned()), after: None };
        ended(&arguments).unwrap();
        assert!(!folder.path().join(MARKER).exists());
        ["old", "new"].map(|name| fs::read_to_string(folder.path().join(name)).unwrap())
    }

    #[test]
    fn what_was_confirmed_before_stays() {
        assert_eq!(after(r#","names":["new"]"#), [OURS, THEIRS]);
        assert_eq!(after(r#","names":[]"#), [OURS, OURS]);
        assert_eq!(after(""), [THEIRS, THEIRS], "a marker of an earlier version");
    }

    #[test]
    fn a_marker_holds_the_names_of_many_stacks() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..1000).map(|number| format!("service{number}")).collect();
        let marker =
            Marker { module: Module::PamOath, id: String::new(), boot: String::new(), names: Some(names.clone()) };
        write(&folder.path().join(MARKER), &marker).unwrap();
        assert_eq!(Trial::running(folder.path()).unwrap().unwrap().names(), Some(&names[..]));
    }
}
