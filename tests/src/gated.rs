//! Keys behind the gate: lines of authorized_keys with `ssh-otp` as their
//! command, and the real verifier with a code for each.

use std::path::Path;

use crate::built::bin;
use crate::oathgated::{Device, Oathgated, hotp};
use crate::sshd::{Client, Key, Settings, Sshd, id};

/// A server and the real verifier; every key has an owner of the same name.
pub struct Real {
    /// The server.
    pub sshd: Sshd,
    /// The verifier.
    pub service: Oathgated,
    /// Who logs in: the user who runs the tests.
    pub account: String,
}

/// A key behind the gate, with the device that shows its codes.
pub struct Enrolled {
    /// The key.
    pub key: Key,
    /// Who holds it.
    pub client: Client,
    /// What shows the codes.
    pub device: Device,
}

impl Real {
    /// With the usual server.
    #[allow(clippy::new_without_default)] // starts two servers
    pub fn new() -> Self {
        Self::with(&Settings::default())
    }

    /// With another one.
    pub fn with(settings: &Settings) -> Self {
        Self { sshd: Sshd::start(settings), service: Oathgated::start(), account: id("-un") }
    }

    /// A key that must pass the gate, and has no code yet.
    pub fn key(&self, name: &str) -> Key {
        let key = self.sshd.key(name);
        let arguments = format!("--key {} {}", key.fingerprint, socket(&self.service.root_socket()));
        self.sshd.authorise(&key, &line(&arguments));
        key
    }

    /// The same with an HOTP credential, and with scratch codes for a new owner.
    pub fn enrol(&self, name: &str) -> Enrolled {
        let key = self.key(name);
        let device = self.service.administrator().enrol(hotp(&self.account, name, Some(&key.fingerprint), name));
        Enrolled { client: self.sshd.client(&key), key, device }
    }
}

/// The options of a line in authorized_keys, as the documentation has them.
pub fn line(arguments: &str) -> String {
    format!("restrict,pty,command=\"exec {} {arguments}\"", bin("ssh-otp").display())
}

/// The arguments that name a socket on which this test's own uid answers.
pub fn socket(path: &Path) -> String {
    let user_store = if rustix::process::getuid().is_root() { "" } else { "--user-store" };
    format!("{user_store} --socket {}", path.display())
}
