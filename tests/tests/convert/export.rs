//! Credentials that leave the store: after a yes, audited, with the next code as the next one.

use std::fs;

use oathgate_tests::oathgated::{Device, Oathgated, hotp};
use oathgate_tests::process::{Finished, run};
use serde_json::Value;

use crate::world::World;

struct Export {
    world: World,
    service: Oathgated,
    device: Device,
}

impl Export {
    /// A service with a credential of daemon's, whose codes 0 to 2 are used.
    fn new() -> Self {
        let (world, service) = (World::new(), Oathgated::start());
        let device = service.administrator().enrol(hotp("daemon", "daemon", None, "phone"));
        let export = Self { world, service, device };
        assert_eq!(export.verify(&export.device.code(2)).code(), Some(0));
        export
    }

    fn oathgate(&self, words: &[&str], input: &[u8]) -> Finished {
        let socket = self.service.root_socket();
        let words = [&["--socket", socket.to_str().unwrap()], words].concat();
        run(&mut self.world.command(&words), input)
    }

    fn verify(&self, code: &str) -> Finished {
        self.oathgate(&["verify", "daemon", "--stdin"], format!("{code}\n").as_bytes())
    }

    fn export(&self, words: &[&str]) -> Finished {
        self.oathgate(&[&["export", "phone", "--account", "daemon"], words].concat(), b"")
    }

    fn audited(&self) -> usize {
        let audit = self.oathgate(&["audit", "--verdict", "change", "--json"], b"").text();
        audit.matches("exported").count()
    }
}

#[test]
fn every_form_holds_the_secret_and_the_next_counter() {
    let export = Export::new();
    let secret = export.device.0.secret.expose();
    for form in ["uri", "migration", "libpam", "users-oath", "png"] {
        let finished = export.export(&["--to", form, "--output", form, "--yes"]);
        assert_eq!(finished.code(), Some(0), "{form}: {}", finished.stderr);
        let read: Value = export.world.json(&[form]);
        assert_eq!(read["entries"][0]["secret"].as_str(), Some(secret), "{form}");
        assert_eq!(read["entries"][0]["next_counter"], 3, "{form}");
    }
    let json = export.export(&["--to", "json", "--yes"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["entries"][0]["next_counter"], json["entries"][0]["secret"].as_str()), (&3.into(), Some(secret)));
    let state = fs::read_to_string(export.world.path("libpam")).unwrap();
    assert!(state.contains("\n\" HOTP_COUNTER 3\n"), "google-authenticator expects this one next");
    assert!(export.export(&["--to", "qr", "--yes"]).text().contains('█'));
    assert!(export.export(&["--to", "svg", "--yes", "--output", "svg"]).code() == Some(0));
    assert_eq!(export.audited(), 8);
    assert_eq!(export.verify(&export.device.code(3)).code(), Some(0), "it goes on counting here");
}

#[test]
fn what_another_module_can_not_hold_is_named() {
    let export = Export::new();
    let libpam = export.export(&["--to", "libpam", "--yes"]);
    assert!(libpam.stderr.contains("scratch codes stay here"), "{}", libpam.stderr);
    let uri = export.export(&["--to", "uri", "--yes"]);
    assert_eq!(uri.stderr, "", "a device holds all of it");
}

#[test]
fn without_a_yes_nothing_is_shown() {
    let export = Export::new();
    let finished = export.export(&["--to", "uri"]);
    assert_eq!(finished.code(), Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("--yes") && finished.stdout.is_empty(), "{}", finished.stderr);
    let table = export.export(&["--to", "table", "--yes"]);
    assert_eq!(table.code(), Some(2), "a table shows no secrets: {}", table.stderr);
    let unknown = export.oathgate(&["export", "nobody", "--account", "daemon", "--to", "uri", "--yes"], b"");
    assert_eq!((unknown.code(), unknown.stdout.is_empty()), (Some(1), true));
    assert_eq!(export.audited(), 0);
}

#[test]
fn never_is_for_root_too() {
    let mut export = Export::new();
    export.service.stop();
    fs::write(export.service.folder().join("oathgate.toml"), "export = \"never\"\n").unwrap();
    export.service.resume();
    let finished = export.export(&["--to", "uri", "--yes"]);
    assert_eq!(finished.code(), Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains("never") && finished.stdout.is_empty(), "{}", finished.stderr);
}
