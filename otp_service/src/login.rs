//! `begin` and `verify`: from what a front end says to one call of
//! [`otp_core::admit()`] or [`otp_core::decide()`].

use otp_core::decide::{Accepted, Admission, Attempt, Shown, admit, decide, decoy};
use otp_core::record::is_service;
use otp_core::resync::{Resync, resync};
use otp_core::scratch::{Salt, ScratchHash};
use otp_core::{Account, CredentialId, Fingerprint, Input, Owner, Record, Refusal, Verdict};
use otp_store::AuditRow;
use otp_wire::message::{self, MAX_KEYS, Outcome, Verify};
use otp_wire::{Ask, Login, SecretText};

use crate::access::Role;
use crate::account::{self, Found};
use crate::lines;
use crate::scratch::{Busy, Hasher};
use crate::service::{Asked, Decision, Service, Stop};

/// A login whose names have been checked.
struct Checked {
    /// `None` for an account that does not exist.
    account: Option<Account>,
    keys: Vec<Fingerprint>,
    service: String,
    fact: bool,
}

impl Checked {
    fn shown(&self) -> Shown<'_> {
        if self.fact {
            Shown::Fact { service: &self.service, keys: &self.keys }
        } else {
            Shown::Claim { key: self.keys.first().copied() }
        }
    }

    /// Whether a first factor was proven, so that the person is told why.
    fn proven(&self) -> bool {
        !self.fact || !self.keys.is_empty()
    }

    fn refused(&self, refusal: Refusal) -> Outcome {
        let line = if self.proven() { lines::told(refusal, !self.keys.is_empty()) } else { lines::NEUTRAL.to_owned() };
        Outcome::Refused { reason: lines::reason(refusal), line }
    }
}

impl Service {
    pub(crate) fn begin(&self, asked: &Asked, login: &Login) -> Result<Outcome, Stop> {
        let checked = check(asked, login)?;
        let Some(account) = checked.account.clone() else {
            return Ok(checked.refused(Refusal::NotEnrolled));
        };
        let Some(owner) = self.owner(&account, &checked)? else {
            let known = self.store.knows(&account)?;
            return Ok(if known { checked.refused(Refusal::NotEnrolled) } else { Outcome::Absent {} });
        };
        let record = self.store.read(&owner)?.ok_or_else(|| Stop::Undecided("an owner without a record".to_owned()))?;
        match admit(&record, &account, checked.shown(), self.settings.limits, asked.now) {
            Admission::Pass => self.pass(asked, login, checked, account, owner),
            Admission::Refuse(refusal) => Ok(checked.refused(refusal)),
            Admission::Ask { label, closed } => {
                let proven = checked.proven();
                Ok(Outcome::Ask {
                    label: label.filter(|_| proven).map(|label| label.to_string()),
                    line: closed.filter(|_| proven).map(|refusal| lines::told(refusal, !checked.keys.is_empty())),
                })
            }
        }
    }

    /// Lets a key in whose policy asks for nothing: decided and written down
    /// in one transaction, as every acceptance.
    fn pass(
        &self,
        asked: &Asked,
        login: &Login,
        checked: Checked,
        account: Account,
        owner: Owner,
    ) -> Result<Outcome, Stop> {
        let (now, limits, row) = (asked.now, self.settings.limits, audit_row(asked, login, Some(&owner)));
        self.transact(asked, Some(owner), move |record| {
            let admission = record.as_ref().map(|record| admit(record, &account, checked.shown(), limits, now));
            let (verdict, reason, outcome) = match admission {
                Some(Admission::Pass) => ("accept", "policy none", Outcome::Pass {}),
                _ => ("refuse", "the policy has just changed", checked.refused(Refusal::NotEnrolled)),
            };
            Decision { record: None, audit: vec![AuditRow { verdict, reason: reason.to_owned(), ..row }], outcome }
        })
    }

    pub(crate) fn verify(&self, asked: &Asked, ask: &Verify) -> Result<Outcome, Stop> {
        let (checked, owner, only) = self.attempted(asked, &ask.login, ask.credential.as_deref())?;
        let (input, hashes) = self.read_input(owner.as_ref(), &ask.code)?;
        let (now, limits, row) = (asked.now, self.settings.limits, audit_row(asked, &ask.login, owner.as_ref()));
        self.transact(asked, owner, move |record| {
            let (verdict, record) = match (&checked.account, record) {
                (Some(account), Some(record)) => {
                    let (input, hashes, only) = (&input, hashes.as_slice(), only.as_ref());
                    let attempt = Attempt { account, shown: checked.shown(), input, hashes, only, limits };
                    let (verdict, record) = decide(record, &attempt, now);
                    (verdict, Some(record))
                }
                _ => (decoy(&input, now), None),
            };
            let audit = vec![judged(row, &verdict)];
            let outcome = answer(verdict, |refusal| checked.refused(refusal));
            Decision { record, audit, outcome }
        })
    }

    /// Judges two consecutive codes, at the same door as a login.
    pub(crate) fn resync(&self, asked: &Asked, ask: &message::Resync) -> Result<Outcome, Stop> {
        let (checked, owner, only) = self.attempted(asked, &ask.login, ask.credential.as_deref())?;
        let [first, second] = &ask.codes;
        let codes = [first, second].map(|code| Input::parse(code.expose().as_bytes()));
        let (now, limits, row) = (asked.now, self.settings.limits, audit_row(asked, &ask.login, owner.as_ref()));
        self.transact(asked, owner, move |record| {
            let (verdict, record) = match (&checked.account, record) {
                (Some(account), Some(record)) => {
                    let codes = [&codes[0], &codes[1]];
                    let ask = Resync { account, shown: checked.shown(), codes, only: only.as_ref(), limits };
                    let (verdict, record) = resync(record, &ask, now);
                    (verdict, Some(record))
                }
                _ => (decoy(&codes[0], now), None),
            };
            let row = judged(row, &verdict);
            let audit = vec![AuditRow { reason: format!("resync: {}", row.reason), ..row }];
            Decision { record, audit, outcome: answer(verdict, |refusal| checked.refused(refusal)) }
        })
    }

    /// A login with its names checked, whose record it is judged on, and the
    /// one credential that counts, if one is named.
    fn attempted(
        &self,
        asked: &Asked,
        login: &Login,
        credential: Option<&str>,
    ) -> Result<(Checked, Option<Owner>, Option<CredentialId>), Stop> {
        let checked = check(asked, login)?;
        let only = credential.map(str::parse).transpose().map_err(Stop::invalid)?;
        let owner = match &checked.account {
            Some(account) => self.owner(account, &checked)?,
            None => None,
        };
        Ok((checked, owner, only))
    }

    /// What was typed, with the hashes that a verdict may need.
    fn read_input(&self, owner: Option<&Owner>, code: &SecretText) -> Result<(Input, Vec<(Salt, ScratchHash)>), Stop> {
        let input = Input::parse(code.expose().as_bytes());
        // Whether a hash is needed depends on what was typed alone, so nobody
        // learns from the time whether there is a record.
        let record = match owner {
            Some(owner) if Hasher::concerns(&input) => self.store.read(owner)?,
            _ => None,
        };
        let busy = |Busy| Stop::Undecided("too many scratch codes are waiting to be hashed".to_owned());
        let hashes = self.hasher.hashes(&input, record.as_ref()).map_err(busy)?;
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
        let mut mark = asked.mark;
        mark.id[0] ^= 0xff;
        let asked = Asked { mark, peer: asked.peer, now: asked.now };
        let login = Login { account: account.to_string(), service: "oathgate".to_owned(), ..Login::default() };
        let (input, hashes) = self.read_input(Some(&owner), code)?;
        let (now, limits) = (asked.now, self.settings.limits);
        let (row, account) = (audit_row(&asked, &login, Some(&owner)), account.clone());
        self.transact(&asked, Some(owner.clone()), move |record| {
            let record = record.unwrap_or_else(|| Record::new(owner));
            let (input, hashes) = (&input, hashes.as_slice());
            let attempt = Attempt { account: &account, shown: Shown::AnyEntry, input, hashes, only: None, limits };
            let (verdict, record) = decide(record, &attempt, now);
            let audit = vec![judged(row, &verdict)];
            let refused =
                |refusal| Outcome::Refused { reason: lines::reason(refusal), line: lines::told(refusal, false) };
            Decision { record: Some(record), audit, outcome: answer(verdict, refused) }
        })
    }

    /// Whose record a login is judged on. Several keys must lead to one owner.
    fn owner(&self, account: &Account, checked: &Checked) -> Result<Option<Owner>, Stop> {
        let unbound = || self.store.owner_of(account, None);
        if checked.keys.is_empty() {
            return Ok(unbound()?);
        }
        let mut found: Option<Owner> = None;
        for key in &checked.keys {
            let owner = match self.store.owner_of(account, Some(key))? {
                Some(owner) => Some(owner),
                None => unbound()?,
            };
            match (owner, &found) {
                (Some(owner), None) => found = Some(owner),
                (Some(owner), Some(before)) if &owner == before => {}
                _ => return Ok(None),
            }
        }
        Ok(found)
    }
}

fn check(asked: &Asked, login: &Login) -> Result<Checked, Stop> {
    let account = match account::find(asked.peer, &login.account).map_err(Stop::Undecided)? {
        Found::Account(account) => Some(account),
        Found::Unknown => None,
        Found::Foreign => return Err(Stop::Denied("That is another user's account.".to_owned())),
    };
    if login.keys.len() > MAX_KEYS {
        return Err(Stop::Invalid(format!("more than {MAX_KEYS} keys in one login")));
    }
    if !is_service(&login.service) {
        return Err(Stop::invalid("a service has 1 to 64 printable characters"));
    }
    let keys = login.keys.iter().map(|key| key.parse()).collect::<Result<_, _>>().map_err(Stop::invalid)?;
    Ok(Checked { account, keys, service: login.service.clone(), fact: asked.peer.role == Role::Root })
}

fn audit_row(asked: &Asked, login: &Login, owner: Option<&Owner>) -> AuditRow {
    AuditRow {
        account: lines::bounded(&login.account),
        owner: owner.map(ToString::to_string).unwrap_or_default(),
        service: lines::bounded(&login.service),
        key: lines::bounded(&login.keys.join(" ")),
        address: lines::bounded(login.address.as_deref().unwrap_or_default()),
        ..asked.row("refuse", "")
    }
}

fn judged(row: AuditRow, verdict: &Verdict) -> AuditRow {
    let (verdict, reason) = match verdict {
        Verdict::Accept(Accepted::Code { credential, .. }) => ("accept", format!("code of {credential}")),
        Verdict::Accept(Accepted::Scratch { left }) => ("accept", format!("scratch code, {left} left")),
        Verdict::Refuse(refusal) => ("refuse", lines::reason(*refusal).to_string()),
    };
    AuditRow { verdict, reason, ..row }
}

fn answer(verdict: Verdict, refused: impl FnOnce(Refusal) -> Outcome) -> Outcome {
    match verdict {
        Verdict::Accept(Accepted::Code { credential, label }) => Outcome::Accepted {
            credential: Some(credential.to_string()),
            label: Some(label.to_string()),
            scratch_left: None,
        },
        Verdict::Accept(Accepted::Scratch { left }) => {
            Outcome::Accepted { credential: None, label: None, scratch_left: Some(left) }
        }
        Verdict::Refuse(refusal) => refused(refusal),
    }
}
