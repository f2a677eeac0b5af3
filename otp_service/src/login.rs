//! `begin` and `verify`: from what a front end says to one call of
//! [`otp_core::admit()`] or [`otp_core::decide()`].

use otp_core::decide::{Accepted, Admission, Attempt, Shown, Terms, admit, decide, decoy};
use otp_core::scratch::{Salt, ScratchHash};
use otp_core::{Account, CredentialId, Input, Owner, Record, Refusal, Verdict, door};
use otp_store::{AuditRow, Whose};
use otp_wire::message::{Outcome, Verify};
use otp_wire::{Ask, Login, SecretText};

use crate::access::Peer;
use crate::checked::{Checked, check, only};
use crate::lines;
use crate::scratch::{Busy, Hasher};
use crate::service::{Asked, Service, Stop};
use crate::transaction::{Decision, Pending};

impl Service {
    pub(crate) fn begin(&self, asked: &Asked, login: &Login) -> Result<Outcome, Stop> {
        let checked = self.check(asked, login)?;
        let account = &checked.login.account;
        let owner = self.store.owner_of_login(&checked.login)?;
        let record = self.store.read(owner.as_ref().unwrap_or(&Owner::nobody()))?;
        if owner.is_none() {
            let known = *account == Account::nobody() || self.store.knows(account)?;
            return if known {
                self.turn_away(asked, login, checked, Refusal::NotEnrolled)
            } else {
                Ok(Outcome::Absent { now: asked.now })
            };
        }
        let mut record = record.ok_or_else(|| Stop::Undecided("an owner without a record".to_owned()))?;
        self.bring_up(asked, &mut record)?;
        match admit(&record, account, checked.shown(), &checked.origin(), self.settings.limits, asked.now) {
            Admission::Pass | Admission::Granted => self.pass(asked, login, checked),
            Admission::Refuse(refusal) => self.turn_away(asked, login, checked, refusal),
            Admission::Ask { label, closed } => {
                let proven = checked.proven();
                Ok(Outcome::Ask {
                    label: label.filter(|_| proven).map(|label| label.to_string()),
                    line: closed.filter(|_| proven).map(|refusal| lines::told(refusal, checked.by_key())),
                })
            }
        }
    }

    /// Refuses before a code is asked for, and writes it down. Who has proven
    /// nothing is asked all the same and judged then: a row would tell by its
    /// time that there is nothing to judge.
    fn turn_away(&self, asked: &Asked, login: &Login, checked: Checked, refusal: Refusal) -> Result<Outcome, Stop> {
        if !checked.proven() {
            return Ok(checked.refused(refusal));
        }
        let row = AuditRow { reason: lines::reason(refusal).to_string(), ..audit_row(asked, login) };
        self.transact(asked, Whose::Login(checked.login.clone()), move |record| {
            let audit = vec![of_owner(row, record.as_ref())];
            Decision { record: None, audit, outcome: checked.refused(refusal) }
        })
    }

    /// Brings a record up to now, and remembers it: policies that have ended don't
    /// begin again when the clock is set back, and failures by a clock that was
    /// ahead don't shut a door until then.
    fn bring_up(&self, asked: &Asked, record: &mut Record) -> Result<(), Stop> {
        let (now, limits) = (asked.now, self.settings.limits);
        let what = match (record.end_policies(now), door::settle(record, limits, now)) {
            (true, _) => "a policy none has ended",
            (false, true) => "failures by a clock that was ahead count from now on",
            (false, false) => return Ok(()),
        };
        self.change(&asked.beside(), &record.owner, None, what.to_owned(), move |record| {
            let (ended, settled) = (record.end_policies(now), door::settle(record, limits, now));
            (ended || settled).then(String::new).ok_or_else(String::new)
        })?;
        Ok(())
    }

    /// Lets a key in whose policy asks for nothing, or that has a grant: decided
    /// and written down in one transaction, as every acceptance.
    fn pass(&self, asked: &Asked, login: &Login, checked: Checked) -> Result<Outcome, Stop> {
        let (now, limits, row) = (asked.now, self.settings.limits, audit_row(asked, login));
        self.transact(asked, Whose::Login(checked.login.clone()), move |record| {
            let (account, shown, origin) = (&checked.login.account, checked.shown(), checked.origin());
            let row = of_owner(row, record.as_ref());
            let admission = record.map(|record| admit(&record, account, shown, &origin, limits, now));
            let (verdict, reason, outcome) = match admission {
                Some(Admission::Pass) => ("accept", "policy none", Outcome::Pass {}),
                Some(Admission::Granted) => ("accept", "grant", Outcome::Pass {}),
                _ => ("refuse", "the policy has just changed", checked.refused(Refusal::NotEnrolled)),
            };
            Decision { record: None, audit: vec![AuditRow { verdict, reason: reason.to_owned(), ..row }], outcome }
        })
    }

    fn check(&self, asked: &Asked, login: &Login) -> Result<Checked, Stop> {
        check(asked, login, &self.accounts, &self.settings.delegates)
    }

    pub(crate) fn verify(&self, asked: &Asked, ask: &Verify) -> Result<Pending, Stop> {
        let (checked, only) = (self.check(asked, &ask.login)?, only(ask.credential.as_deref())?);
        let row = audit_row(asked, &ask.login);
        self.judge(asked, checked, only, &ask.code, row, |checked, verdict, _| {
            answer(verdict, |refusal| checked.refused(refusal))
        })
    }

    /// Judges a code and says what comes of it, by the record that is kept.
    pub(crate) fn judge(
        &self,
        asked: &Asked,
        checked: Checked,
        only: Option<CredentialId>,
        code: &SecretText,
        row: AuditRow,
        outcome: impl FnOnce(&Checked, Verdict, Option<&Record>) -> Outcome + Send + 'static,
    ) -> Result<Pending, Stop> {
        let whose = Whose::Login(checked.login.clone());
        let (input, hashes) = self.read_input(asked.peer, &whose, code)?;
        let (now, limits, connections) = (asked.now, self.settings.limits, self.settings.connection_grants);
        Ok(Pending::new(asked, whose, move |record| {
            let row = of_owner(row, record.as_ref());
            let (verdict, record) = match record {
                Some(record) => {
                    let (account, shown) = (&checked.login.account, checked.shown());
                    let (input, hashes, only) = (&input, hashes.as_slice(), only.as_ref());
                    let attempt = Attempt { account, shown, input, hashes, only, limits, terms: checked.terms };
                    let (verdict, mut record) = decide(record, &attempt, now);
                    if let Verdict::Accept(accepted) = &verdict {
                        checked.grant(&mut record, accepted, connections);
                    }
                    (verdict, Some(record))
                }
                None => (decoy(&input, now), None),
            };
            let audit = vec![judged(row, &verdict)];
            let used = digits(&checked, record.as_ref(), &verdict);
            let mut outcome = outcome(&checked, verdict, record.as_ref());
            if let Outcome::Accepted { digits, .. } = &mut outcome {
                *digits = used;
            }
            Decision { record, audit, outcome }
        }))
    }

    /// What was typed, with the hashes that a verdict may need.
    fn read_input(
        &self,
        peer: Peer,
        whose: &Whose,
        code: &SecretText,
    ) -> Result<(Input, Vec<(Salt, ScratchHash)>), Stop> {
        let input = Input::parse(code.expose().as_bytes());
        // Whether a hash is needed depends on what was typed alone, so nobody
        // learns from the time whether there is a record.
        if !Hasher::concerns(&input) {
            return Ok((input, vec![]));
        }
        let owner = match whose {
            Whose::Owner(owner) => Some(owner.clone()),
            Whose::Login(login) => self.store.owner_of_login(login)?,
        };
        let record = self.store.read(&owner.unwrap_or_else(Owner::nobody))?;
        let busy = |Busy| Stop::Undecided("too many scratch codes are waiting to be hashed".to_owned());
        let hashes = self.hasher.hashes(peer, &input, record.as_ref()).map_err(busy)?;
        Ok((input, hashes))
    }

    /// Demands a code of the owner's whom the request is about.
    pub(crate) fn authorise(&self, asked: &Asked, ask: &Ask, code: Option<&SecretText>) -> Result<(), Stop> {
        let (account, owner) = self.concerned(asked, ask)?;
        let owners = self.store.owners(Some(&account))?;
        let enrolling = matches!(ask, Ask::Enrol(_) | Ask::Import(_));
        if owners.is_empty() && enrolling && self.settings.self_enrol && self.is_new(owner.as_ref())? {
            return Ok(());
        }
        let owner = owner.filter(|owner| owners.contains(owner)).or_else(|| match owners.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        });
        let Some(owner) = owner else {
            return Err(Stop::Denied("Nothing of yours is enrolled in this account yet; ask root.".to_owned()));
        };
        let Some(code) = code else {
            return Err(Stop::CodeNeeded("A code of yours is needed for this.".to_owned()));
        };
        match self.spend(asked, &account, owner, code)? {
            Outcome::Accepted { .. } => Ok(()),
            Outcome::Refused { line, .. } => Err(Stop::CodeNeeded(line)),
            _ => Err(Stop::Undecided("the code could not be judged".to_owned())),
        }
    }

    /// Whether nothing was ever enrolled for this owner, in whatever account:
    /// scratch codes made for one would open the others.
    fn is_new(&self, owner: Option<&Owner>) -> Result<bool, Stop> {
        let record = owner.map(|owner| self.store.read(owner)).transpose()?.flatten();
        Ok(record.is_none_or(|record| record.credentials.is_empty() && record.scratch.is_empty()))
    }

    /// Judges a code that authorises a change, under a mark of its own.
    fn spend(&self, asked: &Asked, account: &Account, owner: Owner, code: &SecretText) -> Result<Outcome, Stop> {
        let asked = asked.beside();
        let login = Login { account: account.to_string(), service: "oathgate".to_owned(), ..Login::default() };
        let whose = Whose::Owner(owner.clone());
        let (input, hashes) = self.read_input(asked.peer, &whose, code)?;
        let (now, limits) = (asked.now, self.settings.limits);
        let (row, account) = (audit_row(&asked, &login), account.clone());
        self.transact(&asked, whose, move |record| {
            let record = record.unwrap_or_else(|| Record::new(owner));
            let row = of_owner(row, Some(&record));
            let (input, hashes) = (&input, hashes.as_slice());
            let (shown, terms) = (Shown::AnyEntry, Terms::default());
            let attempt = Attempt { account: &account, shown, input, hashes, only: None, limits, terms };
            let (verdict, record) = decide(record, &attempt, now);
            let audit = vec![judged(row, &verdict)];
            let refused =
                |refusal| Outcome::Refused { reason: lines::reason(refusal), line: lines::told(refusal, false) };
            Decision { record: Some(record), audit, outcome: answer(verdict, refused) }
        })
    }
}

/// How many of the digits behind a password were the code.
fn digits(checked: &Checked, record: Option<&Record>, verdict: &Verdict) -> Option<u8> {
    match verdict {
        Verdict::Accept(Accepted::Code { credential, .. }) if checked.terms.behind_password => {
            record?.credential(credential).map(|credential| credential.digits.get())
        }
        _ => None,
    }
}

/// The row with its owner, who is known only once the record is.
pub(crate) fn of_owner(row: AuditRow, record: Option<&Record>) -> AuditRow {
    AuditRow { owner: record.map(|record| record.owner.to_string()).unwrap_or_default(), ..row }
}

pub(crate) fn audit_row(asked: &Asked, login: &Login) -> AuditRow {
    AuditRow {
        account: lines::bounded(&login.account),
        service: lines::bounded(&login.service),
        key: lines::bounded(&login.keys.join(" ")),
        address: lines::bounded(login.address.as_deref().unwrap_or_default()),
        tty: lines::bounded(login.tty.as_deref().unwrap_or_default()),
        ..asked.row("refuse", "")
    }
}

pub(crate) fn judged(row: AuditRow, verdict: &Verdict) -> AuditRow {
    let (verdict, reason) = match verdict {
        Verdict::Accept(Accepted::Code { credential, .. }) => ("accept", format!("code of {credential}")),
        Verdict::Accept(Accepted::Scratch { left }) => ("accept", format!("scratch code, {left} left")),
        Verdict::Refuse(refusal) => ("refuse", lines::reason(*refusal).to_string()),
    };
    AuditRow { verdict, reason, ..row }
}

pub(crate) fn answer(verdict: Verdict, refused: impl FnOnce(Refusal) -> Outcome) -> Outcome {
    match verdict {
        Verdict::Accept(Accepted::Code { credential, label }) => Outcome::Accepted {
            credential: Some(credential.to_string()),
            label: Some(label.to_string()),
            scratch_left: None,
            digits: None,
        },
        Verdict::Accept(Accepted::Scratch { left }) => {
            Outcome::Accepted { credential: None, label: None, scratch_left: Some(left), digits: None }
        }
        Verdict::Refuse(refusal) => refused(refusal),
    }
}
