//! Fingerprints, compared with what OpenSSH prints for keys made on the spot.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use std::path::Path;
use std::process::Command;

use base64ct::{Base64, Encoding};
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
#[cfg_attr(miri, ignore = "runs ssh-keygen")]
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

fn field(content: &[u8]) -> Vec<u8> {
    [&u32::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
}

/// The last field of a blob of `fields` fields.
fn last_field(blob: &[u8], fields: usize) -> Vec<u8> {
    let mut rest = blob;
    for _ in 1..fields {
        let (length, after) = rest.split_first_chunk::<4>().unwrap();
        rest = &after[u32::from_be_bytes(*length) as usize..];
    }
    rest.to_vec()
}

/// Public halves as PROTOCOL.u2f has them: those of other keys, with the
/// application behind them. No token is needed for them.
#[test]
#[cfg_attr(miri, ignore = "runs ssh-keygen")]
fn fido_keys_and_their_certificates() {
    if Command::new("ssh-keygen").arg("-?").output().is_err() {
        eprintln!("skipped: no ssh-keygen here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    keygen(folder, &["-q", "-t", "ed25519", "-N", "", "-f", "ca"]);
    let kinds = [
        ("ed25519", "sk-ssh-ed25519@openssh.com", None),
        ("ecdsa", "sk-ecdsa-sha2-nistp256@openssh.com", Some("nistp256")),
    ];
    for (name, key_type, curve) in kinds {
        keygen(folder, &["-q", "-t", name, "-N", "", "-f", name]);
        let plain = line(folder, &format!("{name}.pub"));
        let blob = Base64::decode_vec(plain.split(' ').nth(1).unwrap()).unwrap();
        let mut fido = field(key_type.as_bytes());
        fido.extend(curve.map(|curve| field(curve.as_bytes())).unwrap_or_default());
        fido.extend(last_field(&blob, if curve.is_some() { 3 } else { 2 }));
        fido.extend(field(b"ssh:"));
        let base64 = Base64::encode_string(&fido);
        std::fs::write(folder.join("fido.pub"), format!("{key_type} {base64} token\n")).unwrap();

        let printed = keygen(folder, &["-l", "-f", "fido.pub"]);
        let (key, comment) = Fingerprint::of_line(&line(folder, "fido.pub")).unwrap();
        assert_eq!(
            (Some(key.to_string().as_str()), comment.as_str()),
            (printed.split(' ').nth(1), "token"),
            "{printed}"
        );
        keygen(folder, &["-q", "-s", "ca", "-I", "id", "-n", "alice", "fido.pub"]);
        let (certificate, _) = Fingerprint::of_line(&line(folder, "fido-cert.pub")).unwrap();
        assert_eq!(certificate, key, "a certificate of {key_type}");
    }
}

#[test]
fn what_is_no_key_is_refused() {
    let blob = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert!(Fingerprint::of_key("ssh-ed25519", blob).is_ok());
    assert!(Fingerprint::of_key("ssh-rsa", blob).is_err(), "another type than the blob's");
    assert!(Fingerprint::of_key("ssh-ed25519", &blob[1..]).is_err());
    assert!(Fingerprint::of_key("ssh-ed25519-cert-v01@openssh.com", blob).is_err());
    let many = "A ".repeat(if cfg!(miri) { 100 } else { 20_000 });
    for line in ["", "#", "ssh-ed25519", &format!("command=\"ssh-ed25519 {blob}\""), &many] {
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
