//! A migration on trial: systemd's timer ends it, and so does a reboot.

#![allow(clippy::expect_used)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use oathgate_tests::process::PATIENCE;
use otp_wire::socket::timespec;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify;

use crate::scenario::Next;
use crate::system::{Person, install, must, step, write};

const STACK: &str = "/etc/pam.d/trial";
const MARKER: &str = "/etc/pam.d/.oathgate-trial";
const THEIRS: &str = "auth required pam_google_authenticator.so\n";
const OURS: &str = "auth required pam_oathgate.so\n";

/// The first boot begins trials and leaves one, the second finds it ended.
pub fn run(boot: u32) -> Next {
    if boot > 1 {
        step("after the reboot");
        // The unit comes before anybody may log in: this waits until they may.
        must(&["systemctl", "start", "systemd-user-sessions.service"]);
        assert_eq!(stack(), THEIRS);
        assert!(!Path::new(MARKER).exists(), "the trial is over");
        return Next::Done;
    }
    step("install, and a person of the other module's");
    install();
    let ann = Person::new("ann");
    let state = "/home/ann/.google_authenticator";
    write(state, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n\" HOTP_COUNTER 1\n");
    fs::set_permissions(state, fs::Permissions::from_mode(0o400)).expect("a mode");
    chown(state, Some(ann.uid), Some(ann.uid)).expect("root gives it away");
    write(STACK, THEIRS);
    step("a trial that a timer ends");
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC).expect("inotify");
    inotify::add_watch(&watch, "/etc/pam.d", inotify::WatchFlags::DELETE).expect("inotify");
    migrate("5s");
    assert!(must(&["systemctl", "list-timers", "--all"]).contains("run-"), "systemd waits, no child of ours");
    assert!(poll(&mut [PollFd::new(&watch, PollFlags::IN)], Some(&timespec(PATIENCE))).is_ok_and(|ready| ready == 1));
    assert_eq!(stack(), THEIRS);
    step("a trial that a reboot ends");
    migrate("2h");
    Next::Reboot
}

fn migrate(time: &str) {
    must(&["oathgate", "migrate", "google-authenticator", "--trial", time]);
    assert_eq!(stack(), OURS);
}

fn stack() -> String {
    fs::read_to_string(STACK).expect("a stack")
}
