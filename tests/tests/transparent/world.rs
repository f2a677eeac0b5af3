//! One server, and two ways into it.

use std::cell::Cell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use oathgate_tests::gated::{Enrolled, Real};
use oathgate_tests::process::{Finished, Running, run};
use oathgate_tests::sshd::{Client, Session, Settings};

/// A plain key and one behind the gate, each over a connection that stays.
pub struct World {
    pub real: Real,
    pub alice: Enrolled,
    /// Each with a connection a session.
    direct: [Client; 2],
    /// Each with one connection for all.
    shared: [Client; 2],
    used: Cell<u64>,
    _masters: [Running; 2],
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Plain,
    Gated,
}

/// Both, for loops.
pub const BOTH: [Way; 2] = [Way::Plain, Way::Gated];

impl World {
    pub fn new() -> Self {
        Self::with(&Settings::default())
    }

    pub fn with(settings: &Settings) -> Self {
        let real = Real::with(settings);
        let alice = real.enrol("alice");
        let key = real.sshd.key("plain");
        real.sshd.authorise(&key, "restrict,pty");
        let direct = [real.sshd.client(&key), alice.client.clone()];
        let [(one, plain), (two, gated)] = direct.each_ref().map(Client::master);
        Self { real, alice, direct, shared: [plain, gated], used: Cell::new(0), _masters: [one, two] }
    }

    /// Who opens a connection each time. Over a shared one OpenSSH's client
    /// asks for a terminal without any modes where it has none itself.
    pub fn direct(&self, way: Way) -> &Client {
        &self.direct[way as usize]
    }

    /// Who opens only a session each time.
    pub fn shared(&self, way: Way) -> &Client {
        &self.shared[way as usize]
    }

    /// The next code.
    pub fn code(&self) -> String {
        self.alice.device.code(self.used.replace(self.used.get() + 1))
    }

    /// Puts a code where this way needs one.
    pub fn arm<'a>(&self, way: Way, command: &'a mut Command) -> &'a mut Command {
        match way {
            Way::Plain => command,
            Way::Gated => command.env("LC_OTP", self.code()),
        }
    }

    /// ssh without a terminal, ready to be started.
    pub fn ssh(&self, way: Way, remote: Option<&[u8]>) -> Command {
        let mut command = self.shared(way).ssh(&["-T"], remote.map(OsStr::from_bytes));
        self.arm(way, &mut command);
        command
    }

    /// A session on a terminal.
    pub fn session(&self, way: Way, remote: Option<&str>) -> Session {
        let mut command = self.direct(way).ssh(&["-tt"], remote.map(OsStr::new));
        Session::start(self.arm(way, command.env("TERM", "vt100")))
    }

    /// Runs `remote` without a terminal.
    pub fn run(&self, way: Way, remote: &[u8], input: &[u8]) -> Finished {
        run(&mut self.ssh(way, Some(remote)), input)
    }

    /// Runs `remote` both ways and checks that nothing differs.
    pub fn same(&self, remote: &[u8], input: &[u8]) -> Finished {
        let [plain, gated] = BOTH.map(|way| self.run(way, remote, input));
        assert_eq!(seen(&plain), seen(&gated), "{:.200?}", String::from_utf8_lossy(remote));
        gated
    }
}

/// What one can tell apart from outside.
pub fn seen(finished: &Finished) -> (Option<i32>, String, String) {
    (finished.code(), finished.stdout.escape_ascii().to_string(), finished.stderr.clone())
}
