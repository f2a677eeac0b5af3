//! Does the time of a refusal tell who is enrolled? A wrong code for accounts of
//! every kind, in turn, through root's socket.

#![allow(clippy::expect_used, clippy::panic)]

use oathgate_tests::oathgated::hotp;
use otp_wire::message::{Enrol, Reason, Unlock};
use otp_wire::{Ask, DEADLINE, Login, Outcome, Request, SecretText, SocketVerifier, Verifier, Verify};
use std::time::Instant;

use crate::numbers::Series;
use crate::server::Server;

/// As many digits as everybody's codes have.
const WRONG: &str = "731947";

/// One kind of account, and how long its refusals took.
pub struct Kind {
    pub name: &'static str,
    account: &'static str,
    reason: Reason,
    pub refusals: Series,
}

/// How far the medians are apart: the longest, in shortest ones.
pub fn spread(kinds: &[Kind]) -> f64 {
    let medians: Vec<f64> = kinds.iter().map(|kind| kind.refusals.median()).collect();
    medians.iter().copied().fold(0.0, f64::max) / medians.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Asks about each kind so many times.
pub fn run(server: &Server, rounds: usize) -> Vec<Kind> {
    let kind = |name, account, reason| Kind { name, account, reason, refusals: Series::default() };
    let mut kinds = [
        kind("enrolled", "daemon", Reason::Wrong),
        // The same again: what differs here is the machine's noise.
        kind("enrolled, another one", "lp", Reason::Wrong),
        kind("enrolled, counter-based", "bin", Reason::Wrong),
        kind("revoked only", "sys", Reason::Wrong),
        kind("throttled", "mail", Reason::Throttled),
        kind("not enrolled", "games", Reason::NotEnrolled),
        kind("no such account", "no-such-account", Reason::NotEnrolled),
    ];
    enrol(server);
    let verifier = SocketVerifier::new(&server.oathgated.root_socket(), vec![rustix::process::getuid().as_raw()]);
    for round in 0..rounds {
        // Whoever was guessed at three times is of another kind.
        forget(server, &kinds);
        // Who comes first changes, and with it what came before.
        let first = round % kinds.len();
        kinds.rotate_left(first);
        kinds.iter_mut().for_each(|kind| kind.refuse(&verifier));
        kinds.rotate_right(first);
    }
    kinds.into()
}

fn enrol(server: &Server) {
    let administrator = server.oathgated.administrator();
    for account in ["daemon", "lp", "sys", "mail"] {
        let device = administrator.enrol(Enrol { kind: "totp".to_owned(), ..hotp(account, account, None, "phone") });
        if account == "sys" {
            administrator.revoke(&device);
        }
    }
    administrator.enrol(hotp("bin", "bin", None, "token"));
}

fn forget(server: &Server, kinds: &[Kind]) {
    for kind in kinds.iter().filter(|kind| kind.reason == Reason::Wrong) {
        let unlock = Unlock { account: kind.account.to_owned(), key: None };
        let outcome = server.oathgated.administrator().ask(Ask::Unlock(unlock));
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }
}

impl Kind {
    /// Asks until it is refused for its own reason: who is to be throttled
    /// fails three times first, and again when that is over.
    fn refuse(&mut self, verifier: &SocketVerifier) {
        for _ in 0..8 {
            let login = Login { account: self.account.to_owned(), service: "su".to_owned(), ..Login::default() };
            let verify = Verify { login, code: SecretText::typed(WRONG.as_bytes()), credential: None };
            let request: Request = Request::new(Ask::Verify(verify)).expect("random numbers");
            let mut series = Series::default();
            let reply = series.time(|| verifier.ask(&request, Instant::now() + DEADLINE)).expect("an answer");
            match reply.outcome {
                Outcome::Refused { reason, .. } if reason == self.reason => return self.refusals.append(series),
                Outcome::Refused { reason: Reason::Wrong, .. } if self.reason == Reason::Throttled => {}
                other => panic!("{}: {other:?}", self.name),
            }
        }
        panic!("{} is never refused for its own reason", self.name);
    }
}
