//! `ssh-otp … -- INNER`: other forced commands behind the gate, which find the
//! request where sshd left it.

use std::fs;
use std::path::Path;
use std::process::Command;

use oathgate_tests::gated::{Real, line, socket};
use oathgate_tests::oathgated::{Device, hotp};
use oathgate_tests::process::{Finished, run};
use oathgate_tests::sshd::Client;

use crate::tools::found;
use crate::tree::{arrived, plant};

/// A key that may do one thing, after a code.
struct Robot {
    world: Real,
    client: Client,
    device: Device,
}

impl Robot {
    /// `inner` may say FOLDER; quotes in it are those of authorized_keys.
    fn new(inner: &str) -> Self {
        let world = Real::new();
        let key = world.sshd.key("robot");
        let inner = inner.replace("FOLDER", &world.sshd.folder().join("far").display().to_string());
        fs::create_dir(world.sshd.folder().join("far")).unwrap();
        let options = format!("--key {} {} -- {inner}", key.fingerprint, socket(&world.service.root_socket()));
        world.sshd.authorise(&key, &line(&options));
        let device =
            world.service.administrator().enrol(hotp(&world.account, "robot", Some(&key.fingerprint), "robot"));
        Self { client: world.sshd.client(&key), world, device }
    }

    fn folder(&self) -> &Path {
        self.world.sshd.folder()
    }

    /// Runs a line of shell with the code of `counter`, in our folder.
    fn shell(&self, counter: u64, line: &str) -> Finished {
        let mut sh = self.client.bare("sh");
        let words = self.client.shell_words();
        sh.args(["-ec", line]).env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_OTP", self.device.code(counter));
        for variable in ["RSYNC_RSH", "GIT_SSH_COMMAND", "BORG_RSH"] {
            sh.env(variable, &words);
        }
        sh.env("GIT_CONFIG_GLOBAL", "/dev/null").env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes");
        run(&mut sh, b"")
    }

    fn does(&self, counter: u64, line: &str) -> Finished {
        let done = self.shell(counter, line);
        assert!(done.status.success(), "{line}: {}{}", done.text(), done.stderr);
        done
    }

    /// Checks that the command behind the gate refuses, not the gate.
    fn refuses(&self, counter: u64, remote: &str, why: &str) {
        let refused = self.client.run(remote, Some(&self.device.code(counter)));
        assert!(
            !refused.status.success() && refused.stderr.contains(why),
            "{remote}: {}{}",
            refused.text(),
            refused.stderr
        );
    }
}

#[test]
fn rrsync() {
    if !found("rrsync") {
        return;
    }
    let robot = Robot::new("rrsync FOLDER");
    let planted = plant(&robot.folder().join("near"));
    robot.does(0, "rsync -a near/ 127.0.0.1:tree");
    arrived(&planted, &robot.folder().join("far/tree"));
    robot.does(1, "rsync -a 127.0.0.1:tree/ back");
    arrived(&planted, &robot.folder().join("back"));
    robot.refuses(2, "cat /etc/passwd", "rsync");
    let outside = robot.shell(3, "rsync -a 127.0.0.1:../known_hosts stolen");
    assert!(!outside.status.success() && !robot.folder().join("stolen").exists(), "{}", outside.stderr);
    // Without a code it is not even started.
    let shut = robot.client.run("rsync --server", None);
    assert_eq!((shut.code(), shut.stderr.contains("LC_OTP=123456")), (Some(1), true), "{}", shut.stderr);
}

#[test]
fn git_shell() {
    if !found("git-shell") {
        return;
    }
    // git-shell takes the request as an argument, so the login shell puts it there.
    let robot = Robot::new("git-shell -c \\\"$SSH_ORIGINAL_COMMAND\\\"");
    let (near, far) = (robot.folder().join("near"), robot.folder().join("far/repository"));
    let planted = plant(&near);
    let git = |arguments: &str| {
        let person = "-c user.name=Test -c user.email=test@example.com";
        let done = run(Command::new("sh").args(["-ec", &format!("git {person} {arguments}")]).current_dir(&near), b"");
        assert!(done.status.success(), "{arguments}: {}", done.stderr);
    };
    for arguments in [&format!("init -q --bare {}", far.display()), "init -q -b main", "add -A", "commit -qm tree"] {
        git(arguments);
    }
    robot.does(0, &format!("git -C near push -q 127.0.0.1:{} main", far.display()));
    robot.does(1, &format!("git clone -q -b main 127.0.0.1:{} back", far.display()));
    assert_eq!(fs::read(robot.folder().join("back/large")).unwrap(), planted[Path::new("large")].1.clone().unwrap());
    robot.refuses(2, "cat /etc/passwd", "unrecognized command");
}

#[test]
fn borg_serve() {
    if !found("borg") {
        return;
    }
    let robot = Robot::new("borg serve --restrict-to-path FOLDER");
    let planted = plant(&robot.folder().join("near"));
    let place = format!("ssh://127.0.0.1{}/far/repository", robot.folder().display());
    robot.does(0, &format!("borg init -e none {place}"));
    robot.does(1, &format!("cd near; borg create {place}::one ."));
    robot.does(2, &format!("mkdir back; cd back; borg extract {place}::one"));
    arrived(&planted, &robot.folder().join("back"));
    let outside = robot.shell(3, &format!("borg init -e none ssh://127.0.0.1{}/elsewhere", robot.folder().display()));
    assert!(!outside.status.success() && !robot.folder().join("elsewhere").exists(), "{}", outside.stderr);
}

/// The request, the arguments and the rest of the environment are as they were.
#[test]
fn what_it_finds() {
    let robot = Robot::new("/bin/sh -c 'echo \\\"$1:$SSH_ORIGINAL_COMMAND:$LC_OTP:\\\"; cat; exit 9' sh 'a  b'");
    let mut ssh = robot.client.ssh(&["-T"], Some("rm -rf  'x'".as_ref()));
    let finished = run(ssh.env("LC_OTP", robot.device.code(0)), b"input\n");
    assert_eq!((finished.text().as_str(), finished.code()), ("a  b:rm -rf  'x'::\ninput\n", Some(9)));
    // A login without a request has none to find.
    let mut ssh = robot.client.ssh(&["-T"], None);
    let finished = run(ssh.env("LC_OTP", robot.device.code(1)), b"");
    assert_eq!(finished.text(), "a  b:::\n", "{}", finished.stderr);
}
