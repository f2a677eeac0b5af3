//! What changes a record beside a login: each one a function from a record to
//! a record, run in one transaction.

use otp_core::grant::{self, Grant, MAX_ADDRESS_SECONDS, Place};
use otp_core::record::{Door, Entry, MAX_ENTRIES, Policy, State};
use otp_core::{Account, Credential, CredentialId, Fingerprint, Label, Owner, Record, door};
use otp_store::Whose;
use otp_wire::message::{CredentialName, KeyAdd, KeyGrant, KeyName, KeyPolicy, Outcome, OwnerName, Rename, Unlock};
use otp_wire::{Ask, message};

use crate::access::Role;
use crate::checked::canonical;
use crate::enrol::{check_label, check_room, shown};
use crate::lines;
use crate::scratch;
use crate::service::{Asked, Service, Stop};
use crate::transaction::Decision;

/// What a change says when it was made, or why it wasn't.
type Changed = Result<String, String>;

impl Service {
    pub(crate) fn revoke(&self, asked: &Asked, name: &CredentialName) -> Result<Outcome, Stop> {
        let (owner, id) = self.named(asked, name)?;
        let now = asked.now;
        self.change(asked, &owner, None, format!("revoked {id}"), move |record| {
            let credential = record.credentials.iter_mut().find(|credential| credential.id == id);
            let credential = credential.ok_or_else(|| format!("no credential {id}"))?;
            if let State::Revoked { .. } = credential.state {
                return Err(format!("{id} is revoked already"));
            }
            credential.state = State::Revoked { at: now };
            Ok(format!("Revoked {id} ({}): its codes are refused from now on.", credential.label))
        })
    }

    /// Disables a credential, or enables it again.
    pub(crate) fn set_state(&self, asked: &Asked, name: &CredentialName, state: State) -> Result<Outcome, Stop> {
        let (owner, id) = self.named(asked, name)?;
        let (what, line) = match state {
            State::Active => ("enabled", "its codes count again"),
            _ => ("disabled", "its codes are refused until it is enabled again"),
        };
        self.change(asked, &owner, None, format!("{what} {id}"), move |record| {
            let credential = record.credential(&id).ok_or_else(|| format!("no credential {id}"))?;
            match credential.state {
                State::Revoked { .. } => return Err(format!("{id} is revoked, and stays so")),
                before if before == state => return Err(format!("{id} is {what} already")),
                _ => {}
            }
            if state == State::Active {
                // Others may have come in its place.
                check_label(record, &credential.label)?;
                let mut asking = record.entries.iter().filter(|entry| entry.credentials.contains(&id));
                asking.try_for_each(|entry| check_room(record, entry))?;
            }
            let credential = record.credentials.iter_mut().find(|credential| credential.id == id);
            let credential = credential.ok_or_else(|| format!("no credential {id}"))?;
            credential.state = state;
            let said = format!("{id} ({}) is {what}: {line}.", credential.label);
            // What its codes opened does not open again with it.
            record.grants.retain(|grant| grant.credential.as_ref() != Some(&id));
            Ok(said)
        })
    }

    pub(crate) fn rename(&self, asked: &Asked, ask: &Rename) -> Result<Outcome, Stop> {
        let name = CredentialName { account: ask.account.clone(), credential: ask.credential.clone() };
        let (owner, id) = self.named(asked, &name)?;
        let label: Label = ask.label.parse().map_err(Stop::invalid)?;
        self.change(asked, &owner, None, format!("renamed {id} to {label}"), move |record| {
            let revoked = |c: &Credential| matches!(c.state, State::Revoked { .. });
            let taken = |c: &Credential| c.id != id && !revoked(c) && c.label == label;
            if record.credentials.iter().any(taken) {
                return Err(format!("{} has a credential labelled {label} already", record.owner));
            }
            let credential = record.credentials.iter_mut().find(|credential| credential.id == id);
            let credential = credential.ok_or_else(|| format!("no credential {id}"))?;
            credential.label = label;
            Ok(format!("{id} is now called {}.", credential.label))
        })
    }

    pub(crate) fn unlock(&self, asked: &Asked, unlock: &Unlock) -> Result<Outcome, Stop> {
        let account = match Account::stored(&unlock.account) {
            Ok(account) if account.is_volume() && asked.peer.role == Role::Root => account,
            _ => self.own_account(asked.peer, &unlock.account)?,
        };
        let key = unlock.key.as_deref().map(fingerprint).transpose()?;
        let owners = self.store.owners(Some(&account))?;
        if owners.is_empty() {
            return Err(Stop::Invalid(format!("nothing is enrolled for {account}")));
        }
        let mut opened = Outcome::Done(format!("No door of {account} was shut."));
        for (number, owner) in owners.iter().enumerate() {
            // One transaction an owner, each under a mark of its own.
            let asked = asked.number(u32::try_from(number).map_err(Stop::invalid)?);
            let (inside, limits) = (account.clone(), self.settings.limits);
            let outcome = self.change(&asked, owner, Some(&account), "unlocked".to_owned(), move |record| {
                let these = |door: &Door| door.account == inside && concerns(&door.proof, key.as_ref());
                match door::open(record, limits, these) {
                    0 => Err(String::new()),
                    count => Ok(format!("Opened {count} door(s) for {}.", record.owner)),
                }
            })?;
            if matches!(outcome, Outcome::Done(_)) {
                opened = outcome;
            }
        }
        Ok(opened)
    }

    pub(crate) fn scratch_new(&self, asked: &Asked, name: &OwnerName) -> Result<Outcome, Stop> {
        let account = self.own_account(asked.peer, &name.account)?;
        let owner = self.owner_for(asked, &account, name.owner.as_deref())?;
        if self.store.read(&owner)?.is_none() {
            return Err(Stop::Invalid(format!("nothing is enrolled for {owner}")));
        }
        let (set, codes) = scratch::new_set(&self.hasher, asked.now)?;
        let mut row = asked.row("change", "new scratch codes");
        (row.account, row.owner) = (account.to_string(), owner.to_string());
        let codes = shown(&codes);
        self.transact(asked, Whose::Owner(owner), move |record| {
            let record = record.map(|record| Record { scratch: vec![set], ..record });
            Decision { record, audit: vec![row], outcome: Outcome::Scratch(codes) }
        })
    }

    pub(crate) fn key_add(&self, asked: &Asked, add: &KeyAdd) -> Result<Outcome, Stop> {
        let account = self.own_account(asked.peer, &add.account)?;
        let owner = self.owner_for(asked, &account, add.owner.as_deref())?;
        let key = fingerprint(&add.key)?;
        let note = add.note.as_deref().map(lines::bounded);
        let (names, inside) = (add.credentials.clone(), account.clone());
        let role = asked.peer.role;
        let new = Some(Record::new(owner.clone()));
        self.change_or_begin(asked, &owner, Some(&account), format!("added key {key}"), new, move |record| {
            if record.entry(&inside, Some(&key)).is_some() {
                return Err("this key is enrolled already".to_owned());
            }
            if record.entries.len() >= MAX_ENTRIES {
                return Err(format!("{} has {MAX_ENTRIES} keys already", record.owner));
            }
            let reached = |id: &_| role != Role::Account || record.is_reached_from(&inside, id);
            let credentials = credentials(record, &names, reached)?;
            record.entries.push(Entry {
                account: inside,
                key: Some(key),
                note,
                policy: Policy::Code,
                credentials,
                grant: None,
            });
            Ok(format!("Added {key}."))
        })
    }

    pub(crate) fn key_policy(&self, asked: &Asked, ask: &KeyPolicy) -> Result<Outcome, Stop> {
        let policy = match (ask.policy.as_str(), ask.until, ask.grant) {
            ("code", None, None | Some(1..=MAX_ADDRESS_SECONDS)) => Policy::Code,
            ("none", until, None) => Policy::None { until },
            ("code", Some(_), _) => return Err(Stop::invalid("only the policy none has an end")),
            ("code", None, Some(_)) => return Err(Stop::invalid("a grant is for a second to a day")),
            ("none", _, Some(_)) => return Err(Stop::invalid("only the policy code has grants")),
            _ => return Err(Stop::invalid("a policy is code or none")),
        };
        let what = format!("policy of {}: {}", lines::bounded(&ask.key), ask.policy);
        let grant = ask.grant;
        self.with_key(asked, &ask.account, &ask.key, what, move |entry| {
            (entry.policy, entry.grant) = (policy, grant);
            match policy {
                Policy::Code => "A code is asked for with this key.".to_owned(),
                Policy::None { .. } => "This key comes in without a code.".to_owned(),
            }
        })
    }

    pub(crate) fn key_grant(&self, asked: &Asked, ask: &KeyGrant) -> Result<Outcome, Stop> {
        let account = self.own_account(asked.peer, &ask.account)?;
        let key = fingerprint(&ask.key)?;
        let owner = self.store.owner_of(&account, Some(&key))?.ok_or_else(|| unknown_key(&account))?;
        let Some(to) = &ask.to else {
            let inside = account.clone();
            return self.change(
                asked,
                &owner,
                Some(&account),
                format!("took the grants of {key} back"),
                move |record| match grant::revoke(record, &inside, &key) {
                    0 => Err(format!("{key} has no grants")),
                    count => Ok(format!("Took {count} grant(s) of {key} back.")),
                },
            );
        };
        let address = canonical(&to.address).ok_or_else(|| Stop::invalid("a grant is for an IP address"))?;
        let boot = asked.boot.ok_or_else(|| Stop::invalid("without /proc there are no grants here"))?;
        if !(1..=MAX_ADDRESS_SECONDS).contains(&to.seconds) {
            return Err(Stop::invalid("a grant is for a second to a day"));
        }
        let what = format!("granted {key} logins from {address} for {} s", to.seconds);
        let (inside, until) = (account.clone(), boot.now.saturating_add(to.seconds));
        self.change(asked, &owner, Some(&account), what, move |record| {
            let line = format!("{key} needs no code from {address} for {} minutes.", (until - boot.now).div_ceil(60));
            let place = Place::Address(address);
            let (account, key) = (inside, Some(key));
            let grant = Grant { account, key, place, claimed_by: None, credential: None, boot: boot.id, until };
            grant::add(record, grant, boot);
            Ok(line)
        })
    }

    pub(crate) fn key_remove(&self, asked: &Asked, name: &KeyName) -> Result<Outcome, Stop> {
        let account = self.own_account(asked.peer, &name.account)?;
        let key = fingerprint(&name.key)?;
        let owner = self.store.owner_of(&account, Some(&key))?.ok_or_else(|| unknown_key(&account))?;
        let inside = account.clone();
        self.change(asked, &owner, Some(&account), format!("removed key {key}"), move |record| {
            record.entries.retain(|entry| entry.account != inside || entry.key != Some(key));
            grant::revoke(record, &inside, &key);
            Ok(format!("Removed {key}: it is refused from now on."))
        })
    }

    fn with_key(
        &self,
        asked: &Asked,
        account: &str,
        key: &str,
        what: String,
        change: impl FnOnce(&mut Entry) -> String + Send + 'static,
    ) -> Result<Outcome, Stop> {
        let account = self.own_account(asked.peer, account)?;
        let key = fingerprint(key)?;
        let owner = self.store.owner_of(&account, Some(&key))?.ok_or_else(|| unknown_key(&account))?;
        let inside = account.clone();
        self.change(asked, &owner, Some(&account), what, move |record| {
            let entry = record.entries.iter_mut().find(|entry| entry.account == inside && entry.key == Some(key));
            entry.map(change).ok_or_else(|| "this key is not enrolled".to_owned())
        })
    }

    /// Runs one change of an existing record and writes it into the audit.
    pub(crate) fn change(
        &self,
        asked: &Asked,
        owner: &Owner,
        account: Option<&Account>,
        what: String,
        change: impl FnOnce(&mut Record) -> Changed + Send + 'static,
    ) -> Result<Outcome, Stop> {
        self.change_or_begin(asked, owner, account, what, None, change)
    }

    /// The same, beginning with the record `new` where there is none.
    pub(crate) fn change_or_begin(
        &self,
        asked: &Asked,
        owner: &Owner,
        account: Option<&Account>,
        what: String,
        new: Option<Record>,
        change: impl FnOnce(&mut Record) -> Changed + Send + 'static,
    ) -> Result<Outcome, Stop> {
        let mut row = asked.row("change", what);
        row.owner = owner.to_string();
        row.account = account.map(ToString::to_string).unwrap_or_default();
        let nobody = format!("nothing is enrolled for {owner}");
        self.transact(asked, Whose::Owner(owner.clone()), move |record| {
            let changed =
                record.or(new).ok_or(nobody).and_then(|mut record| change(&mut record).map(|line| (record, line)));
            match changed {
                Ok((record, line)) => Decision { record: Some(record), audit: vec![row], outcome: Outcome::Done(line) },
                Err(line) => Decision { record: None, audit: vec![], outcome: Outcome::Invalid(line) },
            }
        })
    }

    /// The credential that is named by id or by label, and its owner. Others
    /// than root name credentials of their own account: an owner may have some
    /// that count elsewhere only.
    pub(crate) fn named(&self, asked: &Asked, name: &CredentialName) -> Result<(Owner, CredentialId), Stop> {
        let account = name.account.as_deref().map(|name| self.own_account(asked.peer, name)).transpose()?;
        let owners = match (&account, asked.peer.role) {
            (Some(account), _) => self.store.owners(Some(account))?,
            (None, Role::Root | Role::Owner) => match name.credential.parse() {
                Ok(id) => self.store.owner_of_credential(&id)?.into_iter().collect(),
                Err(_) => return Err(Stop::invalid("a label needs its account; or give the id")),
            },
            (None, Role::Account) => return Err(Stop::invalid("the account is missing")),
        };
        let mut found = Vec::new();
        for owner in owners {
            let Some(record) = self.store.read(&owner)? else { continue };
            let reached = |id: &CredentialId| match (&account, asked.peer.role) {
                (Some(account), Role::Account) => record.is_reached_from(account, id),
                _ => true,
            };
            found.extend(matching(&record, &name.credential).filter(reached).map(|id| (owner.clone(), id)));
        }
        match (found.pop(), found.is_empty()) {
            (Some(only), true) => Ok(only),
            (Some(_), false) => Err(Stop::invalid("several credentials have this label; give the id")),
            (None, _) => Err(Stop::Invalid(format!("no credential {:?}", lines::bounded(&name.credential)))),
        }
    }

    /// The account and the owner that a request is about, for its authorisation.
    pub(crate) fn concerned(&self, asked: &Asked, ask: &Ask) -> Result<(Account, Option<Owner>), Stop> {
        let missing = || Stop::invalid("the account is missing");
        let (account, owner) = match ask {
            Ask::Enrol(message::Enrol { account, owner, .. })
            | Ask::Import(message::Import { account, owner, .. })
            | Ask::ScratchNew(OwnerName { account, owner })
            | Ask::ScratchAdd(message::ScratchAdd { account, owner, .. })
            | Ask::KeyAdd(KeyAdd { account, owner, .. }) => (account, owner.as_deref().or(Some(account))),
            Ask::Revoke(name) | Ask::Disable(name) | Ask::Enable(name) => {
                (name.account.as_ref().ok_or_else(missing)?, None)
            }
            Ask::Export(export) => (export.account.as_ref().ok_or_else(missing)?, None),
            Ask::Rename(rename) => (rename.account.as_ref().ok_or_else(missing)?, None),
            Ask::SetBack(ask) => (ask.account.as_ref().ok_or_else(missing)?, None),
            Ask::KeyPolicy(KeyPolicy { account, .. })
            | Ask::KeyGrant(KeyGrant { account, .. })
            | Ask::KeyRemove(KeyName { account, .. })
            | Ask::Unlock(Unlock { account, .. }) => (account, None),
            Ask::Begin(_)
            | Ask::Verify(_)
            | Ask::Resync(_)
            | Ask::List(_)
            | Ask::Key(_)
            | Ask::Bulk(_)
            | Ask::Status {}
            | Ask::DiskKey(_)
            | Ask::DiskEnrol(_)
            | Ask::DiskRemove(_)
            | Ask::Unseal(_)
            | Ask::Audit(_) => return Err(missing()),
        };
        let account = self.own_account(asked.peer, account)?;
        let owner = match ask {
            Ask::Revoke(name) | Ask::Disable(name) | Ask::Enable(name) => Some(self.named(asked, name)?.0),
            Ask::Export(export) => Some(self.named_all(asked, export)?.0),
            Ask::Rename(Rename { account, credential, .. })
            | Ask::SetBack(message::SetBack { account, credential, .. }) => {
                let name = CredentialName { account: account.clone(), credential: credential.clone() };
                Some(self.named(asked, &name)?.0)
            }
            Ask::KeyPolicy(KeyPolicy { key, .. })
            | Ask::KeyGrant(KeyGrant { key, .. })
            | Ask::KeyRemove(KeyName { key, .. }) => self.store.owner_of(&account, Some(&fingerprint(key)?))?,
            _ => owner.map(str::parse).transpose().map_err(Stop::invalid)?,
        };
        Ok((account, owner))
    }
}

fn concerns(proof: &otp_core::Proof, key: Option<&Fingerprint>) -> bool {
    use otp_core::Proof::{ClaimedKey, Key};
    match (proof, key) {
        (_, None) => true,
        (Key(own) | ClaimedKey(own), Some(key)) => own == key,
        (_, Some(_)) => false,
    }
}

fn fingerprint(text: &str) -> Result<Fingerprint, Stop> {
    text.parse().map_err(Stop::invalid)
}

fn unknown_key(account: &Account) -> Stop {
    Stop::Invalid(format!("this key is not enrolled for {account}"))
}

/// Credentials of the record that carry this id or, while active, this label.
fn matching(record: &Record, name: &str) -> impl Iterator<Item = CredentialId> {
    let label: Option<Label> = name.parse().ok();
    let fits = |credential: &&Credential| {
        credential.id.as_str() == name
            || (credential.state == State::Active && label.as_ref() == Some(&credential.label))
    };
    record.credentials.iter().filter(fits).map(|credential| credential.id.clone()).collect::<Vec<_>>().into_iter()
}

/// The ids of the credentials that are named, of those that are reached.
fn credentials(
    record: &Record,
    names: &[String],
    reached: impl Fn(&CredentialId) -> bool,
) -> Result<Vec<CredentialId>, String> {
    let mut ids = Vec::new();
    for name in names {
        let id = matching(record, name).find(&reached);
        let id = id.ok_or_else(|| format!("{} has no credential {name:?}", record.owner))?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if ids.len() > otp_core::record::MAX_CREDENTIALS_A_DOOR {
        return Err(format!("at most {} credentials a key", otp_core::record::MAX_CREDENTIALS_A_DOOR));
    }
    Ok(ids)
}
