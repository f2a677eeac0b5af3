//! A real sshd on loopback and real clients for it, in a folder of their own.
//! Nothing of the machine's own SSH is read or changed.

#![allow(clippy::expect_used, clippy::panic)]

use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Finished, PATIENCE, Running, run};

/// How a server differs from the usual one.
pub struct Settings {
    /// The server. sshd names its PAM service after the name it is started by.
    pub program: PathBuf,
    /// A command in front of it, such as `unshare -m sh -c '…; exec "$@"' sh`.
    /// It must end in an exec, because its process is what is ended.
    pub wrapper: Vec<OsString>,
    /// Lines for sshd_config that win over the usual ones.
    pub first: Vec<String>,
    /// Lines for its end: `Match` blocks.
    pub last: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { program: "/usr/sbin/sshd".into(), wrapper: vec![], first: vec![], last: vec![] }
    }
}

/// What sshd_config holds besides. The usual exchange of keys (sntrup761) takes ssh more
/// of the processor than all the rest of a login, and nothing here is about it.
const USUAL: &str = "\
ListenAddress 127.0.0.1
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
AcceptEnv LANG LC_*
MaxStartups 200
MaxSessions 200
PrintMotd no
PrintLastLog no
KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org
LogLevel VERBOSE
";

/// A running server; ended when dropped.
pub struct Sshd {
    folder: tempfile::TempDir,
    port: u16,
    server: Running,
}

impl Sshd {
    /// Starts one that lets nobody in yet.
    ///
    /// # Panics
    /// When it doesn't start; with what it said.
    pub fn start(settings: &Settings) -> Self {
        let folder = tempfile::Builder::new().prefix("oathgate-sshd-").tempdir().expect("a temporary folder");
        // sshd reads authorized_keys as the account that logs in.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("our folder");
        if rustix::process::getuid().is_root() {
            // Where the server locks its unprivileged part in.
            fs::create_dir_all("/run/sshd").expect("/run");
        }
        fs::create_dir(folder.path().join("home")).expect("our folder");
        let host_key = Key::generate(folder.path(), "host");
        fs::write(folder.path().join("authorized_keys"), "").expect("our folder");
        let (port, server) = Self::listen(settings, folder.path());
        let known = format!("[127.0.0.1]:{port} {}\n", host_key.public);
        fs::write(folder.path().join("known_hosts"), known).expect("our folder");
        Self { folder, port, server }
    }

    /// Somebody may take a free port before sshd does: then another one.
    fn listen(settings: &Settings, folder: &Path) -> (u16, Running) {
        let mut said = String::new();
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
            let server = launch(settings, folder, free.port());
            let ready = format!("Server listening on 127.0.0.1 port {}.", free.port());
            match server.stderr.wait_for(&ready, PATIENCE) {
                Ok(_) => return (free.port(), server),
                Err(instead) => said = instead,
            }
        }
        panic!("sshd does not start: {said}");
    }

    /// The folder for whatever belongs to this server; every user may look into it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What HOME is in a session; where a user's own store lies.
    pub fn home(&self) -> PathBuf {
        self.folder().join("home")
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's log so far.
    pub fn log(&self) -> String {
        self.server.stderr.so_far()
    }

    /// A new client key, which isn't authorised yet.
    pub fn key(&self, name: &str) -> Key {
        Key::generate(self.folder(), name)
    }

    /// Adds a line to authorized_keys: `options` in front of the key.
    ///
    /// # Panics
    /// When the folder is gone.
    pub fn authorise(&self, key: &Key, options: &str) {
        let path = self.folder().join("authorized_keys");
        let mut file = fs::OpenOptions::new().append(true).open(path).expect("our folder");
        writeln!(file, "{options} {}", key.public).expect("room on the disk");
    }

    /// A client that uses `key`, as the user who runs the tests.
    pub fn client(&self, key: &Key) -> Client {
        let user = id("-un");
        Client { folder: self.folder().to_owned(), port: self.port, key: key.path.clone(), user, options: vec![] }
    }
}

/// The usual SFTP server; sshd takes no second one.
const SFTP: &str = "Subsystem sftp /usr/lib/openssh/sftp-server";

fn launch(settings: &Settings, folder: &Path, port: u16) -> Running {
    let path = |name: &str| folder.join(name).display().to_string();
    let sftp = if settings.first.iter().any(|line| line.starts_with("Subsystem sftp ")) { "" } else { SFTP };
    let config = [
        settings.first.join("\n"),
        format!("Port {port}\nHostKey {}\nAuthorizedKeysFile {}", path("host"), path("authorized_keys")),
        // An empty home: no start file of whoever runs the tests, and a store of its own.
        format!("SetEnv HOME={}", path("home")),
        USUAL.to_owned(),
        sftp.to_owned(),
        settings.last.join("\n"),
    ];
    fs::write(folder.join("sshd_config"), config.join("\n") + "\n").expect("our folder");
    let mut words = settings.wrapper.clone();
    words.extend([settings.program.clone().into(), "-D".into(), "-e".into(), "-f".into()]);
    words.push(folder.join("sshd_config").into());
    let (program, arguments) = words.split_first().expect("a program");
    Running::start(Command::new(program).args(arguments))
}

/// The user's name (`-un`) or number (`-u`), as id(1) says.
///
/// # Panics
/// Without id(1).
pub fn id(option: &str) -> String {
    run(Command::new("id").arg(option), b"").text().trim().to_owned()
}

/// An SSH key pair without a passphrase.
pub struct Key {
    /// The private key's file; the public one ends in `.pub`.
    pub path: PathBuf,
    /// `TYPE BASE64`.
    pub public: String,
    /// `SHA256:…`.
    pub fingerprint: String,
}

impl Key {
    /// Makes one in `folder`.
    ///
    /// # Panics
    /// When ssh-keygen can't.
    pub fn generate(folder: &Path, name: &str) -> Self {
        let path = folder.join(name);
        let arguments: [&OsStr; 8] =
            ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"].map(|argument: &str| OsStr::new(argument));
        let made = run(Command::new("ssh-keygen").args(arguments).arg(&path), b"");
        assert!(made.status.success(), "{name}: {}{}", made.text(), made.stderr);
        let line = fs::read_to_string(path.with_extension("pub")).expect("a public key");
        let (fingerprint, _) = otp_core::Fingerprint::of_line(&line).expect("a public key");
        let public = line.split(' ').take(2).collect::<Vec<_>>().join(" ");
        Self { path, public, fingerprint: fingerprint.to_string() }
    }
}

/// Somebody with a key, who runs OpenSSH's clients without any settings,
/// agent or environment of their own.
#[derive(Clone)]
pub struct Client {
    folder: PathBuf,
    port: u16,
    key: PathBuf,
    user: String,
    options: Vec<String>,
}

impl Client {
    /// Logs in to another account.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        user.clone_into(&mut self.user);
        self
    }

    /// Adds an option of ssh_config, such as `BatchMode=yes`; it wins over the usual ones.
    #[must_use]
    pub fn option(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    /// The options that ssh, scp and sftp all understand.
    pub fn options(&self) -> Vec<String> {
        let mut words = vec!["-F".to_owned(), "none".to_owned()];
        let usual = [
            format!("Port={}", self.port),
            format!("User={}", self.user),
            format!("IdentityFile={}", self.key.display()),
            format!("UserKnownHostsFile={}", self.folder.join("known_hosts").display()),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "IdentityAgent=none".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            "PreferredAuthentications=publickey".to_owned(),
            "SendEnv=LC_*".to_owned(),
            "LogLevel=ERROR".to_owned(),
        ];
        for option in self.options.iter().chain(&usual) {
            words.extend(["-o".to_owned(), option.clone()]);
        }
        words
    }

    /// `program` with nothing of this process's environment but PATH.
    pub fn bare(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", &self.folder);
        command.current_dir(&self.folder);
        command
    }

    /// `program` (ssh, scp or sftp) with the options of this client.
    pub fn command(&self, program: &str) -> Command {
        let mut command = self.bare(program);
        command.args(self.options());
        command
    }

    /// `ssh [OPTION…] 127.0.0.1 [COMMAND]`.
    pub fn ssh(&self, options: &[&str], remote: Option<&OsStr>) -> Command {
        let mut command = self.command("ssh");
        command.args(options).arg("127.0.0.1").args(remote);
        command
    }

    /// Runs `remote` without a terminal, with `code` in LC_OTP where there is one.
    ///
    /// # Panics
    /// When it hangs.
    pub fn run(&self, remote: &str, code: Option<&str>) -> Finished {
        run(self.ssh(&["-T"], Some(OsStr::new(remote))).envs(code.map(|code| ("LC_OTP", code))), b"")
    }

    /// Opens a session with a terminal; `remote` is a command, or a login shell when left out.
    pub fn session(&self, remote: Option<&str>) -> Session {
        Session::start(&mut self.ssh(&["-tt"], remote.map(OsStr::new)))
    }

    /// Opens a connection that stays, and returns it with a client whose sessions
    /// all go through it.
    ///
    /// # Panics
    /// When sshd lets nobody in.
    pub fn master(&self) -> (Running, Self) {
        let name = self.key.file_name().unwrap_or_default().display().to_string();
        let path = format!("ControlPath={}/master-{name}", self.folder.display());
        // The socket is there before the local command runs (ssh.c, ssh_session2).
        let announce = ["-M", "-N", "-o", &path, "-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo ready"];
        let master = Running::start(&mut self.ssh(&announce, None));
        let ready = master.stdout.wait_for("ready", PATIENCE);
        assert!(ready.is_ok(), "no connection: {}", master.stderr.so_far());

        (master, self.clone().option(&path))
    }

    /// What rsync's `-e` and GIT_SSH_COMMAND want: one string.
    pub fn shell_words(&self) -> String {
        format!("ssh {}", self.options().join(" "))
    }
}

/// A session with a terminal at the far side.
pub struct Session(Running);

impl Session {
    /// Starts `ssh`, which asks for one.
    pub fn start(ssh: &mut Command) -> Self {
        Self(Running::start(ssh))
    }

    /// Waits for `text` and returns what came before it.
    ///
    /// # Panics
    /// When it doesn't come.
    pub fn expect(&self, text: &str) -> String {
        self.0.stdout.expect(text, PATIENCE)
    }

    /// Waits for whichever of `texts` comes first, and returns its number.
    ///
    /// # Panics
    /// When none comes.
    pub fn expect_any(&self, texts: &[&str]) -> usize {
        let found = self.0.stdout.wait_for_any(texts, PATIENCE);
        found.unwrap_or_else(|said| panic!("none of {texts:?}, but {said:?}")).0
    }

    /// Types `text`; a line ends in `\r`, as at a keyboard.
    ///
    /// # Panics
    /// When the session is over.
    pub fn send(&mut self, text: &str) {
        self.0.send(text);
    }

    /// Everything that was shown so far.
    pub fn shown(&self) -> String {
        self.0.stdout.so_far()
    }

    /// Waits for the end; the exit code, and everything that was shown.
    ///
    /// # Panics
    /// When it doesn't end.
    pub fn wait(&mut self) -> (Option<i32>, String) {
        let status = self.0.wait(PATIENCE);
        let shown = self.0.stdout.to_end(PATIENCE);
        (status.code(), String::from_utf8_lossy(&shown).into_owned())
    }
}
