//! A FIDO key without a token: an agent that signs as one would.

#![allow(clippy::expect_used)]

use std::fs;
use std::process::Command;

use crate::process::{PATIENCE, Running};
use crate::sshd::{Client, Key, Sshd};

/// The key, and the agent that holds it; ended when dropped.
pub struct Fido {
    /// The public half.
    pub key: Key,
    agent: String,
    _running: Running,
}

impl Fido {
    /// Makes one; says so where that can't be done.
    ///
    /// # Panics
    /// When the agent doesn't start.
    pub fn new(sshd: &Sshd) -> Option<Self> {
        let there = Command::new("/usr/bin/python3").args(["-c", "import cryptography"]).output();
        if !there.is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: needs python3-cryptography");
            return None;
        }
        let path = sshd.folder().join("fido");
        let agent = path.with_extension("agent");
        let running =
            Running::start(Command::new("/usr/bin/python3").args(["-c", include_str!("fido.py")]).arg(&agent));
        let public = running.stdout.expect("\n", PATIENCE);
        fs::write(path.with_extension("pub"), format!("{public}\n")).expect("our folder");
        let (fingerprint, _) = otp_core::Fingerprint::of_line(&public).expect("a public key");
        let key = Key { path, public, fingerprint: fingerprint.to_string() };
        Some(Self { key, agent: format!("IdentityAgent={}", agent.display()), _running: running })
    }

    /// Whoever holds the token.
    pub fn client(&self, sshd: &Sshd) -> Client {
        sshd.client(&self.key).option(&self.agent)
    }
}
