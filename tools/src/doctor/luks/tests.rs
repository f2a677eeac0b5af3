use std::fs;
use std::os::unix::fs::PermissionsExt;

use luks_unlock::order::{Held, Plugin, View};
use luks_unlock::token::{Code, Kind, State as Used};
use luks_unlock::{Cost, Enrolment, SlotKey, StoreToken, Token, seal};
use otp_core::Secret;

use super::*;

const UUID: &str = "158f3c02-5aa0-45f3-ae9d-e238eb50112c";

fn lines(findings: &[Finding]) -> Vec<(State, &str)> {
    findings.iter().map(|finding| (finding.state, finding.line.as_str())).collect()
}

/// What is said of `data UUID=… REST`.
fn said(rest: &str, gate: Gate, root: bool) -> Vec<(State, String)> {
    let text = format!("data UUID={UUID} {rest}");
    let line = Line::parse(&text).unwrap();
    let found = line::judge(&Told { line, at: "crypttab:1", gate, root, uuid: UUID, header: None });
    assert!(found.iter().all(|finding| finding.at.is_some() && finding.change.is_some()), "{found:?}");
    found.into_iter().map(|finding| (finding.state, finding.line)).collect()
}

#[test]
fn what_enrolment_writes_is_right() {
    use crate::luks::crypttab::{Asks, line};
    for (asks, gate) in [(Asks::Plugin, Gate::Header), (Asks::Keyscript, Gate::Header), (Asks::KeyService, Gate::Store)]
    {
        let line = line("data", UUID, Some("/boot/h"), asks);
        let (_, rest) = line.split_once(UUID).unwrap();
        assert_eq!(said(rest, gate, false), [], "{line}");
    }
}

#[test]
fn a_line_that_is_wrong_for_its_gate_is_named() {
    use Gate::{Header, Store};
    use State::{Bad, Warning};
    let script = format!("luks,keyscript={}", crate::luks::crypttab::KEYSCRIPT);
    let cases = [
        ("none luks,nofail", Store, false, Bad, "does not name the key service"),
        ("/run/oathgate-disk-key luks", Store, false, Bad, "before the verifier can start"),
        ("/run/oathgate-disk-key luks,_netdev", Store, false, Bad, "before the verifier can start"),
        ("/run/oathgate-disk-key luks,_netdev,nofail", Store, false, Warning, "remote-cryptsetup.target"),
        ("none luks,_netdev,nofail", Header, false, Warning, "remote-cryptsetup.target"),
        ("/run/oathgate-disk-key luks,nofail,initramfs", Store, false, Bad, "gate of a root volume is its header"),
        ("/run/oathgate-disk-key luks,nofail,keyscript=/x", Store, false, Bad, "can't reach the verifier"),
        ("none luks", Header, false, Warning, "no nofail"),
        ("/root/key luks,nofail", Header, false, Bad, "key file"),
        (&format!("none nofail,{script}"), Header, false, Warning, "systemd ignores"),
        ("none luks", Header, true, Bad, "no keyscript"),
        ("none luks,initramfs,keyscript=/x", Header, false, Bad, "another keyscript"),
        ("none luks,nofail,tries=1", Header, false, Warning, "no passphrase is asked for"),
        ("none luks,nofail,headless=yes", Header, false, Bad, "nobody is asked"),
        ("none luks,nofail,fido2-device=auto", Header, false, Bad, "fido2-device="),
        ("none luks,nofail,timeout=10", Header, false, Warning, "timeout=10"),
    ];
    for (rest, gate, root, state, part) in cases {
        let found = said(rest, gate, root);
        assert!(found.iter().any(|(its, line)| *its == state && line.contains(part)), "{rest}: {found:?}");
    }
    for right in
        ["none luks,nofail,headless=no", "none luks,noauto", "- nofail,timeout=0,tries=3", "none nofail,timeout=90"]
    {
        assert_eq!(said(right, Header, false), [], "{right}");
    }
    assert_eq!(said(&format!("none {script}"), Header, true), [], "the root's needs no initramfs");
    let other = Line::parse("data LABEL=x /run/oathgate-disk-key nofail").unwrap();
    let found = line::judge(&Told { line: other, at: "f:1", gate: Store, root: false, uuid: UUID, header: None });
    assert!(found[0].line.contains("UUID=") && found[0].change.as_ref().is_some_and(|line| line.contains(UUID)));
}

#[test]
fn not_every_line_is_ours() {
    let is = |text: &str| line::is_no_luks(&Line::parse(text).unwrap());
    assert!(is("swap /dev/sda2 /dev/urandom swap") && is("x /dev/sda3 none tcrypt") && !is("x /dev/sda3 none luks"));
    let fields =
        [("UUID=\"0a\"", "/dev/disk/by-uuid/0a"), ("PARTLABEL=x", "/dev/disk/by-partlabel/x"), ("/dev/b", "/dev/b")];
    fields.iter().for_each(|(field, expected)| assert_eq!(device(field), *expected));
}

fn token(next: u64, cost: Cost) -> Token {
    let code = Code { kind: Kind::Totp, algorithm: "SHA1".to_owned(), digits: 6, period: Some(30) };
    let (secret, slot_key) = (Secret::copy(&[1; 20]).unwrap(), SlotKey::random().unwrap());
    let mut token =
        seal(Enrolment { pin: b"pin", code, state: Used { next, skew: 0 }, secret, slot_key, cost }).unwrap();
    token.keyslots = vec!["1".to_owned()];
    token
}

fn quick() -> Token {
    token(10, Cost { memory: 64, passes: 1 })
}

fn view(json: String) -> View {
    View { uuid: UUID.to_owned(), keyslots: vec![0, 1], tokens: vec![(0, json)], held: vec![], names: vec![] }
}

fn volume(header: Option<&str>) -> Volume {
    Volume { device: "/dev/x".to_owned(), header: header.map(str::to_owned) }
}

fn moment(now: u64) -> Moment {
    Moment { now, floor: 0, boot: "this".to_owned() }
}

#[test]
fn a_header_that_takes_codes_and_a_passphrase_is_good() {
    let store = view(StoreToken::new(1).to_json());
    assert_eq!(header::judge(&volume(None), &store, &moment(1000)), []);
    let dear = view(token(10, Cost::LEAST).to_json().unwrap());
    assert_eq!(header::judge(&volume(None), &dear, &moment(1000)), []);
}

#[test]
fn each_trouble_of_a_header_is_named_with_a_command() {
    use State::{Bad, Warning};
    let json = quick().to_json().unwrap();
    let failed = |times: u32| {
        let mut token = quick();
        (0..times).for_each(|_| token.failures = token.failures.and_one(&moment(1000)));
        view(token.to_json().unwrap())
    };
    let with = |change: fn(&mut View)| {
        let mut view = view(quick().to_json().unwrap());
        change(&mut view);
        view
    };
    let cases = [
        (with(|view| view.tokens.clear()), 1000, Bad, "no token"),
        (with(|view| view.keyslots = vec![1]), 1000, Bad, "no recovery passphrase"),
        (with(|view| view.held = held()), 1000, Bad, "no recovery passphrase"),
        (
            with(|view| view.held = held()),
            1000,
            Warning,
            "keyslot 0 of /dev/x opens without a code: a token of type systemd-tpm2",
        ),
        (with(|view| view.keyslots = vec![0]), 1000, Bad, "no keyslot any more"),
        (view(json.replace("\"version\":1", "\"version\":2")), 1000, Bad, "newer oathgate"),
        (view(json.replace("\"digits\":6", "\"digits\":60")), 1000, Bad, "damaged"),
        (view(json.replace("\"header\"", "\"store\"")), 1000, Bad, "damaged"),
        (view(json.clone()), 1000, Warning, "64 KiB"),
        (view(json), 100, Bad, "clock of this machine is before"),
        (failed(2), 1000, Warning, "2 wrong answers"),
        (failed(5), 1000, Bad, "takes no code now"),
        (failed(5), 1000 + 900, Warning, "5 wrong answers"),
    ];
    for (view, now, state, part) in cases {
        let found = header::judge(&volume(None), &view, &moment(now));
        let named = found.iter().find(|finding| finding.line.contains(part));
        let named = named.unwrap_or_else(|| panic!("{part}: {found:?}"));
        assert!(named.state == state && named.run.is_some(), "{part}: {named:?}");
    }
}

fn held() -> Vec<Held> {
    vec![Held { keyslot: 0, by: "systemd-tpm2".to_owned() }]
}

#[test]
fn a_passphrase_beside_another_token_is_enough() {
    let mut both = view(token(10, Cost::LEAST).to_json().unwrap());
    (both.keyslots, both.held) = (vec![0, 1, 2], held());
    let found = header::judge(&volume(None), &both, &moment(1000));
    assert!(found.len() == 1 && found[0].state == State::Warning, "{found:?}");
}

#[test]
fn commands_name_the_token_and_the_header() {
    let view = view(StoreToken::new(1).to_json().replace("\"gate\":\"store\"", "\"gate\":\"moon\""));
    let found = header::judge(&volume(Some("/boot/h")), &view, &moment(1000));
    let run =
        "oathgate luks remove /dev/x --header /boot/h --token 0, then oathgate luks enrol /dev/x --header /boot/h";
    assert_eq!(found[0].run.as_deref(), Some(run));
    let seen = Seen { volume: volume(Some("/boot/h")), view, placed: None };
    assert_eq!(no_code("oathgate", &seen, None).run.as_deref(), Some(run));
}

/// Lines of both kinds, and a machine in a folder.
struct Machine(tempfile::TempDir);

impl Machine {
    fn put(&self, path: &str, text: &str) {
        let path = self.0.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn judge(&self, rest: &str, gate: Gate) -> Vec<Finding> {
        let text = format!("data UUID={UUID} {rest}");
        let line = Line::parse(&text).unwrap();
        Host::below(self.0.path()).judge(&[Told { line, at: "f:1", gate, root: false, uuid: UUID, header: None }])
    }
}

#[test]
fn the_key_service_must_be_enabled() {
    let machine = Machine(tempfile::tempdir().unwrap());
    let found = |part: &str| {
        let findings = machine.judge("/run/oathgate-disk-key luks,nofail", Gate::Store);
        assert!(findings.len() == 1 && findings[0].line.contains(part), "{part}: {findings:?}");
    };
    found("systemd does not run");
    machine.put("run/systemd/system/x", "");
    found("is not enabled");
    machine.put("etc/systemd/system/sockets.target.wants/oathgate-disk-key.socket", "");
    found("nobody listens");
    machine.put("run/oathgate-disk-key", "");
    assert_eq!(machine.judge("/run/oathgate-disk-key luks,nofail", Gate::Store), []);
    assert_eq!(machine.judge("none luks,nofail", Gate::Header), []);
}

#[test]
fn the_initramfs_must_have_its_pieces() {
    let machine = Machine(tempfile::tempdir().unwrap());
    let rest = format!("none luks,initramfs,keyscript={}", crate::luks::crypttab::KEYSCRIPT);
    let judge = || machine.judge(&rest, Gate::Header);
    let missing = judge();
    assert_eq!((missing.len(), missing[0].state), (3, State::Bad), "{missing:?}");
    let pieces = ["/usr/libexec/oathgate/luks-keyscript", "/usr/libexec/oathgate/oathgate-luks"];
    pieces.iter().for_each(|piece| machine.put(piece, ""));
    machine.put("/usr/share/initramfs-tools/hooks/oathgate", "");
    let unseen = judge();
    assert_eq!((unseen.len(), unseen[0].state), (1, State::Unseen), "{unseen:?}");
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    let image = format!("boot/initrd.img-{kernel}");
    machine.put(&image, "");
    machine.put("usr/bin/lsinitramfs", "#!/bin/sh\necho .\necho usr/libexec/oathgate/luks-keyscript\n");
    let lacks = judge();
    assert!(lacks[0].state == State::Bad && lacks[0].line.contains("lacks /usr/libexec/oathgate/oathgate-luks"));
    let listing = pieces.map(|piece| format!("echo {}\n", piece.trim_start_matches('/'))).concat();
    machine.put("usr/bin/lsinitramfs", &format!("#!/bin/sh\n{listing}"));
    assert_eq!(judge(), []);
    let old = fs::File::open(machine.0.path().join(&image)).unwrap();
    old.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert!(judge()[0].line.contains("is older than what is installed"));
    machine.put("usr/bin/lsinitramfs", "#!/bin/sh\nexit 1\n");
    assert_eq!(judge()[0].state, State::Unseen);
}

#[test]
fn copies_of_a_header_are_named() {
    let machine = Machine(tempfile::tempdir().unwrap());
    let host = Host::below(machine.0.path());
    assert_eq!(host.copies(UUID), []);
    machine.put(&format!("var/backups/oathgate-luks-{UUID}-20310101T000000Z.header"), "");
    machine.put("var/backups/oathgate-luks-other-20310101T000000Z.header", "");
    let copies = host.copies(UUID);
    assert_eq!(copies.len(), 1);
    assert!(copies[0].run.as_ref().is_some_and(|run| run.starts_with("shred -u ") && run.ends_with("000000Z.header")));
}

#[test]
fn the_plugin_is_of_this_version_or_bad() {
    let path = "/lib/cryptsetup/plugin.so".to_owned();
    let judge = |version: Result<&str, &str>| {
        let version = version.map(str::to_owned).map_err(str::to_owned);
        host::plugin(&Plugin { path: path.clone(), version })
    };
    assert_eq!(judge(Ok(env!("CARGO_PKG_VERSION"))).state, State::Good);
    let (other, none) = (judge(Ok("99.0")), judge(Err("no such file")));
    assert_eq!(lines(&[other, none]).iter().filter(|(state, _)| *state == State::Bad).count(), 2);
}
