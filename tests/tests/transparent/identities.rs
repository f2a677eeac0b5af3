//! Certificates and FIDO keys as the identity that a code belongs to.

use std::path::Path;
use std::process::Command;

use oathgate_tests::fido::Fido;
use oathgate_tests::gated::{Real, line, socket};
use oathgate_tests::oathgated::{Device, hotp};
use oathgate_tests::process::{Finished, run};
use oathgate_tests::sshd::{Client, Key, Settings};

/// Has `authority` sign `key` for the account, with `options` of ssh-keygen.
fn sign(authority: &Path, key: &Key, principal: &str, options: &[&str]) {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-I", "somebody", "-n", principal]).args(options).arg("-s").arg(authority);
    let signed = run(keygen.arg(key.path.with_extension("pub")), b"");
    assert!(signed.status.success(), "{}", signed.stderr);
}

/// Whoever shows the certificate of `key`.
fn certified(world: &Real, key: &Key) -> Client {
    world.sshd.client(key).option(&format!("CertificateFile={}-cert.pub", key.path.display()))
}

fn enrol(world: &Real, name: &str, key: &str) -> Device {
    world.service.administrator().enrol(hotp(&world.account, name, Some(key), name))
}

/// The forced command for a key.
fn command(world: &Real, key: &str) -> String {
    let options = line(&format!("--key {key} {}", socket(&world.service.root_socket())));
    options.split('"').nth(1).unwrap().to_owned()
}

fn refused(finished: &Finished, why: &str) {
    assert_eq!((finished.code(), finished.text().as_str()), (Some(1), ""), "{}", finished.stderr);
    assert!(finished.stderr.contains(why), "{}", finished.stderr);
}

/// Checks that a code opens once, and nothing else does.
fn opens_with_its_code(client: &Client, device: &Device) {
    refused(&client.run("echo in", None), "LC_OTP=123456");
    refused(&client.run("echo in", Some(&device.wrong_code())), "Wrong code");
    let finished = client.run("echo in", Some(&device.code(0)));
    assert_eq!((finished.text().as_str(), finished.code()), ("in\n", Some(0)), "{}", finished.stderr);
    refused(&client.run("echo in", Some(&device.code(0))), "already used");
}

#[test]
fn a_line_for_an_authority_names_whose_code_it_takes() {
    let world = Real::new();
    let authority = world.sshd.key("authority");
    let devices = ["ann", "ben"].map(|name| {
        let key = world.sshd.key(name);
        sign(&authority.path, &key, name, &[]);
        let options = format!("--key {} {}", key.fingerprint, socket(&world.service.root_socket()));
        // One line a person: the name in the certificate picks it.
        world.sshd.authorise(&authority, &format!("cert-authority,principals=\"{name}\",{}", line(&options)));
        (certified(&world, &key), enrol(&world, name, &key.fingerprint))
    });
    for (client, device) in &devices {
        opens_with_its_code(client, device);
    }
    let [(ann, _), (_, bens)] = &devices;
    refused(&ann.run("echo in", Some(&bens.code(1))), "Wrong code");
}

/// TrustedUserCAKeys has no line to write the command into, but a certificate does.
#[test]
fn a_certificate_brings_its_own_command() {
    let probe = tempfile::tempdir().unwrap();
    let authority = Key::generate(probe.path(), "authority");
    let trust = format!("TrustedUserCAKeys {}.pub", authority.path.display());
    let world = Real::with(&Settings { first: vec![trust], ..Settings::default() });
    let key = world.sshd.key("ann");
    let force = format!("force-command={}", command(&world, &key.fingerprint));
    sign(&authority.path, &key, &world.account, &["-O", "clear", "-O", "permit-pty", "-O", &force]);
    let (client, device) = (certified(&world, &key), enrol(&world, "ann", &key.fingerprint));
    opens_with_its_code(&client, &device);
    let mut session = client.session(Some("echo in"));
    session.expect("Code (ann): ");
    session.send(&format!("{}\r", device.code(1)));
    assert_eq!(session.wait().0, Some(0));
    // Renewed, it is the same key and so the same code.
    sign(&authority.path, &key, &world.account, &["-V", "+1h", "-O", "clear", "-O", &force]);
    let finished = client.run("echo in", Some(&device.code(2)));
    assert_eq!(finished.text(), "in\n", "{}", finished.stderr);
}

#[test]
fn a_fido_key() {
    let world = Real::new();
    let Some(fido) = Fido::new(&world.sshd) else { return };
    let printed = run(Command::new("ssh-keygen").args(["-l", "-f"]).arg(fido.key.path.with_extension("pub")), b"");
    assert!(printed.text().contains(&fido.key.fingerprint), "{}", printed.text());
    let options = line(&format!("--key {} {}", fido.key.fingerprint, socket(&world.service.root_socket())));
    world.sshd.authorise(&fido.key, &options);
    opens_with_its_code(&fido.client(&world.sshd), &enrol(&world, "ann", &fido.key.fingerprint));
}

#[test]
fn a_certificate_of_a_fido_key() {
    let world = Real::new();
    let Some(fido) = Fido::new(&world.sshd) else { return };
    let authority = world.sshd.key("authority");
    sign(&authority.path, &fido.key, &world.account, &[]);
    let certificate = std::fs::read_to_string(fido.key.path.with_file_name("fido-cert.pub")).unwrap();
    let (inside, _) = otp_core::Fingerprint::of_line(&certificate).unwrap();
    assert_eq!(inside.to_string(), fido.key.fingerprint);
    let options = line(&format!("--key {inside} {}", socket(&world.service.root_socket())));
    world.sshd.authorise(&authority, &format!("cert-authority,{options}"));
    let client = fido.client(&world.sshd).option(&format!("CertificateFile={}-cert.pub", fido.key.path.display()));
    opens_with_its_code(&client, &enrol(&world, "ann", &fido.key.fingerprint));
}
