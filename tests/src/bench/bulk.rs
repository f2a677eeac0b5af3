//! A `users.oath` of a large site, imported while its people log in. Its
//! accounts are in a file that only the verifier sees in the place of
//! `/etc/passwd`, so root alone can measure it.

#![allow(clippy::expect_used, clippy::panic)]

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use oathgate_tests::built::bin;
use oathgate_tests::process::run;
use otp_wire::socket::timespec;
use otp_wire::{DEADLINE, Outcome, Request, SocketVerifier, Verifier};
use rustix::event::poll;
use serde_json::{Value, json};

use crate::numbers::{Series, round};
use crate::people::secret;
use crate::server::Server;

/// Rows, each for an account of its own.
pub const ROWS: usize = 100_000;
/// People who log in meanwhile, one after the other.
const CLIENTS: usize = 4;
/// How long each of them rests.
const REST: Duration = Duration::from_millis(5);

/// What was measured.
pub struct Bulk {
    pub took: Duration,
    /// Logins meanwhile.
    pub logins: Series,
}

impl Bulk {
    /// Imports; `None` where the caller isn't root.
    pub fn measure(account: &str, folder: &Path) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("a bulk import is not measured: not root");
            return None;
        }
        // Its real path: as root no link of somebody else's is followed.
        let folder = fs::canonicalize(folder).expect("our folder");
        write_site(&folder);
        let mut server = Server::with(account, 1_000);
        server.oathgated.stop();
        server.oathgated.resume_by(with_accounts(&folder));
        let ended = AtomicBool::new(false);
        let (mut logins, mut took) = (Series::default(), Duration::ZERO);
        thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|person| {
                    let (server, ended) = (&server, &ended);
                    scope.spawn(move || log_in(server, person, ended))
                })
                .collect();
            took = import(&server, &folder.join("users.oath"));
            ended.store(true, Ordering::SeqCst);
            clients.into_iter().for_each(|client| logins.append(client.join().expect("no panic there")));
        });
        Some(Self { took, logins })
    }

    pub fn print(&self) {
        println!(
            "\n{ROWS} rows of a users.oath in {:.1} s, while {CLIENTS} people logged in {} times: p99 {:.1} ms, at most {:.0} ms",
            self.took.as_secs_f64(),
            self.logins.count(),
            self.logins.p99() / 1000.0,
            self.logins.most() / 1000.0
        );
    }

    pub fn json(&self) -> Value {
        json!({
            "rows": ROWS, "seconds": self.took.as_secs_f64(), "logins_meanwhile": self.logins.json(),
            "logins_at_most_us": round(self.logins.most()),
        })
    }
}

/// The file, and the accounts in it.
fn write_site(folder: &Path) {
    let mut passwd = fs::read_to_string("/etc/passwd").expect("accounts");
    let mut users = String::new();
    for person in 0..ROWS {
        let hex = secret(person).expose().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let _ = writeln!(passwd, "bulk{person:07}:x:{}:65534::/nonexistent:/bin/sh", 1_000_000 + person);
        let _ = writeln!(users, "HOTP/T30\tbulk{person:07}\t-\t{hex}");
    }
    fs::write(folder.join("passwd"), passwd).expect("our folder");
    fs::write(folder.join("users.oath"), users).expect("our folder");
}

fn with_accounts(folder: &Path) -> Command {
    let mut command = Command::new("unshare");
    let script = "mount --bind \"$1\" /etc/passwd && shift && exec \"$@\"";
    command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]);
    command.arg(folder.join("passwd")).arg(bin("oathgated"));
    command
}

fn import(server: &Server, users: &Path) -> Duration {
    let mut command = Command::new(bin("oathgate"));
    command.arg("--socket").arg(server.oathgated.root_socket()).arg("import").arg(users).arg("--everybody");
    let start = Instant::now();
    let finished = run(&mut command, b"");
    let took = start.elapsed();
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
    assert!(finished.text().contains(&format!("{ROWS} people")), "{}", finished.text());
    took
}

fn log_in(server: &Server, person: usize, ended: &AtomicBool) -> Series {
    let verifier = SocketVerifier::new(&server.oathgated.root_socket(), vec![rustix::process::getuid().as_raw()]);
    let mut series = Series::default();
    while !ended.load(Ordering::SeqCst) {
        let ask = server.people.verify(person, server.people.login(person));
        let request: Request = Request::new(ask).expect("random numbers");
        let reply = series.time(|| verifier.ask(&request, Instant::now() + DEADLINE)).expect("an answer");
        assert!(matches!(reply.outcome, Outcome::Accepted { .. }), "{:?}", reply.outcome);
        let _ = poll(&mut [], Some(&timespec(REST)));
    }
    series
}
