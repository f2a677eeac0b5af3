//! Fingerprints, compared with what OpenSSH prints for keys made on the spot.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use std::path::Path;
use std::process::Command;

use otp_core::Fingerprint;

fn keygen(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("ssh-keygen").current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn line(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn as_ssh_keygen_prints_them() {
    if Command::new("ssh-keygen").arg("-?").output().is_err() {
        eprintln!("skipped: no ssh-keygen here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    keygen(folder, &["-q", "-t", "ed25519", "-N", "", "-f", "ca"]);
    for (name, bits) in [("ed25519", ""), ("rsa", "2048"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521")] {
        let file = format!("{name}{bits}");
        let mut arguments = vec!["-q", "-t", name, "-N", "", "-C", "a comment", "-f", &file];
        if !bits.is_empty() {
            arguments.extend(["-b", bits]);
        }
        keygen(folder, &arguments);
        let public = format!("{file}.pub");
        let printed = keygen(folder, &["-l", "-f", &public]);
        let (key, comment) = Fingerprint::of_line(&line(folder, &public)).unwrap();
        assert_eq!(Some(key.to_string().as_str()), printed.split(' ').nth(1), "{file}");
        assert_eq!(comment, "a comment");
        let options =
            format!("restrict,from=\"10.0.0.0/8\",command=\"echo \\\"ssh-rsa AAAA\\\"\" {}", line(folder, &public));
        assert_eq!(Fingerprint::of_line(&options).unwrap(), (key, comment));

        keygen(folder, &["-q", "-s", "ca", "-I", "id", "-n", "alice,bob", &public]);
        let (certificate, _) = Fingerprint::of_line(&line(folder, &format!("{file}-cert.pub"))).unwrap();
        assert_eq!(certificate, key, "a certificate of {file}");
    }
}

#[test]
fn what_is_no_key_is_refused() {
    let blob = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert!(Fingerprint::of_key("ssh-ed25519", blob).is_ok());
    assert!(Fingerprint::of_key("ssh-rsa", blob).is_err(), "another type than the blob's");
    assert!(Fingerprint::of_key("ssh-ed25519", &blob[1..]).is_err());
    assert!(Fingerprint::of_key("ssh-ed25519-cert-v01@openssh.com", blob).is_err());
    for line in ["", "#", "ssh-ed25519", &format!("command=\"ssh-ed25519 {blob}\""), &"A ".repeat(20_000)] {
        assert!(Fingerprint::of_line(line).is_err(), "{line:.40}");
    }
}

/// sshd takes a backslash for an escape only before a quote.
#[test]
fn a_backslash_before_a_backslash_escapes_nothing() {
    let [inside, outside] =
        ["A", "B"].map(|end| format!("AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA{end}"));
    let line = format!("from=\"a\\\\\" ssh-ed25519 {inside} x,b\" ssh-ed25519 {outside} comment");
    let (key, comment) = Fingerprint::of_line(&line).unwrap();
    assert_eq!((key, comment.as_str()), (Fingerprint::of_key("ssh-ed25519", &outside).unwrap(), "comment"));
    let line = format!("from=a\\\"b ssh-ed25519 {outside}");
    assert_eq!(Fingerprint::of_line(&line).unwrap().0, key, "outside quotes, too");
}
