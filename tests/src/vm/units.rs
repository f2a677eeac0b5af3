//! The units that are shipped, under a real systemd and in their real sandbox.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs;

use oathgate_tests::process::Finished;

use crate::scenario::Next;
use crate::system::{self, Person, install, must, property, step, write};

const SERVICE: &str = "oathgated.service";
/// Codes for the next boot: a used one, and the one after it.
const CODES: &str = "/root/codes";

/// The first boot installs and tries everything, the second finds it enabled.
pub fn run(boot: u32) -> Next {
    if boot > 1 {
        after_a_reboot();
        return Next::Done;
    }
    step("install and start");
    install();
    sandboxed();
    step("two users, each with codes of their own");
    let (ann, ben) = (Person::new("ann"), Person::new("ben"));
    let used = own_codes_only(&ann, &ben);
    step("doctor and status");
    clean();
    step("killed");
    killed(&ann);
    step("stopped, and started by a login");
    stopped(&ben);
    step("a login by ssh");
    let key = ssh(&ann);
    step("the journal");
    journal(&[&ann, &ben, &key], &used);
    ann.comes_in(2);
    write(CODES, &format!("{} {}", ann.code(2), ann.code(3)));
    step("reboot");
    Next::Reboot
}

/// What the unit asks for is what the process has.
fn sandboxed() {
    let (user, pid) = (property(SERVICE, "User"), property(SERVICE, "MainPID"));
    assert_eq!(user, "_oathgate");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running verifier");
    let has = |name: &str, value: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        assert_eq!(line.trim(), value, "{name}");
    };
    has("NoNewPrivs:", "1");
    has("Seccomp:", "2");
    has("CapEff:", "0000000000000000");
    has("CapBnd:", "0000000000000000");
    let uid = must(&["id", "-u", &user]);
    has("Uid:", &[uid.as_str(); 4].join("\t"));
    let own = fs::read_link(format!("/proc/{pid}/ns/mnt")).expect("root may look");
    assert_ne!(own, fs::read_link("/proc/1/ns/mnt").expect("root may look"));
}

/// Who asks is known by uid, and may ask for that account only; codes that were
/// typed are returned.
fn own_codes_only(ann: &Person, ben: &Person) -> Vec<String> {
    ann.comes_in(0);
    ben.comes_in(0);
    for (one, other) in [(ann, ben), (ben, ann)] {
        let denied = one.verify(other.name, &other.code(1));
        assert_eq!(denied.code(), Some(1), "{}{}", denied.text(), denied.stderr);
    }
    ann.is_refused_as_used(&ann.code(0));
    // What the other one tried was judged nowhere: it is still good.
    ben.comes_in(1);
    for person in [ann, ben] {
        let audit = must(&["oathgate", "audit", person.name, "--verdict", "accept", "--json"]);
        let audit: serde_json::Value = serde_json::from_str(&audit).expect("JSON");
        let rows = audit["rows"].as_array().expect("rows");
        assert!(!rows.is_empty() && rows.iter().all(|row| row["peer"] == person.uid), "{audit}");
    }
    vec![ann.code(0), ben.code(0), ben.code(1), ann.code(1)]
}

fn clean() {
    let doctor = must(&["oathgate", "doctor"]);
    assert!(doctor.lines().all(|line| line.starts_with("good")), "{doctor}");
    let status = must(&["oathgate", "status"]);
    assert!(!status.to_lowercase().contains("bad"), "{status}");
}

fn killed(ann: &Person) {
    let before = property(SERVICE, "MainPID");
    must(&["systemctl", "kill", "--signal=KILL", "--kill-whom=main", SERVICE]);
    ann.comes_in(1);
    assert_ne!(property(SERVICE, "MainPID"), before);
    assert_eq!(property(SERVICE, "NRestarts"), "1");
}

fn stopped(ben: &Person) {
    must(&["systemctl", "stop", SERVICE]);
    assert_eq!(property(SERVICE, "ActiveState"), "inactive");
    ben.comes_in(2);
    assert_eq!(property(SERVICE, "ActiveState"), "active");
}

/// The README's settings; the authenticator of the key is returned.
fn ssh(ann: &Person) -> Person {
    let secret_key = "/home/ann/.ssh/id_ed25519";
    let made = ann.run(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", secret_key], "");
    assert!(made.status.success(), "{}", made.stderr);
    let public = format!("{secret_key}.pub");
    assert!(ann.run(&["cp", &public, "/home/ann/.ssh/authorized_keys"], "").status.success());
    let key = ann.with_key(&public);
    let stack = fs::read_to_string("/etc/pam.d/sshd").expect("Debian's");
    write("/etc/pam.d/sshd", &stack.replace("@include common-auth", "auth required pam_oathgate.so"));
    write(
        "/etc/ssh/sshd_config.d/oathgate.conf",
        "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\n\
         AuthenticationMethods publickey,keyboard-interactive\n",
    );
    must(&["systemctl", "restart", "ssh.service"]);
    let came = login(ann, &key.code(0));
    assert_eq!(came.text().trim(), "ann", "{}", came.stderr);
    assert_eq!(login(ann, &key.code(0)).code(), Some(255), "used");
    key
}

/// A client whose question is answered with `code`.
fn login(ann: &Person, code: &str) -> Finished {
    write("/home/ann/answer", &format!("#!/bin/sh\necho {code}\n"));
    must(&["chmod", "0755", "/home/ann/answer"]);
    let answers = ["env", "SSH_ASKPASS=/home/ann/answer", "SSH_ASKPASS_REQUIRE=force"];
    let options = ["-o", "StrictHostKeyChecking=no", "-o", "NumberOfPasswordPrompts=1"];
    ann.run(&[&answers[..], &["ssh"], &options, &["ann@127.0.0.1", "id", "-un"]].concat(), "")
}

/// Every verdict is in it, and nothing that lets anybody in.
fn journal(people: &[&Person], used: &[String]) {
    let said = |identifier| must(&["journalctl", "--boot", "--output=cat", "--identifier", identifier]);
    let verdicts = said("oathgated");
    for word in ["accept", "refuse", "ann", "ben"] {
        assert!(verdicts.contains(word), "no {word} in {verdicts}");
    }
    let all = must(&["journalctl", "--boot", "--output=export"]);
    for person in people {
        assert!(!all.contains(&person.secret()), "a secret of {}", person.name);
    }
    // Six digits may be part of a longer number by chance.
    let messages = must(&["journalctl", "--boot", "--output=cat"]);
    let words: Vec<&str> = messages.split(|sign: char| !sign.is_ascii_alphanumeric()).collect();
    assert!(used.iter().all(|code| !words.contains(&code.as_str())), "a code");
}

fn after_a_reboot() {
    step("what was used stays so, and the sockets are there");
    let codes = fs::read_to_string(CODES).expect("of the boot before");
    let (used, next) = codes.split_once(' ').expect("two codes");
    let ask = |code: &str| {
        system::run(&["setpriv", "--reuid=ann", "--clear-groups", "oathgate", "verify", "--stdin", "--json"], code)
    };
    let again = ask(used);
    assert!(again.code() == Some(1) && again.text().contains("\"replayed\""), "{}{}", again.text(), again.stderr);
    let fresh = ask(next);
    assert_eq!(fresh.code(), Some(0), "{}{}", fresh.text(), fresh.stderr);
    must(&["oathgate", "doctor"]);
}
