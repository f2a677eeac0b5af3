//! `verifier=spawn`: the module starts `oathgated --stdio` where the package
//! puts it. As root, in a mount namespace with a system of its own; this
//! machine's /etc, /usr/libexec and /var/lib stay as they are.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use oathgate_tests::built::bin;
use oathgate_tests::oathgated::{Device, hotp};
use oathgate_tests::process::{Finished, run};
use oathgate_tests::sshd::id;
use otp_wire::frame::MAX_REPLY;
use otp_wire::socket::exchange;
use otp_wire::{Ask, DEADLINE, Outcome, Reply, Request};

use crate::world::{Pam, module, prompts, result};

const PROGRAM: &str = "/usr/libexec/oathgate/oathgated";
const INSIDE: &str = "OATHGATE_TEST_INSIDE";

/// Runs the test of this name in a namespace, or says that it is there.
fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: needs root");
        return false;
    }
    // Built with the whole system in sight.
    let (_, _) = (module(), bin("oathgated"));
    let mut again = Command::new("unshare");
    again.arg("-m").arg(std::env::current_exe().expect("/proc"));
    again.args(["--exact", &format!("spawn::{test}"), "--include-ignored", "--nocapture"]).env(INSIDE, "1");
    let finished = run(&mut again, b"");
    assert!(finished.status.success(), "{}{}", finished.text(), finished.stderr);
    assert!(finished.text().contains("1 passed"), "{}", finished.text());
    false
}

/// The system that the package would make, and a PAM stack that uses it.
fn system(options: &str) -> (Pam, tempfile::TempDir) {
    let folder = tempfile::Builder::new().prefix("oathgate-etc-").tempdir().expect("a temporary folder");
    let etc = folder.path().join("etc");
    mount(Command::new("cp").arg("-a").arg("/etc").arg(&etc));
    let users = fs::read_to_string(etc.join("passwd")).expect("passwd");
    fs::write(etc.join("passwd"), users + "_oathgate:x:64998:64998::/:/usr/sbin/nologin\n").expect("our folder");
    let program = bin("oathgated");
    mount(Command::new("mount").arg("--bind").arg(&etc).arg("/etc"));
    for place in ["/usr/libexec", "/var/lib"] {
        mount(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=755", "none", place]));
    }
    fs::create_dir("/usr/libexec/oathgate").expect("our /usr/libexec");
    fs::copy(program, PROGRAM).expect("our /usr/libexec");
    let pam = Pam::new("");
    pam.configure(&format!("auth required {} verifier=spawn {options}", module().display()));
    (pam, folder)
}

fn mount(command: &mut Command) {
    let finished = run(command, b"");
    assert!(finished.status.success(), "{command:?}: {}", finished.stderr);
}

fn init() {
    mount(Command::new(PROGRAM).arg("--init").env_clear());
}

/// Enrols a credential of the running user's without a key, as root.
fn enrol() -> Device {
    let request = Request::new(Ask::Enrol(hotp(&id("-un"), "owner", None, "phone"))).expect("random numbers");
    let (ours, theirs) = UnixStream::pair().expect("sockets");
    ours.set_nonblocking(true).expect("a socket");
    let theirs = OwnedFd::from(theirs);
    let mut command = Command::new(PROGRAM);
    command.arg("--stdio").env_clear().stdin(Stdio::from(theirs.try_clone().expect("a descriptor")));
    let mut child = command.stdout(Stdio::from(theirs)).spawn().expect("oathgated");
    drop(command);
    let reply: Reply = exchange(&ours, &request, Instant::now() + DEADLINE, MAX_REPLY).expect("a reply");
    assert!(child.wait().expect("our child").success());
    match reply.outcome {
        Outcome::Enrolled(enrolled) => Device(*enrolled),
        other => panic!("not enrolled: {other:?}"),
    }
}

fn su(pam: &Pam, code: &str) -> Finished {
    pam.su(&id("-un"), code.as_bytes())
}

#[test]
fn a_started_verifier_decides() {
    if !inside("a_started_verifier_decides") {
        return;
    }
    let (pam, _folder) = system("");
    init();
    let device = enrol();
    assert_eq!(result(&su(&pam, &device.wrong_code())), "PAM_AUTH_ERR");
    assert_eq!(result(&su(&pam, &device.code(0))), "PAM_SUCCESS");
    assert_eq!(result(&su(&pam, &device.code(0))), "PAM_AUTH_ERR");
    assert_eq!(result(&pam.su("nobody", device.code(1).as_bytes())), "PAM_AUTH_ERR");
    // Again and again in one process: no child, no descriptor stays.
    let lines = format!("{}\n", device.scratch(0)).repeat(30);
    let said = run(&mut pam.host("su", &id("-un"), &["--times", "20"]), lines.as_bytes()).text();
    assert_eq!(said.matches("result PAM_SUCCESS").count(), 1, "{said}");
    assert!(said.contains("\nstate same\n"), "{said}");
}

#[test]
fn nothing_to_start_lets_nobody_in() {
    if !inside("nothing_to_start_lets_nobody_in") {
        return;
    }
    let (pam, _folder) = system("nullok");
    let undecided = |case: &str| {
        let finished = su(&pam, "123456");
        assert_eq!((prompts(&finished), result(&finished).as_str()), (0, "PAM_AUTHINFO_UNAVAIL"), "{case}");
        assert!(finished.took < DEADLINE + DEADLINE / 5, "{case}: {:?}", finished.took);
    };
    undecided("no store");
    fs::write(PROGRAM, "").expect("our /usr/libexec");
    undecided("an empty program");
    fs::write(PROGRAM, "#!/bin/sh\necho garbage\n").expect("our /usr/libexec");
    undecided("garbage");
    fs::write(PROGRAM, "#!/bin/sh\nexec sleep 1000\n").expect("our /usr/libexec");
    undecided("a program that hangs");
    fs::remove_file(PROGRAM).expect("our /usr/libexec");
    undecided("no program");
}

/// One field for both, as in OpenVPN's programs; each request starts a
/// verifier of its own, which knows of the grace from the store.
#[test]
fn password_and_code_in_one_for_pam_unix_behind() {
    if !inside("password_and_code_in_one_for_pam_unix_behind") {
        return;
    }
    let (pam, _folder) = system("");
    init();
    let device = enrol();
    let (account, password) = (id("-un"), "a longer secret 17");
    run(&mut Command::new("chpasswd"), format!("{account}:{password}\n").as_bytes());
    let ours = format!("auth requisite {} verifier=spawn forward_pass grace_period=600", module().display());
    pam.configure(&format!("{ours}\nauth required pam_unix.so use_first_pass"));
    let login = |typed: &str| {
        let finished = run(&mut pam.host("su", &account, &["--rhost", "192.0.2.7"]), format!("{typed}\n").as_bytes());
        assert_eq!(prompts(&finished), 1, "{}", finished.text());
        result(&finished) == "PAM_SUCCESS"
    };
    assert!(!login(password), "no code");
    assert!(!login(&format!("{password}{}", device.wrong_code())));
    assert!(!login(&format!("another{}", device.code(0))), "the code is right and spent, the password is not");
    assert!(login(password), "grace, and the password");
    assert!(!login("another"), "grace is no password");
    assert!(!login(&format!("{password}{}", device.code(1))), "nor is a code wanted");
}

/// Authenticates with `code` in a host that setpriv(1) starts with other uids.
fn su_with(pam: &Pam, setpriv: &[&str], code: &str) -> Finished {
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(pam.folder(), open).expect("our folder");
    let host = pam.host("su", &id("-un"), &[]);
    let mut command = Command::new("setpriv");
    command.args(setpriv).arg(host.get_program()).args(host.get_args());
    run(&mut command, format!("{code}\n").as_bytes())
}

#[test]
fn only_root_may_start_one() {
    if !inside("only_root_may_start_one") {
        return;
    }
    let (pam, _folder) = system("");
    init();
    let device = enrol();
    let finished = su_with(&pam, &["--reuid", "65534", "--clear-groups"], &device.code(0));
    assert_eq!((prompts(&finished), result(&finished).as_str()), (0, "PAM_AUTHINFO_UNAVAIL"));
}

/// As su(1) runs: root's rights, and the caller's real uid.
#[test]
fn a_setuid_host_may_start_one() {
    if !inside("a_setuid_host_may_start_one") {
        return;
    }
    let (pam, _folder) = system("");
    init();
    let device = enrol();
    assert_eq!(result(&su_with(&pam, &["--ruid", "65534"], &device.code(0))), "PAM_SUCCESS");
}
