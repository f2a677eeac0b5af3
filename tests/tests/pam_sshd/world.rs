//! A server that asks by PAM, and people who answer it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

use oathgate_tests::built::{bin, library};
use oathgate_tests::oathgated::{Device, Oathgated, hotp};
use oathgate_tests::process::{Finished, PATIENCE, Running, Stream, run};
use oathgate_tests::sshd::{Client, Key, Settings, Sshd, id};
use otp_wire::message::OwnerName;
use otp_wire::{Ask, Outcome, SecretText};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

/// What sshd_config must say, as the README has it.
pub const README: [&str; 3] =
    ["UsePAM yes", "KbdInteractiveAuthentication yes", "AuthenticationMethods publickey,keyboard-interactive"];

/// Lays a private folder over /etc/pam.d, an empty one over /var/log, where
/// sshd counts logins, and a private /dev, with a log, over /dev; the rest of
/// the line is started in there.
const NAMESPACE: &str = r#"set -e
cd "$1"; shift
mount --bind pam.d /etc/pam.d
mount -t tmpfs -o mode=755 none /var/log
mount -t tmpfs -o mode=755 none dev
for node in null zero full random urandom tty; do
    : > dev/$node
    mount --bind /dev/$node dev/$node
done
ln -s /proc/self/fd dev/fd
ln -s "$PWD/log" dev/log
mount --rbind dev /dev
exec "$@""#;

/// Whether these tests can run; says so where they can't.
pub fn possible() -> bool {
    let root = rustix::process::getuid().is_root();
    if !root {
        eprintln!("skipped: needs root");
    }
    root
}

/// A server, a verifier, and one account.
pub struct World {
    pub sshd: Sshd,
    pub service: Oathgated,
    pub account: String,
    log: Stream,
    folder: tempfile::TempDir,
}

/// What is started with these words in front sees the folder's PAM.
fn wrapper(folder: &Path) -> Vec<OsString> {
    let mut words: Vec<_> = ["unshare", "-m", "sh", "-c", NAMESPACE, "sh"].map(Into::into).to_vec();
    words.push(folder.into());
    words
}

impl World {
    /// As the README says.
    pub fn new() -> Self {
        Self::with("", &README)
    }

    /// With `options` for the module, and `first` in sshd_config.
    pub fn with(options: &str, first: &[&str]) -> Self {
        Self::behind("", options, first)
    }

    /// The same, with further lines of PAM before the module's.
    pub fn behind(before: &str, options: &str, first: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("oathgate-ns-").tempdir().expect("a temporary folder");
        let service = Oathgated::start();
        fs::create_dir(folder.path().join("dev")).expect("our folder");
        fs::create_dir(folder.path().join("pam.d")).expect("our folder");
        let module = library("libpam_oathgate.so");
        let stack = format!(
            "{before}auth required {} nodelay socket={} {options}\naccount required pam_permit.so\nsession required pam_permit.so\n",
            module.display(),
            service.root_socket().display()
        );
        fs::write(folder.path().join("pam.d/sshd"), stack).expect("our folder");
        let log = Stream::of(Log(UnixDatagram::bind(folder.path().join("log")).expect("a free path")));
        let wrapper = wrapper(folder.path());
        let first = first.iter().map(|line| (*line).to_owned()).collect();
        let sshd = Sshd::start(&Settings { wrapper, first, ..Settings::default() });
        Self { sshd, service, account: id("-un"), log, folder }
    }

    /// What `oathgate doctor ssh` prints about this server, and its exit code.
    pub fn doctor(&self) -> (Option<i32>, String) {
        let words = wrapper(self.folder.path());
        let (program, arguments) = words.split_first().expect("a program");
        let mut command = Command::new(program);
        command.args(arguments).arg(bin("oathgate")).arg("--socket").arg(self.service.root_socket());
        command.args(["doctor", "ssh", "--config"]);
        let finished = run(command.arg(self.sshd.folder().join("sshd_config")), b"");
        (finished.code(), finished.text())
    }

    /// A key that sshd takes, and that has no code.
    pub fn stranger(&self, name: &str) -> Client {
        let key = self.sshd.key(name);
        self.sshd.authorise(&key, "");
        self.client(&key)
    }

    /// Ten new scratch codes of `owner`'s.
    pub fn new_scratch(&self, owner: &str) -> Vec<SecretText> {
        let name = OwnerName { account: self.account.clone(), owner: Some(owner.to_owned()) };
        match self.service.administrator().ask(Ask::ScratchNew(name)) {
            Outcome::Scratch(codes) => codes,
            other => panic!("no scratch codes: {other:?}"),
        }
    }

    /// A key that sshd takes, and its owner's device.
    pub fn enrol(&self, name: &str) -> Person {
        let key = self.sshd.key(name);
        self.sshd.authorise(&key, "");
        let device = self.service.administrator().enrol(hotp(&self.account, name, Some(&key.fingerprint), name));
        Person { client: self.client(&key), key, device }
    }

    /// Somebody who comes with `key`, if sshd wants one.
    pub fn client(&self, key: &Key) -> Client {
        self.sshd.client(key).option("PreferredAuthentications=publickey,keyboard-interactive")
    }

    /// Waits until the module logs a line with `text` in it.
    pub fn expect_logged(&self, text: &str) {
        self.log.expect(text, PATIENCE);
    }

    /// All that was logged so far.
    pub fn logged(&self) -> String {
        self.log.so_far()
    }
}

/// A key, and the device that shows its codes.
pub struct Person {
    pub key: Key,
    pub client: Client,
    pub device: Device,
}

/// A log's lines, one a datagram.
struct Log(UnixDatagram);

impl Read for Log {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let last = into.len() - 1;
        let length = self.0.recv(&mut into[..last])?;
        into[length] = b'\n';
        Ok(length + 1)
    }
}

/// One ssh, whose prompts come here and are answered from here.
pub struct Login {
    ssh: Running,
    asked: File,
    answers: File,
    _folder: tempfile::TempDir,
}

/// What ssh starts to ask: it hands the prompt on and waits for the answer.
const ASKPASS: &str = r#"#!/bin/sh
printf '%s\0' "$1" > "$ASKED"
IFS= read -r answer < "$ANSWERS"
printf '%s\n' "$answer"
"#;

impl Login {
    /// Starts `echo in` at the far side.
    pub fn start(client: &Client) -> Self {
        let folder = tempfile::Builder::new().prefix("oathgate-ssh-").tempdir().expect("a temporary folder");
        let askpass = folder.path().join("askpass");
        fs::write(&askpass, ASKPASS).expect("our folder");
        fs::set_permissions(&askpass, Permissions::from_mode(0o700)).expect("our folder");
        let (asked, answers) = (pipe(&folder.path().join("asked")), pipe(&folder.path().join("answers")));
        let mut command = client.ssh(&["-T"], Some("echo in".as_ref()));
        command.env("SSH_ASKPASS", &askpass).env("SSH_ASKPASS_REQUIRE", "force");
        command.env("ASKED", folder.path().join("asked")).env("ANSWERS", folder.path().join("answers"));
        Self { ssh: Running::start(&mut command), asked, answers, _folder: folder }
    }

    /// Waits for a prompt; none when ssh ended without one.
    pub fn prompt(&mut self) -> Option<String> {
        let limit = otp_wire::socket::timespec(PATIENCE);
        let pid = rustix::process::Pid::from_raw(self.ssh.pid().cast_signed()).expect("a process");
        let ended = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).expect("our child");
        let mut either = [PollFd::new(&self.asked, PollFlags::IN), PollFd::new(&ended, PollFlags::IN)];
        assert!(poll(&mut either, Some(&limit)).expect("poll") > 0, "neither a prompt nor an end");
        if !either[0].revents().contains(PollFlags::IN) {
            return None;
        }
        let mut text = [0; 4096];
        let count = self.asked.read(&mut text).expect("a prompt");
        Some(String::from_utf8_lossy(&text[..count]).trim_end_matches('\0').to_owned())
    }

    /// Types an answer.
    pub fn answer(&mut self, code: &str) {
        self.answers.write_all(format!("{code}\n").as_bytes()).expect("somebody reads");
    }

    /// Waits for the end: whether it came in.
    pub fn came_in(mut self) -> bool {
        let finished = self.finish();
        let came_in = finished.text() == "in\n";
        assert_eq!(came_in, finished.code() == Some(0), "{}", finished.stderr);
        came_in
    }

    fn finish(&mut self) -> Finished {
        let status = self.ssh.wait(PATIENCE);
        let stdout = self.ssh.stdout.to_end(PATIENCE);
        let stderr = String::from_utf8_lossy(&self.ssh.stderr.to_end(PATIENCE)).into_owned();
        Finished { status, stdout, stderr, took: std::time::Duration::ZERO, kept: std::time::Duration::ZERO }
    }
}

/// A named pipe with both ends held open, so that nobody waits for the other side to open it.
fn pipe(path: &PathBuf) -> File {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("our folder");
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().read(true).write(true).custom_flags(flags).open(Path::new(path)).expect("our pipe")
}

/// Logs in once with `code`: whether that worked. There must be a prompt.
pub fn try_code(client: &Client, code: &str) -> bool {
    let mut login = Login::start(&client.clone().option("NumberOfPasswordPrompts=1"));
    let prompt = login.prompt().expect("a prompt");
    assert!(prompt.ends_with("Verification code: "), "{prompt}");
    login.answer(code);
    login.came_in()
}

/// Logs in where no prompt may come: whether that worked.
pub fn without_prompt(client: &Client) -> bool {
    let mut login = Login::start(&client.clone().option("NumberOfPasswordPrompts=1"));
    assert_eq!(login.prompt(), None);
    login.came_in()
}
