//! One code for many logins: over one connection, or from one address for a while.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use oathgate_tests::process::{Finished, run};
use oathgate_tests::sshd::Client;
use otp_wire::message::{GrantTo, KeyGrant, KeyPolicy};
use otp_wire::socket::timespec;
use otp_wire::{Ask, Outcome};
use rustix::event::poll;

use crate::world::{Enrolled, Real, came_in, kept_out, try_code};

/// A connection that stays open for further sessions.
struct Master {
    client: Client,
    path: PathBuf,
}

impl Master {
    /// Opens it with a code.
    fn open(world: &Real, alice: &Enrolled, name: &str, code: &str) -> Self {
        let path = world.sshd.folder().join(format!("control-{name}"));
        let client = alice.client.clone().option(&format!("ControlPath={}", path.display()));
        let first = client.clone().option("ControlMaster=yes").option("ControlPersist=yes");
        came_in(&try_code(&first, code));
        Self { client, path }
    }

    /// A further session, without a code.
    fn further(&self) -> Finished {
        self.client.clone().option("ControlMaster=no").run("echo in", None)
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        run(self.client.ssh(&["-O", "exit"], None).arg("-q"), b"");
        // It answers first, and goes then.
        let moment = timespec(Duration::from_millis(20));
        let gone = (0..500).any(|_| !self.path.exists() || poll(&mut [], Some(&moment)).is_err());
        assert!(gone, "the connection stays open");
    }
}

fn done(world: &Real, ask: Ask) {
    let outcome = world.service.administrator().ask(ask);
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
}

fn grant(world: &Real, alice: &Enrolled, to: Option<GrantTo>) {
    let (account, key) = (world.account.clone(), alice.key.fingerprint.clone());
    done(world, Ask::KeyGrant(KeyGrant { account, key, to }));
}

#[test]
fn one_code_opens_a_connection_and_all_its_sessions() {
    let world = Real::new();
    let alice = world.enrol("alice");
    let master = Master::open(&world, &alice, "one", &alice.device.code(0));
    came_in(&master.further());
    came_in(&master.further());
    kept_out(&alice.client.run("echo in", None), "LC_OTP=123456");
    let other = Master::open(&world, &alice, "two", &alice.device.code(1));
    drop(master);
    came_in(&other.further());
    // A new connection through the same path is another one.
    let again =
        alice.client.clone().option(&format!("ControlPath={}", world.sshd.folder().join("control-one").display()));
    kept_out(&again.run("echo in", None), "LC_OTP=123456");
    world.service.administrator().revoke(&alice.device);
    let refused = other.further();
    assert_eq!((refused.code(), refused.text().as_str()), (Some(1), ""), "a revoked code opens nothing further");
}

#[test]
fn tools_need_one_code_for_a_connection() {
    let world = Real::new();
    let alice = world.enrol("alice");
    let master = Master::open(&world, &alice, "tools", &alice.device.code(0));
    let letter = world.sshd.folder().join("letter");
    std::fs::write(&letter, "dear bob").unwrap();
    for (number, legacy) in [None, Some("-O")].into_iter().enumerate() {
        let copy = world.sshd.folder().join(format!("copy{number}"));
        let mut scp = master.client.command("scp");
        scp.args(legacy).arg(&letter).arg(format!("127.0.0.1:{}", copy.display()));
        let copied = run(&mut scp, b"");
        assert_eq!(copied.code(), Some(0), "{}", copied.stderr);
        assert_eq!(std::fs::read_to_string(copy).unwrap(), "dear bob");
    }
}

#[test]
fn another_key_on_its_own_connection_gets_nothing() {
    let world = Real::new();
    let (alice, bob) = (world.enrol("alice"), world.enrol("bob"));
    let _master = Master::open(&world, &alice, "alice", &alice.device.code(0));
    kept_out(&bob.client.run("echo in", None), "LC_OTP=123456");
}

#[test]
fn an_address_needs_no_code_for_a_while_where_the_key_says_so() {
    let world = Real::new();
    let alice = world.enrol("alice");
    let (account, key, policy) = (world.account.clone(), alice.key.fingerprint.clone(), "code".to_owned());
    done(&world, Ask::KeyPolicy(KeyPolicy { account, key, policy, until: None, grant: Some(600) }));
    kept_out(&alice.client.run("echo in", None), "LC_OTP=123456");
    came_in(&try_code(&alice.client, &alice.device.code(0)));
    came_in(&alice.client.run("echo in", None));
    let elsewhere = alice.client.clone().option("BindAddress=127.0.0.2");
    kept_out(&elsewhere.run("echo in", None), "LC_OTP=123456");
    grant(&world, &alice, None);
    kept_out(&alice.client.run("echo in", None), "LC_OTP=123456");
}

#[test]
fn root_grants_an_address_and_takes_it_back() {
    let world = Real::new();
    let alice = world.enrol("alice");
    grant(&world, &alice, Some(GrantTo { address: "127.0.0.1".to_owned(), seconds: 600 }));
    came_in(&alice.client.run("echo in", None));
    came_in(&run(&mut alice.client.ssh(&["-T"], Some(OsStr::new("echo in"))), b""));
    grant(&world, &alice, None);
    kept_out(&alice.client.run("echo in", None), "LC_OTP=123456");
    for seconds in [0, 86_401] {
        let (account, key) = (world.account.clone(), alice.key.fingerprint.clone());
        let to = Some(GrantTo { address: "127.0.0.1".to_owned(), seconds });
        let outcome = world.service.administrator().ask(Ask::KeyGrant(KeyGrant { account, key, to }));
        assert!(matches!(outcome, Outcome::Invalid(_)), "{outcome:?}");
    }
}

#[test]
fn ansible_over_a_connection_needs_one_code() {
    let world = Real::new();
    let alice = world.enrol("alice");
    let folder = world.sshd.folder();
    if !run(alice.client.bare("sh").args(["-c", "command -v ansible"]), b"").status.success() {
        println!("skipped: needs ansible");
        return;
    }
    let master = Master::open(&world, &alice, "ansible", &alice.device.code(0));
    let inventory = "far ansible_host=127.0.0.1 ansible_python_interpreter=/usr/bin/python3\n";
    std::fs::write(folder.join("inventory"), inventory).unwrap();
    let mut ansible = master.client.bare("ansible");
    ansible.args(["-i", "inventory", "far", "-m", "ping"]);
    ansible.env("ANSIBLE_SSH_ARGS", format!("-o ControlMaster=no {}", master.client.options().join(" ")));
    ansible.env("ANSIBLE_LOCAL_TEMP", folder.join("local")).env("ANSIBLE_REMOTE_TEMP", folder.join("remote"));
    let said = run(&mut ansible, b"");
    assert!(said.text().contains("\"ping\": \"pong\""), "{}{}", said.text(), said.stderr);
    kept_out(&alice.client.run("echo in", None), "LC_OTP=123456");
}
