//! Other people's programs through the gate, there and back.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use oathgate_tests::process::{Finished, PATIENCE, Running, run};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::endings::paramiko;
use crate::tree::{Tree, arrived, plant, read};
use crate::world::{Way, World};

/// What stands in for ssh: takes the next code for each session.
const NEXT_CODE: &str = r#"#!/bin/sh
exec 9>"$CODES.lock"
flock 9
LC_OTP=$(head -n 1 "$CODES")
sed -i 1d "$CODES"
exec 9>&-
export LC_OTP
exec /usr/bin/ssh $OPTIONS "$@"
"#;

/// A world with something to carry, and an ssh that has codes.
struct Trip {
    world: World,
    planted: Tree,
}

impl Trip {
    fn new() -> Self {
        let world = World::new();
        let folder = world.real.sshd.folder();
        let planted = plant(&folder.join("near"));
        fs::create_dir(folder.join("far")).unwrap();
        fs::create_dir(folder.join("bin")).unwrap();
        fs::write(folder.join("bin/ssh"), NEXT_CODE).unwrap();
        fs::set_permissions(folder.join("bin/ssh"), Permissions::from_mode(0o755)).unwrap();
        let codes: String = (0..100).map(|_| world.code() + "\n").collect();
        fs::write(folder.join("codes"), codes).unwrap();
        Self { world, planted }
    }

    fn folder(&self) -> &Path {
        self.world.real.sshd.folder()
    }

    /// `near`, `far` or a name below them, as this side calls it.
    fn here(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// The same, as a program is told about the other side.
    fn there(&self, name: &str) -> String {
        format!("127.0.0.1:{}", self.here(name).display())
    }

    /// `program`, which finds that ssh first.
    fn program(&self, program: &str) -> Command {
        let client = self.world.shared(Way::Gated);
        let mut command = client.bare(program);
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin", self.here("bin").display());
        command.env("PATH", path).env("OPTIONS", client.options().join(" ")).env("CODES", self.here("codes"));
        command.env("LC_ALL", "C.UTF-8").env("GIT_CONFIG_GLOBAL", "/dev/null");
        command
    }

    /// Runs a line of shell, in which `$there` is the other side.
    fn shell(&self, line: &str) -> Finished {
        let mut sh = self.program("sh");
        sh.args(["-ec", line]).env("there", self.there("far"));
        let done = run(&mut sh, b"");
        assert!(done.status.success(), "{line}: {}{}", done.text(), done.stderr);
        done
    }

    /// Carries the tree there by one line and back by another.
    fn both_ways(&self, up: &str, down: &str) {
        self.shell(up);
        arrived(&self.planted, &self.here("far/tree"));
        self.shell(down);
        arrived(&self.planted, &self.here("back"));
    }
}

/// Whether `program` is there; says so where it isn't.
pub fn found(program: &str) -> bool {
    let there = Command::new("sh").args(["-c", &format!("command -v {program} >/dev/null")]).status();
    let there = there.is_ok_and(|status| status.success());
    if !there {
        eprintln!("skipped: needs {program}");
    }
    there
}

#[test]
fn scp() {
    Trip::new().both_ways("scp -S bin/ssh -pqr near $there/tree", "scp -S bin/ssh -pqr $there/tree back");
}

#[test]
fn scp_by_the_old_protocol() {
    Trip::new().both_ways("scp -S bin/ssh -Opqr near $there/tree", "scp -S bin/ssh -Opqr $there/tree back");
}

#[test]
fn sftp() {
    let trip = Trip::new();
    trip.both_ways(
        "mkdir far/tree; printf 'cd far\nput -pR near/. tree\n' | sftp -S bin/ssh -b - ${there%far}",
        "mkdir back; printf 'get -pR tree/. back\n' | sftp -S bin/ssh -b - $there",
    );
}

#[test]
fn rsync() {
    Trip::new().both_ways("rsync -a near/ $there/tree", "rsync -az --delete --checksum $there/tree/ back");
}

#[test]
fn tar() {
    Trip::new().both_ways(
        "tar -C near -cf - . | ssh 127.0.0.1 \"mkdir ${there#*:}/tree; tar -C ${there#*:}/tree -xpf -\"",
        "mkdir back; ssh 127.0.0.1 \"tar -C ${there#*:}/tree -czf - .\" | tar -C back -xzpf -",
    );
}

#[test]
fn a_script_for_a_shell_on_standard_input() {
    let trip = Trip::new();
    let done =
        trip.shell("printf 'cd %s\\necho $((6*7))\\nls -A near | wc -l\\nexit 0\\n' $PWD | ssh -T 127.0.0.1 bash");
    assert_eq!(done.text(), "42\n6\n");
}

#[test]
fn git() {
    let trip = Trip::new();
    trip.shell(
        "git init -q --bare far/repository; cp -a near tree; cd tree; git init -q -b main; git add -A
         git -c user.name=Test -c user.email=test@example.com commit -qm tree; git push -q $there/repository main",
    );
    trip.shell("git clone -q -b main $there/repository back; git -C back fsck --strict; git -C back fetch -q");
    let mut back = read(&trip.here("back"));
    back.retain(|name, _| !name.starts_with(".git"));
    // git keeps names, contents and the right to execute.
    let steady = |tree: &Tree| -> Vec<_> {
        tree.iter().map(|(name, (mode, content))| (name.clone(), mode & 0o100, content.clone())).collect()
    };
    assert!(steady(&back) == steady(&trip.planted), "{:?}", back.keys());
}

#[test]
fn sshfs() {
    if !found("sshfs") || fs::File::options().read(true).write(true).open("/dev/fuse").is_err() {
        eprintln!("skipped: needs sshfs and /dev/fuse");
        return;
    }
    let trip = Trip::new();
    let mount = trip.here("mount");
    fs::create_dir(&mount).unwrap();
    let mut sshfs = trip.program("sshfs");
    sshfs
        .arg("-f")
        .arg(trip.there("far"))
        .arg(&mount)
        .arg("-o")
        .arg(format!("ssh_command={}", trip.here("bin/ssh").display()));
    let mut mounted = Running::start(&mut sshfs);
    // An ordinary look at it waits until it is there or has failed.
    trip.shell(&format!("until mountpoint -q mount; do kill -0 {} ; done", mounted.pid()));
    trip.both_ways("cp -a near mount/tree", "cp -a mount/tree back");
    trip.shell("fusermount -u mount 2>/dev/null || umount mount");
    assert!(mounted.wait(PATIENCE).success());
}

#[test]
fn how_mosh_starts() {
    if !found("mosh-server") {
        return;
    }
    let trip = Trip::new();
    // The command of mosh(1): on a terminal, with nothing on standard input.
    let done = trip.shell("ssh -n -tt 127.0.0.1 -- mosh-server 'new' '-c' '256' '-s' '-l' 'LANG=C.UTF-8' </dev/null");
    let said = done.text();
    let pid = said.split("pid = ").nth(1).and_then(|rest| rest.split(']').next()).and_then(|pid| pid.parse().ok());
    let pid = pid.and_then(Pid::from_raw).unwrap_or_else(|| panic!("{said}"));
    let server = pidfd_open(pid, PidfdFlags::empty()).unwrap();
    let connect = said.lines().any(|line| line.starts_with("MOSH CONNECT ") && line.trim_end().len() > 35);
    pidfd_send_signal(&server, Signal::TERM).unwrap();
    assert!(connect, "{said}");
}

#[test]
fn ssh_copy_id() {
    let trip = Trip::new();
    let key = trip.world.real.sshd.key("copied");
    trip.shell("mkdir .ssh; ssh-copy-id -f -i copied.pub 127.0.0.1");
    let written = fs::read_to_string(trip.world.real.sshd.home().join(".ssh/authorized_keys")).unwrap();
    assert!(written.contains(&key.public), "{written}");
}

/// Puts and gets every file by paramiko's own SFTP.
const PARAMIKO: &str = include_str!("files.py");

#[test]
fn paramiko_carries_files() {
    if !paramiko() {
        return;
    }
    let trip = Trip::new();
    fs::write(trip.here("files.py"), PARAMIKO).unwrap();
    let (port, user) = (trip.world.real.sshd.port(), &trip.world.real.account);
    trip.shell(&format!("/usr/bin/python3 files.py {port} {user} {} codes", trip.world.alice.key.path.display()));
    for place in ["far/tree", "back"] {
        let steady =
            |tree: &Tree| tree.iter().map(|(name, (_, content))| (name.clone(), content.clone())).collect::<Vec<_>>();
        assert!(steady(&read(&trip.here(place))) == steady(&trip.planted), "{place}");
    }
}

/// Ansible asks for a session a step.
#[test]
fn ansible() {
    if !found("ansible") {
        return;
    }
    let trip = Trip::new();
    let inventory = format!(
        "far ansible_host=127.0.0.1 ansible_ssh_executable={} ansible_python_interpreter=/usr/bin/python3\n",
        trip.here("bin/ssh").display()
    );
    fs::write(trip.here("inventory"), inventory).unwrap();
    for name in ["sftp", "scp"] {
        let path = trip.here(&format!("bin/{name}"));
        fs::write(&path, format!("#!/bin/sh\nexec /usr/bin/{name} -S {} \"$@\"\n", trip.here("bin/ssh").display()))
            .unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
    let environment = format!(
        "export ANSIBLE_SFTP_EXECUTABLE={0}/bin/sftp ANSIBLE_SCP_EXECUTABLE={0}/bin/scp ANSIBLE_LOCAL_TEMP={0}/local ANSIBLE_REMOTE_TEMP={0}/remote",
        trip.folder().display()
    );
    for (pipelining, transfer) in [("true", "sftp"), ("false", "scp"), ("false", "piped")] {
        let said = trip.shell(&format!(
            "{environment} ANSIBLE_PIPELINING={pipelining} ANSIBLE_SSH_TRANSFER_METHOD={transfer}
             ansible -i inventory far -m copy -a \"src=near/large dest=$PWD/far/by-{transfer}\""
        ));
        assert!(said.text().contains("\"changed\": true"), "{}", said.text());
        let copied = fs::read(trip.here(&format!("far/by-{transfer}"))).unwrap();
        assert!(copied == fs::read(trip.here("near/large")).unwrap());
    }
}
