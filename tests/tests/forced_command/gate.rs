//! What happens at the gate, with a verifier that follows a script.

use std::process::Command;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use oathgate_tests::fake_verifier::Act;
use oathgate_tests::machine::Stopwatch;
use oathgate_tests::process::{Running, run};
use oathgate_tests::sshd::id;
use otp_wire::message::Reason;
use otp_wire::{Ask, Outcome};

use crate::world::{Scripted, kept_out, line, no_code, one_code, socket};

#[test]
fn a_code_at_the_prompt_opens_the_shell() {
    let world = Scripted::new(one_code);
    let mut session = world.client().session(None);
    session.expect("Code (phone): ");
    session.send("123456\r");
    session.send("echo in-$((40+2)); exit 5\r");
    session.expect("in-42");
    let (code, shown) = session.wait();
    assert_eq!(code, Some(5));
    assert!(!shown.contains("123456"), "echoed: {shown}");
    assert_eq!(world.asked(), ["begin", "verify 123456"]);
}

#[test]
fn the_verifier_is_told_account_key_service_and_address() {
    let world = Scripted::new(no_code);
    assert_eq!(world.client().run("true", None).code(), Some(0));
    let asked = world.verifier.asked();
    let Ask::Begin(login) = &asked[0].ask else { panic!("{asked:?}") };
    assert_eq!((login.account.as_str(), login.service.as_str()), (id("-un").as_str(), "ssh-otp"));
    assert_eq!((&login.keys, login.address.as_deref()), (&vec![world.key.fingerprint.clone()], Some("127.0.0.1")));
}

#[test]
fn three_wrong_codes_end_the_session() {
    let world = Scripted::new(one_code);
    let mut session = world.client().session(Some("echo in"));
    for wrong in ["000000", "not a code", ""] {
        session.expect("Code (phone): ");
        session.send(&format!("{wrong}\r"));
    }
    let (code, shown) = session.wait();
    assert_eq!((code, shown.matches("that code is wrong").count()), (Some(1), 3), "{shown}");
    assert!(!shown.contains("000000") && !shown.contains("in\r"), "{shown}");
    assert_eq!(world.asked(), ["begin", "verify 000000", "verify not a code", "verify "]);
}

#[test]
fn keys_at_the_prompt() {
    let world = Scripted::new(one_code);
    for give_up in ["\x03", "\x04", "\x1a", "12\x1c"] {
        let mut session = world.client().session(Some("echo in"));
        session.expect("Code (phone): ");
        session.send(give_up);
        let (code, shown) = session.wait();
        assert_eq!(code, Some(1), "{shown}");
        assert!(shown.contains("no code was given") && !shown.contains("in\r"), "{shown}");
    }
    for edited in ["999\x15123456\r", "129\x7f3456\r", "123456\n"] {
        let mut session = world.client().session(Some("echo in"));
        session.expect("Code (phone): ");
        session.send(edited);
        assert_eq!(session.wait().0, Some(0));
    }
}

#[test]
fn what_is_typed_before_the_prompt_is_no_code() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let world = Scripted::new(move |request| {
        if matches!(request.ask, Ask::Begin(_)) {
            wait.lock().unwrap().recv().unwrap();
        }
        one_code(request)
    });
    let mut session = world.client().session(Some("echo in; cat"));
    session.send("too-early\r");
    // The terminal has it, and still echoes.
    session.expect("too-early\r\n");
    go.send(()).unwrap();
    session.expect("Code (phone): ");
    session.send("123456\r");
    session.expect("in\r\n");
    session.send("\x04");
    let (code, shown) = session.wait();
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(shown.matches("too-early").count(), 1, "{shown}");
    assert_eq!(world.asked(), ["begin", "verify 123456"]);
}

#[test]
fn nothing_is_left_when_the_client_goes_away() {
    let world = Scripted::new(one_code);
    let session = world.client().session(None);
    session.expect("Code (phone): ");
    let pid = crate::secrecy::holding("cmdline", &world.key.fingerprint)[0];
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    let process = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
    drop(session);
    let ended = rustix::event::PollFd::new(&process, rustix::event::PollFlags::IN);
    let limit = otp_wire::socket::timespec(Duration::from_secs(20));
    assert_eq!(rustix::event::poll(&mut [ended], Some(&limit)), Ok(1));
}

#[test]
fn the_terminal_is_given_back_as_it_was() {
    let world = Scripted::new(one_code);
    let plain = world.sshd.key("plain");
    world.sshd.authorise(&plain, "restrict,pty");
    let (_, expected) = world.sshd.client(&plain).session(Some("stty -a")).wait();
    let mut session = world.client().session(Some("stty -a"));
    session.expect("Code (phone): ");
    session.send("123456\r");
    let (_, shown) = session.wait();
    assert_eq!(shown, format!("Code (phone): \r\n{expected}"));
}

#[test]
fn a_scratch_code_says_how_many_are_left() {
    let world = Scripted::new(one_code);
    let mut session = world.client().session(Some("echo in"));
    session.expect("Code (phone): ");
    session.send("ABCD-EFGH-IJKL-2345\r");
    assert!(session.expect("in\r").contains("9 scratch codes left"));
    // Without a terminal it would stand in the command's own output.
    let finished = world.client().run("echo in", Some("ABCD-EFGH-IJKL-2345"));
    assert_eq!((finished.text().as_str(), finished.stderr.as_str()), ("in\n", ""));
}

#[test]
fn a_code_in_the_environment() {
    let world = Scripted::new(one_code);
    let finished = world.client().run("cat; env", Some("123456"));
    assert_eq!((finished.code(), finished.stderr.as_str()), (Some(0), ""));
    assert!(!finished.text().contains("123456"), "{}", finished.text());
    assert_eq!(world.asked(), ["begin", "verify 123456"]);

    kept_out(&world.client().run("echo in", Some("000000")), "that code is wrong");
    assert_eq!(world.asked(), ["begin", "verify 000000"]);

    kept_out(&world.client().run("echo in", Some("")), "LC_OTP=123456 scp");
    assert_eq!(world.asked(), ["begin"]);
}

#[test]
fn a_wrong_code_in_the_environment_is_asked_for_again_at_a_terminal() {
    let world = Scripted::new(one_code);
    let mut command = world.client().ssh(&["-tt"], Some("env".as_ref()));
    let mut session = Running::start(command.env("LC_OTP", "654321"));
    assert!(session.stdout.expect("Code (phone): ", Duration::from_secs(20)).contains("that code is wrong"));
    session.send("123456\r");
    assert!(session.wait(Duration::from_secs(20)).success());
    assert!(!session.stdout.so_far().contains("LC_OTP"));
}

#[test]
fn without_terminal_and_code_it_says_so_at_once() {
    let world = Scripted::new(one_code);
    let took = || {
        let finished = run(&mut world.client().ssh(&["-T"], Some("cat".as_ref())), b"this is for the command");
        kept_out(&finished, "LC_OTP=123456 scp");
        finished.own_time()
    };
    let mut times: Vec<Duration> = (0..7).map(|_| took()).collect();
    times.sort();
    println!("refused without a terminal, whole ssh: median {:?}, most {:?}", times[3], times[6]);
    assert!(times[6] < Duration::from_secs(2), "{times:?}");

    // The program alone, with standard input left open and unread.
    let mut command = Command::new(oathgate_tests::built::bin("ssh-otp"));
    command.args(["--key", &world.key.fingerprint]).args(socket(world.verifier.path()).split_whitespace());
    command.env("USER", id("-un")).env("SSH_ORIGINAL_COMMAND", "cat").env_remove("LC_OTP");
    // In a session of its own it has no terminal, wherever the tests run.
    let mut detached = Command::new("setsid");
    detached.arg("--wait").arg(command.get_program()).args(command.get_args());
    detached.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).env_remove("LC_OTP");
    let watch = Stopwatch::start();
    let status = Running::start(&mut detached).wait(Duration::from_secs(20));
    let took = watch.elapsed().saturating_sub(watch.kept());
    println!("the program alone: {took:?}");
    assert_eq!(status.code(), Some(1));
    assert!(took < Duration::from_millis(300), "{took:?}");
}

#[test]
fn what_the_verifier_says_before_asking_is_shown() {
    let world = Scripted::new(|request| match request.ask {
        Ask::Begin(_) => {
            Act::Say(Outcome::Ask { label: None, line: Some("oathgate: only a \x1b[2Jscratch code".into()) })
        }
        _ => one_code(request),
    });
    let mut session = world.client().session(Some("echo in"));
    assert_eq!(session.expect("Code: "), "oathgate: only a \\u{1b}[2Jscratch code\r\n");
    session.send("\x03");
    assert_eq!(session.wait().0, Some(1));
}

#[test]
fn a_refusal_at_begin_needs_no_code() {
    let line = || Outcome::Refused { reason: Reason::NotEnrolled, line: "oathgate: this key is not enrolled".into() };
    let world = Scripted::new(move |_| Act::Say(line()));
    kept_out(&world.client().run("echo in", Some("123456")), "this key is not enrolled");
    assert_eq!(world.asked(), ["begin"]);
    let (code, shown) = world.client().session(None).wait();
    assert_eq!((code, shown.as_str()), (Some(1), "oathgate: this key is not enrolled\r\n"));
}

type Misdeed = (&'static str, fn() -> Act);

/// What the verifier may do instead of its job.
fn misbehaviour() -> Vec<Misdeed> {
    vec![
        ("undecided", || Act::Say(Outcome::Undecided("the disk is full".into()))),
        ("denied", || Act::Say(Outcome::Denied("not you".into()))),
        ("invalid", || Act::Say(Outcome::Invalid("what?".into()))),
        ("another answer", || Act::Say(Outcome::Done("done".into()))),
        ("garbage", || Act::Raw(b"\xff\x00{{{\n".to_vec())),
        ("empty line", || Act::Raw(b"\n".to_vec())),
        ("endless line", || Act::Raw(vec![b'x'; 1 << 20])),
        ("another version", || Act::Raw(b"{\"v\":2,\"id\":\"\",\"outcome\":{\"pass\":{}}}\n".to_vec())),
        ("another request's pass", || {
            Act::Raw(b"{\"v\":1,\"id\":\"00000000000000000000000000000000\",\"outcome\":{\"pass\":{}}}\n".to_vec())
        }),
        ("half a pass", || Act::Raw(b"{\"v\":1,\"id\":".to_vec())),
        ("close", || Act::Close),
    ]
}

#[test]
fn a_verifier_that_cannot_decide_lets_nobody_in() {
    for at_begin in [true, false] {
        for (name, act) in misbehaviour() {
            let world = Scripted::new(move |request| match request.ask {
                Ask::Begin(_) if !at_begin => one_code(request),
                _ => act(),
            });
            let finished = world.client().run("echo in", Some("123456"));
            kept_out(&finished, "cannot check codes right now; ask your administrator");
            assert!(finished.took < Duration::from_secs(5), "{name}: {:?}", finished.took);
        }
    }
}

#[test]
fn answers_count_only_for_their_question() {
    let accepted = || Outcome::Accepted { credential: None, label: None, scratch_left: None, digits: None };
    let world = Scripted::new(move |_| Act::Say(accepted()));
    kept_out(&world.client().run("echo in", Some("123456")), "cannot check codes");
    let world = Scripted::new(|request| match request.ask {
        Ask::Begin(_) => one_code(request),
        _ => no_code(request),
    });
    kept_out(&world.client().run("echo in", Some("123456")), "cannot check codes");
}

#[test]
fn a_verifier_that_hangs_is_given_up_after_five_seconds() {
    let world = Scripted::new(|_| Act::Hang);
    let finished = world.client().run("echo in", Some("123456"));
    kept_out(&finished, "cannot check codes");
    assert!(finished.took.as_secs() >= 4 && finished.own_time().as_secs() < 7, "{:?}", finished.took);
}

#[test]
fn no_verifier_lets_nobody_in() {
    let world = Scripted::new(no_code);
    let folder = world.sshd.folder();
    std::fs::write(folder.join("file"), "").unwrap();
    for (name, path) in [("k1", "nothing-here"), ("k2", "file"), ("k3", "."), ("k4", "file/x")] {
        let key = world.sshd.key(name);
        world.sshd.authorise(&key, &line(&format!("--key {} {}", key.fingerprint, socket(&folder.join(path)))));
        kept_out(&world.sshd.client(&key).run("echo in", Some("123456")), "cannot check codes");
    }
    assert_eq!(world.asked(), [""; 0]);
}

/// Somebody else's process listens where the verifier should.
#[test]
fn an_impostor_lets_nobody_in() {
    let world = Scripted::new(no_code);
    let path = if rustix::process::getuid().is_root() {
        // ssh-agent serves: it listens on a socket, and runs as anybody.
        let folder = world.sshd.folder().join("theirs");
        std::fs::create_dir(&folder).unwrap();
        std::os::unix::fs::chown(&folder, Some(65534), Some(65534)).unwrap();
        folder.join("socket")
    } else {
        world.verifier.path().to_owned()
    };
    let mut nobody = Command::new("setpriv");
    nobody.args(["--reuid=65534", "--regid=65534", "--clear-groups", "ssh-agent", "-D", "-a"]).arg(&path);
    let root = rustix::process::getuid().is_root();
    let impostor = root.then(|| Running::start(&mut nobody));
    if let Some(impostor) = &impostor {
        impostor.stdout.expect("SSH_AUTH_SOCK=", Duration::from_secs(20));
    }
    let key = world.sshd.key("fooled");
    // Without --user-store, the account's own uid is an impostor too.
    world.sshd.authorise(&key, &line(&format!("--key {} --socket {}", key.fingerprint, path.display())));
    kept_out(&world.sshd.client(&key).run("echo in", Some("123456")), "cannot check codes");
}

#[test]
fn a_broken_line_lets_nobody_in() {
    let world = Scripted::new(no_code);
    let good = format!("--key {} {}", world.key.fingerprint, socket(world.verifier.path()));
    let table = [
        ("missing", String::new(), "--key SHA256:… is missing"),
        ("option", format!("{good} --no-code"), "unknown option --no-code"),
        ("secret", format!("{good} JBSWY3DPEHPK3PXP"), "takes no secret as an argument"),
        ("twice", format!("{good} --key {}", world.key.fingerprint), "--key was given twice"),
        ("broken", "--key SHA256:x".to_owned(), "--key needs SHA256:"),
    ];
    for (name, arguments, said) in table {
        let key = world.sshd.key(name);
        world.sshd.authorise(&key, &line(&arguments));
        let finished = world.sshd.client(&key).run("echo in", Some("123456"));
        kept_out(&finished, said);
        assert!(!finished.stderr.contains("JBSW"));
    }
    assert_eq!(world.asked(), [""; 0]);
}

#[test]
fn a_broken_environment_lets_nobody_in() {
    let world = Scripted::new(no_code);
    let mut command = world.client().bare(oathgate_tests::built::bin("ssh-otp").to_str().unwrap());
    command.args(["--key", &world.key.fingerprint]).args(socket(world.verifier.path()).split_whitespace());
    command.env("SHELL", "/bin/sh").env("SSH_ORIGINAL_COMMAND", "echo in");
    let long = "a".repeat(10_240);
    for user in ["", "../root", "a\nb", "-rf", long.as_str()] {
        kept_out(&run(command.env("USER", user), b""), "cannot check codes");
    }
    kept_out(&run(command.env_remove("USER"), b""), "cannot check codes");
    assert_eq!(world.asked(), [""; 0]);
    let shell = run(command.env("USER", "root").env("SHELL", "sh"), b"");
    kept_out(&shell, "SHELL is not the path of a shell");
    kept_out(&run(command.env("SHELL", "/nonexistent/sh"), b""), "/nonexistent/sh: No such file");
}
