//! `verifier=spawn`: the module starts `oathgated --stdio` where the package
//! puts it. As root, in a mount namespace with a system of its own; this
//! machine's /etc, /usr/libexec and /var/lib stay as they are.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use oathgate_tests::built::bin;
use oathgate_tests::namespace::{self, done, empty, lay, module};
use oathgate_tests::oathgated::{Device, hotp};
use oathgate_tests::process::{Finished, run};
use oathgate_tests::sshd::id;
use otp_wire::frame::MAX_REPLY;
use otp_wire::socket::exchange;
use otp_wire::{Ask, DEADLINE, Outcome, Reply, Request};

use crate::world::{Pam, prompts, result};

const PROGRAM: &str = "/usr/libexec/oathgate/oathgated";
fn inside(test: &str) -> bool {
    namespace::inside(&format!("spawn::{test}"))
}

/// The system that the package would make, and a PAM stack that uses it.
fn system(options: &str) -> (Pam, tempfile::TempDir) {
    let folder = tempfile::Builder::new().prefix("oathgate-etc-").tempdir().expect("a temporary folder");
    let etc = folder.path().join("etc");
    done(Command::new("cp").arg("-a").arg("/etc").arg(&etc));
    let users = fs::read_to_string(etc.join("passwd")).expect("passwd");
    fs::write(etc.join("passwd"), users + "_oathgate:x:64998:64998::/:/usr/sbin/nologin\n").expect("our folder");
    let program = bin("oathgated");
    lay(&etc, "/etc");
    ["/usr/libexec", "/var/lib"].iter().for_each(|place| empty(place));
    fs::create_dir("/usr/libexec/oathgate").expect("our /usr/libexec");
    fs::copy(program, PROGRAM).expect("our /usr/libexec");
    let pam = Pam::new("");
    pam.configure(&format!("auth required {} verifier=spawn {options}", module().display()));
    (pam, folder)
}

fn init() {
    done(Command::new(PROGRAM).arg("--init").env_clear());
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

/// One that ended at a limit of the caller's would leave no trace of a try.
#[test]
fn its_limits_are_not_the_callers() {
    if !inside("its_limits_are_not_the_callers") {
        return;
    }
    let (pam, _folder) = system("");
    init();
    let device = enrol();
    let limited = |limits: &str, code: &str| {
        let host = pam.host("su", &id("-un"), &[]);
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("{limits}; exec \"$@\""), "sh"]).arg(host.get_program()).args(host.get_args());
        result(&run(&mut command, format!("{code}\n").as_bytes()))
    };
    // Without CAP_SYS_RESOURCE, as in some containers, such a limit stays: nothing is decided then.
    let hard = limited("ulimit -f 1", &device.code(0));
    assert!(["PAM_SUCCESS", "PAM_AUTHINFO_UNAVAIL"].contains(&hard.as_str()), "{hard}");
    let soft = |code: &str| limited("ulimit -S -f 1; ulimit -S -n 16", code);
    assert_eq!(soft(&device.code(1)), "PAM_SUCCESS");
    (0..3).for_each(|_| assert_eq!(soft(&device.wrong_code()), "PAM_AUTH_ERR"));
    assert_eq!(result(&su(&pam, &device.code(2))), "PAM_AUTH_ERR", "they were counted");
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

/// Programs that treat their children in ways of their own, and several
/// handles of one program at once.
#[test]
fn whatever_the_host_does_with_its_children() {
    if !inside("whatever_the_host_does_with_its_children") {
        return;
    }
    let (pam, _folder) = system("");
    init();
    let device = enrol();
    let user = id("-un");
    let hosts: [(&[&str], &[&str]); 5] = [
        (&[], &["--reap"]),
        (&["env", "--ignore-signal=CHLD"], &[]),
        (&["env", "--block-signal"], &[]),
        (&["sh", "-c", "umask 777; exec \"$@\"", "sh"], &[]),
        (&["env"], &["--threads", "4"]),
    ];
    for (counter, (wrapper, options)) in hosts.into_iter().enumerate() {
        let code = device.code(counter as u64);
        for right in [1, 0] {
            let host = pam.host("su", &user, options);
            let mut words = wrapper.iter().map(std::ffi::OsStr::new).chain([host.get_program()]).chain(host.get_args());
            let mut command = Command::new(words.next().expect("a program"));
            let said = run(command.args(words), format!("{code}\n").as_bytes()).text();
            let results = said.matches("result ").count();
            assert_eq!(said.matches("result PAM_SUCCESS").count(), right, "{wrapper:?} {options:?}: {said}");
            assert_eq!(said.matches("result PAM_AUTH_ERR").count(), results - right, "{wrapper:?} {options:?}: {said}");
        }
    }
}
