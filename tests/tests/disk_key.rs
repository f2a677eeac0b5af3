//! The key service: what systemd-cryptsetup does to get a volume's key, against
//! a real verifier. Who is asked is a script; the rest is as at boot.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use oathgate_tests::built::bin;
use oathgate_tests::oathgated::{Administrator, Device, Oathgated};
use otp_core::Secret;
use otp_wire::message::{DiskEnrol, DiskKey, Outcome};
use otp_wire::{Ask, SecretText};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, socket};

const VOLUME: &str = "0a1b2c3d-0000-4000-8000-00000000000f";
const SLOT_KEY: &str = "AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPQ";
const NAME: &str = "/cryptsetup/data";

struct World {
    service: Oathgated,
    device: Device,
    listener: UnixListener,
    folder: tempfile::TempDir,
}

/// What became of a connection.
struct Served {
    key: Vec<u8>,
    log: String,
    questions: String,
}

/// Only root is given keys.
fn world() -> Option<World> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: needs root");
        return None;
    }
    let service = Oathgated::start();
    let device = enrol(&service.administrator());
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("key")).unwrap();
    let crypttab = format!("data UUID={} {} luks,nofail\n", VOLUME.to_uppercase(), "/run/oathgate-disk-key");
    fs::write(folder.path().join("crypttab"), crypttab).unwrap();
    Some(World { service, device, listener, folder })
}

fn enrol(administrator: &Administrator) -> Device {
    let key = DiskKey { volume: VOLUME.to_owned(), key: SecretText::new(SLOT_KEY).unwrap() };
    assert!(matches!(administrator.ask(Ask::DiskKey(key)), Outcome::Done(_)));
    let (volume, kind, algorithm) = (VOLUME.to_owned(), "hotp".to_owned(), "SHA256".to_owned());
    let new = DiskEnrol { volume, label: None, kind, algorithm, digits: 8, period: None };
    match administrator.ask(Ask::DiskEnrol(new)) {
        Outcome::Enrolled(enrolled) => Device(*enrolled),
        other => panic!("{other:?}"),
    }
}

impl World {
    /// Something that answers questions with these lines, and keeps the questions.
    fn answers(&self, lines: &[String]) -> PathBuf {
        let folder = self.folder.path();
        fs::write(folder.join("answers"), lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        let _ = fs::remove_file(folder.join("questions"));
        let script = folder.join("ask");
        let text = format!(
            "#!/bin/sh\ncd {}\necho \"$*\" >>questions\n[ -s answers ] || exit 1\nline=$(head -n 1 answers)\nsed -i 1d answers\necho \"$line\"\n",
            folder.display()
        );
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        script
    }

    /// A connection from an end with this abstract name.
    fn connection(&self, name: &str) -> (UnixStream, UnixStream) {
        let end = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        let random = format!("{:x}{:x}{name}", std::process::id(), end_number(&end));
        bind(&end, &SocketAddrUnix::new_abstract_name(random.as_bytes()).unwrap()).unwrap();
        connect(&end, &SocketAddrUnix::new(self.folder.path().join("key")).unwrap()).unwrap();
        (UnixStream::from(end), self.listener.accept().unwrap().0)
    }

    fn serve(&self, name: &str, answers: &[String]) -> Served {
        let ask = self.answers(answers);
        let (mut end, connection) = self.connection(name);
        let mut program = Command::new(bin("oathgate-disk-key"));
        program.arg("--crypttab").arg(self.folder.path().join("crypttab")).arg("--ask").arg(ask);
        program.arg("--socket").arg(self.service.root_socket());
        let running = program.stdin(OwnedFd::from(connection)).stderr(Stdio::piped()).spawn().unwrap();
        // The program's own copy of the connection must be the last one.
        drop(program);
        let mut key = Vec::new();
        end.read_to_end(&mut key).unwrap();
        let finished = running.wait_with_output().unwrap();
        assert_eq!(finished.status.success(), !key.is_empty());
        let questions = fs::read_to_string(self.folder.path().join("questions")).unwrap_or_default();
        Served { key, log: String::from_utf8(finished.stderr).unwrap(), questions }
    }

    fn code(&self, counter: u64) -> String {
        self.device.code(counter)
    }
}

fn end_number(end: &OwnedFd) -> u64 {
    rustix::fs::fstat(end).unwrap().st_ino
}

fn slot_key() -> Vec<u8> {
    Secret::from_base32(SLOT_KEY).unwrap().expose().to_vec()
}

#[test]
fn a_code_gets_the_key_once() {
    let Some(world) = world() else { return };
    let served = world.serve(NAME, &[world.code(0)]);
    assert_eq!((served.key, served.log), (slot_key(), String::new()));
    assert!(served.questions.contains("--id=oathgate:data") && served.questions.contains("Code for data"));
    let again = world.serve(NAME, &[world.code(0), world.code(1)]);
    assert_eq!(again.key, slot_key());
    assert!(again.questions.contains("already used"), "{}", again.questions);
}

#[test]
fn two_codes_in_a_row_bring_a_device_back() {
    let Some(world) = world() else { return };
    let served = world.serve(NAME, &[world.code(15), format!("{} {}", world.code(15), world.code(16))]);
    assert_eq!(served.key, slot_key());
}

#[test]
fn without_a_right_code_there_is_no_key() {
    let Some(world) = world() else { return };
    let wrong = vec![world.device.wrong_code(), String::new(), "x".repeat(4000)];
    let served = world.serve(NAME, &wrong);
    assert!(served.key.is_empty() && served.log.contains("nobody answered"), "{}", served.log);
    let served = world.serve(NAME, &vec![String::new(); 9]);
    assert!(served.key.is_empty() && served.log.contains("5 codes were refused"), "{}", served.log);
    assert_eq!(served.questions.lines().count(), 5);
    assert!(!served.log.contains(&wrong[0]) && !served.questions.contains(&wrong[0]));
    assert_eq!(world.serve(NAME, &[world.code(0)]).key, slot_key());
}

#[test]
fn only_systemd_cryptsetup_is_answered() {
    let Some(world) = world() else { return };
    for (name, why) in [
        ("/cryptsetup/other", "other is not in"),
        ("/veritysetup/data", "its name is another one"),
        ("/cryptsetup/data/x", "its name is another one"),
        ("", "its name is another one"),
    ] {
        let served = world.serve(name, &[world.code(0)]);
        assert!(served.key.is_empty() && served.log.contains(why), "{name}: {}", served.log);
        assert_eq!(served.questions, "", "{name}: nobody is asked");
    }
    let mut program = Command::new(bin("oathgate-disk-key"));
    let output = program.stdin(Stdio::null()).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("no connection of systemd's"));
}

#[test]
fn a_uid_that_takes_systemds_name_gets_no_key() {
    let Some(world) = world() else { return };
    fs::set_permissions(world.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(world.folder.path().join("key"), fs::Permissions::from_mode(0o777)).unwrap();
    let ask = world.answers(&[world.code(0)]);
    let script = format!(
        "use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, pack('S a*', AF_UNIX, \"\\0mine{NAME}\"));\n\
         connect(S, sockaddr_un($ARGV[0])) or die; print <S>;"
    );
    let mut perl = Command::new("setpriv");
    perl.args(["--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/perl", "-e", &script]);
    let mut client = perl.arg(world.folder.path().join("key")).stdout(Stdio::piped()).spawn().unwrap();
    let (connection, _) = world.listener.accept().unwrap();
    let mut program = Command::new(bin("oathgate-disk-key"));
    program.arg("--crypttab").arg(world.folder.path().join("crypttab")).arg("--ask").arg(ask);
    program.arg("--socket").arg(world.service.root_socket()).stdin(OwnedFd::from(connection));
    let output = program.output().unwrap();
    drop(program);
    assert!(String::from_utf8_lossy(&output.stderr).contains("uid 65534 wants a key"), "{output:?}");
    let mut got = Vec::new();
    client.stdout.take().unwrap().read_to_end(&mut got).unwrap();
    assert!(client.wait().unwrap().success() && got.is_empty());
}
