//! Somebody who logs in again and again, and never forgets what was spent.

use std::time::Instant;

use oathgate_tests::oathgated::{Administrator, Device, Oathgated, hotp};
use otp_wire::frame::MAX_LISTING;
use otp_wire::message::{AuditFilter, AuditRow, Reason};
use otp_wire::{Ask, DEADLINE, Error, Login, Outcome, Request, SecretText, SocketVerifier, Verifier, Verify};

/// Accounts that every system has.
pub const ACCOUNTS: [&str; 4] = ["daemon", "bin", "sys", "mail"];

/// A person with a counting token.
pub struct Person {
    pub account: String,
    pub device: Device,
    keys: Vec<String>,
    /// The next counter: every code before it is spent.
    pub next: u64,
    /// `next` and the newest row when the audit was looked at last.
    audited: (u64, i64),
}

/// What became of a code.
#[derive(Debug, PartialEq, Eq)]
pub enum Tried {
    Accepted,
    /// The last one that was spent.
    Spent,
    /// Another one: wrong, or older than the last one that was spent.
    Wrong,
    Undecided(String),
}

impl Person {
    pub fn enrol(administrator: &Administrator, account: &str) -> Self {
        Self::with(account, administrator.enrol(hotp(account, account, None, "phone")), None)
    }

    /// Somebody who has `device`, and logs in through `key`.
    pub fn with(account: &str, device: Device, key: Option<&str>) -> Self {
        let keys = key.into_iter().map(str::to_owned).collect();
        Self { account: account.to_owned(), device, keys, next: 0, audited: (0, 0) }
    }

    /// The code that was not spent yet, unless its answer got lost.
    pub fn code(&self) -> String {
        self.device.code(self.next)
    }

    /// Types the next code. One whose answer got lost is typed once more:
    /// either it counts now, or it was spent.
    pub fn log_in(&mut self, verifier: &dyn Verifier) -> Tried {
        let tried = self.try_code(verifier, self.next);
        assert_ne!(tried, Tried::Wrong, "{} {}", self.account, self.next);
        if !matches!(tried, Tried::Undecided(_)) {
            self.next += 1;
        }
        tried
    }

    /// Types the code of `counter`.
    pub fn try_code(&self, verifier: &dyn Verifier, counter: u64) -> Tried {
        match ask(verifier, self.verify(&self.device.code(counter))) {
            Ok(Outcome::Accepted { .. }) => Tried::Accepted,
            Ok(Outcome::Refused { reason: Reason::Replayed, .. }) => Tried::Spent,
            Ok(Outcome::Refused { reason: Reason::Wrong, .. }) => Tried::Wrong,
            // Without memory, the C library knows no accounts.
            Ok(Outcome::Refused { reason: Reason::NotEnrolled, line }) => Tried::Undecided(line),
            Ok(Outcome::Undecided(why)) => Tried::Undecided(why),
            Err(error) => Tried::Undecided(error.to_string()),
            Ok(other) => panic!("{} {counter}: {other:?}", self.account),
        }
    }

    /// This person's login.
    pub fn login(&self) -> Login {
        let (account, keys) = (self.account.clone(), self.keys.clone());
        Login { account, keys, service: "faults".to_owned(), ..Login::default() }
    }

    /// A login with `code`.
    fn verify(&self, code: &str) -> Ask {
        let login = self.login();
        Ask::Verify(Verify { login, code: SecretText::typed(code.as_bytes()), credential: None })
    }

    /// Checks what must hold once nothing fails any more: what was accepted is
    /// spent, and the next login works at once.
    ///
    /// # Panics
    /// When it does not hold; with `case`.
    pub fn recovers(&mut self, verifier: &dyn Verifier, case: &str) {
        let again = self.next.checked_sub(1).map(|last| self.try_code(verifier, last));
        assert!(matches!(again, None | Some(Tried::Spent | Tried::Wrong)), "{case}: a spent code: {again:?}");
        let lost = self.log_in(verifier);
        assert!(!matches!(lost, Tried::Undecided(_)), "{case}: {lost:?}");
        assert_eq!(self.log_in(verifier), Tried::Accepted, "{case}: a fresh code");
    }

    /// Checks that the audit has one row for each code that was spent since
    /// the last time.
    ///
    /// # Panics
    /// When it has not; with `case`.
    pub fn is_audited(&mut self, verifier: &dyn Verifier, case: &str) {
        let rows = audit(verifier, &self.account, "accept");
        let new = rows.iter().filter(|row| row.id > self.audited.1).count() as u64;
        assert_eq!(new, self.next - self.audited.0, "{case}: one row a code");
        self.audited = (self.next, rows.first().map_or(0, |row| row.id));
    }
}

/// Asks once.
pub fn ask(verifier: &dyn Verifier, ask: Ask) -> Result<Outcome, Error> {
    verifier.ask(&Request::new(ask).unwrap(), Instant::now() + DEADLINE).map(|reply| reply.outcome)
}

/// The audit of `account`, newest first.
///
/// # Panics
/// When it can't be read.
pub fn audit(verifier: &dyn Verifier, account: &str, verdict: &str) -> Vec<AuditRow> {
    let (account, verdict) = (Some(account.to_owned()), Some(verdict.to_owned()));
    let filter = AuditFilter { account, verdict, limit: 1000, ..AuditFilter::default() };
    match ask(verifier, Ask::Audit(filter)) {
        Ok(Outcome::Audit(rows)) => rows,
        other => panic!("{other:?}"),
    }
}

/// Root's socket of `service`.
pub fn root(service: &Oathgated) -> SocketVerifier {
    SocketVerifier::new(&service.root_socket(), vec![own()]).max_reply(MAX_LISTING)
}

/// Our own uid.
pub fn own() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// How many rounds; more of them in a soak.
pub fn rounds(usual: u64) -> u64 {
    std::env::var("OATHGATE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}
