//! `status --users`: who has a code, when it was last used, and what is amiss.

use otp_wire::message::OwnerRow;
use otp_wire::syslog::escape;
use serde::Serialize;

use crate::client::Client;
use crate::clock;
use crate::error::Failure;
use crate::list::owners;
use crate::output::{Output, table};
use crate::passwd;
use crate::status::WEAK_BITS;

#[derive(Serialize)]
struct Users<'a> {
    users: Vec<User<'a>>,
    /// Accounts that people log in to, and that have no code.
    without: Vec<String>,
}

/// One owner at a glance.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct User<'a> {
    owner: &'a str,
    accounts: Vec<&'a str>,
    /// Active credentials.
    credentials: usize,
    last_used: Option<u64>,
    scratch_left: usize,
    locked: bool,
    /// Bits of the shortest active secret, where that is weak.
    weak: Option<usize>,
    /// Whether a last code was of a time in the future.
    ahead: bool,
}

impl<'a> User<'a> {
    fn of(owner: &'a OwnerRow) -> Self {
        let active = || owner.credentials.iter().filter(|credential| credential.state == "active");
        let mut accounts: Vec<&str> = owner.entries.iter().map(|entry| entry.account.as_str()).collect();
        accounts.sort_unstable();
        accounts.dedup();
        Self {
            owner: &owner.owner,
            accounts,
            credentials: active().count(),
            last_used: owner.credentials.iter().filter_map(|credential| credential.last_used).max(),
            scratch_left: owner.scratch_left,
            locked: owner.doors.iter().any(|door| door.state == "locked"),
            weak: active().map(|credential| credential.bits).min().filter(|bits| *bits < WEAK_BITS),
            ahead: active().any(|credential| credential.ahead.is_some()),
        }
    }

    fn amiss(&self) -> String {
        let mut amiss = Vec::new();
        if self.locked {
            amiss.push("locked".to_owned());
        }
        if self.credentials == 0 {
            amiss.push("no active code".to_owned());
        }
        if let Some(bits) = self.weak {
            amiss.push(format!("a weak secret ({bits} bits)"));
        }
        if self.scratch_left == 0 {
            amiss.push("no scratch codes left".to_owned());
        }
        if self.ahead {
            amiss.push("last used in the future".to_owned());
        }
        if amiss.is_empty() { "-".to_owned() } else { amiss.join(", ") }
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.owner.to_owned(),
            self.accounts.join(" "),
            self.credentials.to_string(),
            self.scratch_left.to_string(),
            self.last_used.map_or_else(|| "never".to_owned(), clock::minute),
            self.amiss(),
        ]
    }
}

/// Shows everybody that the caller may see.
///
/// # Errors
/// When it can't be read.
pub fn run(client: &Client, json: bool, out: &mut Output) -> Result<(), Failure> {
    let owners = owners(client, client.scope(None)?, None)?;
    let users: Vec<User<'_>> = owners.iter().map(User::of).collect();
    let without = if client.root { without(&accounts(), &users) } else { vec![] };
    if json {
        return out.json(&Users { users, without });
    }
    let rows: Vec<_> = users.iter().map(User::cells).collect();
    out.print(&table(&["WHO", "ACCOUNTS", "CODES", "SCRATCH", "LAST USED", "AMISS"], &rows))?;
    if !without.is_empty() {
        let line = format!("Without a code: {}", without.join(" "));
        out.line("")?;
        out.line(out.warning(&escape(&line)))?;
    }
    Ok(())
}

/// Those of the accounts in which nobody has an active code.
fn without(accounts: &[String], users: &[User<'_>]) -> Vec<String> {
    let has =
        |account: &&String| users.iter().any(|user| user.credentials > 0 && user.accounts.contains(&account.as_str()));
    accounts.iter().filter(|account| !has(account)).cloned().collect()
}

/// Accounts that people log in to.
fn accounts() -> Vec<String> {
    passwd::all().into_iter().filter(passwd::is_person).filter(passwd::logs_in).map(|person| person.name).collect()
}

#[cfg(test)]
mod tests {
    use otp_wire::message::{DoorRow, Outcome};

    use super::*;
    use crate::output::Style;
    use crate::testing::{Script, Typist, owner};

    #[test]
    fn what_is_amiss_is_seen_at_a_glance() {
        let mut owner = owner();
        assert_eq!(User::of(&owner).amiss(), "-");
        owner.scratch_left = 0;
        owner.credentials[1].bits = 80;
        (owner.credentials[0].last_used, owner.credentials[0].ahead) = (Some(1_709_164_800), Some(60));
        let (account, proof, state) = ("alice".to_owned(), "uid".to_owned(), "locked".to_owned());
        owner.doors.push(DoorRow { account, proof, failures: 100, state });
        let amiss = "locked, a weak secret (80 bits), no scratch codes left, last used in the future";
        let (script, typist, mut text) = (Script::of([Outcome::Listing(vec![owner])]), Typist::default(), Vec::new());
        run(&Client::of(&script, &typist), false, &mut Output::to(&mut text, Style::default())).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains(&format!("alice  alice     2      0        2024-02-29 00:00Z  {amiss}\n")), "{text}");
    }

    #[test]
    fn whoever_has_no_code_is_named() {
        let accounts = ["root", "alice"].map(str::to_owned);
        let mut owner = owner();
        assert_eq!(without(&accounts, &[User::of(&owner)]), ["root"]);
        owner.credentials.iter_mut().for_each(|credential| credential.state = "revoked".to_owned());
        assert_eq!(without(&accounts, &[User::of(&owner)]), ["root", "alice"]);
    }
}
