//! One user's flood keeps nobody else out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use oathgate_tests::oathgated::{Device, Oathgated, hotp};
use oathgate_tests::process::Running;
use oathgate_tests::sshd::id;
use otp_wire::{Ask, DEADLINE, Login, Outcome, Request, SecretText, SocketVerifier, Verifier, Verify};

/// How a flood floods; handed to the process that does it.
const KIND: &str = "OATHGATE_TEST_FLOOD";
const SOCKET: &str = "OATHGATE_TEST_SOCKET";
/// It ends by itself, whatever happens to the test.
const AT_MOST: Duration = Duration::from_secs(20);
/// Nobody else waits longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a flooding process does: the test runs itself under another uid.
fn flood_if_asked() -> bool {
    let Some(kind) = std::env::var_os(KIND) else { return false };
    let socket = std::env::var_os(SOCKET).expect("a socket");
    let (begun, mut open) = (Instant::now(), Vec::new());
    println!("flooding");
    while begun.elapsed() < AT_MOST {
        let Ok(mut stream) = UnixStream::connect(Path::new(&socket)) else { continue };
        if kind == "garbage" {
            let _ = stream.write_all(b"{\"v\":1,\"id\":\"\xff\n");
            continue;
        }
        open.push(stream);
        if open.len() >= 900 {
            open.clear();
        }
    }
    true
}

fn verify(service: &Oathgated, socket: &Path, device: &Device, counter: u64) -> (Duration, bool) {
    let own = rustix::process::getuid().as_raw();
    let login = Login { account: id("-un"), service: "flood".to_owned(), ..Login::default() };
    let code = SecretText::typed(device.code(counter).as_bytes());
    let request = Request::new(Ask::Verify(Verify { login, code, credential: None })).unwrap();
    let begun = Instant::now();
    let reply = SocketVerifier::new(socket, vec![own]).ask(&request, begun + DEADLINE);
    assert!(service.running().pid() > 0);
    let outcome = reply.map(|reply: otp_wire::Reply| reply.outcome);
    (begun.elapsed(), matches!(outcome, Ok(Outcome::Accepted { .. })))
}

fn others_come_in(kind: &str) {
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: needs root, to flood as somebody else");
        return;
    }
    let service = Oathgated::start();
    let account = id("-un");
    let device = service.administrator().enrol(hotp(&account, &account, None, "phone"));
    let test = format!("{kind}_from_another_user");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", &test, "--nocapture"]).env(KIND, kind).env(SOCKET, service.public_socket());
    let flood = Running::start(command.stdin(Stdio::null()));
    flood.stdout.expect("flooding", Duration::from_secs(10));
    for counter in 0..40 {
        let socket = if counter % 2 == 0 { service.root_socket() } else { service.public_socket() };
        let (took, accepted) = verify(&service, &socket, &device, counter);
        assert!(accepted && took < PATIENCE, "login {counter} at {}: {accepted}, {took:?}", socket.display());
    }
}

#[test]
fn silence_from_another_user() {
    if !flood_if_asked() {
        others_come_in("silence");
    }
}

#[test]
fn garbage_from_another_user() {
    if !flood_if_asked() {
        others_come_in("garbage");
    }
}
