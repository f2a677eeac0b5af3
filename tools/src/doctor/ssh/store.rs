//! What the stores let pass that lines and stacks ask for a code: keys whose
//! policy is `none`, and grants that stand.

use otp_wire::message::EntryRow;

use crate::client::Client;
use crate::doctor::finding::{Finding, State};
use crate::doctor::without_code;
use crate::error::Failure;
use crate::list::owners;

/// Asks a store about logins to `account`. What nobody can be asked about is not seen.
pub fn judge(client: Result<Client<'_>, Failure>, account: &str) -> Vec<Finding> {
    let asked = client.and_then(|client| Ok((owners(&client, Some(account.to_owned()), None)?, client.call)));
    match asked {
        Ok((owners, call)) => {
            let entries = owners.iter().flat_map(|owner| &owner.entries);
            entries.filter(|entry| entry.account == account).flat_map(|entry| of_entry(entry, &call)).collect()
        }
        Err(failure) => vec![Finding { run: failure.hint, ..unseen(&failure.what) }],
    }
}

/// That it could not be looked at, and why.
pub fn unseen(why: &str) -> Finding {
    Finding::unseen(format!("which keys need no code was not looked at: {why}"))
}

fn of_entry(entry: &EntryRow, call: &str) -> Vec<Finding> {
    let mut findings: Vec<Finding> = without_code(entry, State::Bad, call).into_iter().collect();
    let who = entry.key.as_deref().unwrap_or("whoever has no key");
    for grant in &entry.grants {
        // One without an address is the connection's that was let in by a code.
        let Some(address) = &grant.address else { continue };
        let service = grant.service.as_ref().map_or_else(String::new, |service| format!(" by {service}"));
        let line = format!("{who} needs no code from {address}{service} for {} minutes", grant.left.div_ceil(60));
        let finding = Finding::warning(line);
        let back = |key| format!("{call} key grant {key} --revoke --account {}", entry.account);
        findings.push(Finding { run: entry.key.as_deref().map(back), ..finding });
    }
    findings
}

#[cfg(test)]
mod tests {
    use otp_wire::message::{GrantRow, Outcome};

    use super::*;
    use crate::testing::{KEY, Script, Typist, owner};

    #[test]
    fn keys_and_addresses_without_a_code_are_named() {
        let mut owner = owner();
        let grant = |address: Option<&str>| GrantRow { address: address.map(str::to_owned), service: None, left: 61 };
        owner.entries[0].grants = vec![grant(Some("192.0.2.7")), grant(None)];
        let mut rescue = owner.entries[0].clone();
        (rescue.policy, rescue.grants) = ("none".to_owned(), vec![]);
        let elsewhere = EntryRow { account: "bob".to_owned(), ..rescue.clone() };
        owner.entries.extend([rescue, elsewhere]);
        let (script, typist) = (Script::of([Outcome::Listing(vec![owner])]), Typist::default());
        let findings = judge(Ok(Client::of(&script, &typist)), "alice");
        let said: Vec<_> = findings.iter().map(|finding| (finding.state, finding.line.clone())).collect();
        let expected = [
            (State::Warning, format!("{KEY} needs no code from 192.0.2.7 for 2 minutes")),
            (State::Bad, format!("{KEY} comes into alice without a code, for ever")),
        ];
        assert_eq!(said, expected);
        assert_eq!(findings[0].run, Some(format!("oathgate key grant {KEY} --revoke --account alice")));
        assert_eq!(findings[1].run, Some(format!("oathgate key policy {KEY} code --account alice")));
        assert_eq!(script.asked()[0]["ask"]["list"]["account"], "alice");
    }

    #[test]
    fn a_verifier_that_does_not_answer_is_not_called_good() {
        let (script, typist) = (Script::default(), Typist::default());
        let findings = judge(Ok(Client::of(&script, &typist)), "alice");
        assert!(findings.len() == 1 && findings[0].state == State::Unseen, "{findings:?}");
    }
}
