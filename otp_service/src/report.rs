//! What is only read: `list`, `status`, `audit`. No secret is in any of it.

use otp_core::door;
use otp_core::grant::{self, Boot, Grant, Place};
use otp_core::record::{Door, Entry, Factor, Policy, State};
use otp_core::{Account, Credential, Limits, Owner, Record, UnixTime};
use otp_store::AuditFilter;
use otp_wire::message::{
    self, AuditRow, CredentialRow, DoorRow, EntryRow, GrantRow, KeyName, Outcome, OwnerRow, PAGE, Selection,
    StatusReport, StoreReport,
};

use crate::access::{Peer, Role};
use crate::account::{self, Found};
use crate::service::{Asked, Service, Stop};

/// The most audit rows in one answer.
const MAX_ROWS: u32 = 1000;

impl Service {
    pub(crate) fn list(&self, asked: &Asked, selection: &Selection) -> Result<Outcome, Stop> {
        let account = match (&selection.account, asked.peer.role) {
            (Some(name), _) => Some(self.own_account(asked.peer, name)?),
            (None, Role::Account) => return Err(Stop::invalid("the account is missing")),
            (None, Role::Root | Role::Owner) => None,
        };
        let owner = selection.owner.as_deref().map(Owner::stored).transpose().map_err(Stop::invalid)?;
        let after = selection.after.as_deref().map(Owner::stored).transpose().map_err(Stop::invalid)?;
        let owners = match owner {
            Some(owner) => vec![owner],
            None => self.store.owners_after(account.as_ref(), after.as_ref(), PAGE)?,
        };
        let whole = asked.peer.role != Role::Account;
        let mut rows = Vec::with_capacity(owners.len());
        for owner in owners {
            let record = self.store.read(&owner)?;
            let meant = |record: &Record| {
                account.as_ref().is_none_or(|account| record.entries.iter().any(|entry| entry.account == *account))
            };
            if let Some(record) = record.filter(meant) {
                // Others see what concerns their own account, and nothing else of its owners.
                rows.push(owner_row(&record, account.as_ref().filter(|_| !whole), self.settings.limits, asked));
            }
        }
        Ok(Outcome::Listing(rows))
    }

    /// Whether a key is enrolled for an account, whoever's that is.
    pub(crate) fn key(&self, name: &KeyName) -> Result<Outcome, Stop> {
        let root = Peer { uid: 0, role: Role::Root };
        let key = name.key.parse().map_err(Stop::invalid)?;
        let known = match account::find(root, &name.account).map_err(Stop::Undecided)? {
            Found::Account(account) => self.store.owner_of(&account, Some(&key))?.is_some(),
            Found::Unknown | Found::Foreign => false,
        };
        Ok(Outcome::Key(known))
    }

    pub(crate) fn status(&self, asked: &Asked) -> Result<Outcome, Stop> {
        // Others' logins are nobody's business, and all records are looked at for it.
        let store = (asked.peer.role != Role::Account).then(|| self.store_report(asked.now)).transpose()?;
        Ok(Outcome::Status(Box::new(StatusReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            time: asked.now,
            peer: asked.peer.role.name().to_owned(),
            store,
        })))
    }

    fn store_report(&self, now: UnixTime) -> Result<StoreReport, Stop> {
        let report = self.store.report(self.settings.limits, now)?;
        Ok(StoreReport {
            path: self.settings.place.clone(),
            schema: report.schema,
            bytes: report.bytes,
            owners: report.owners,
            entries: report.entries,
            audit: report.audit,
            locked: report.locked,
            ahead: report.ahead,
            sealing_key: self.keys.current(),
            older_key: report.older_key,
            reserve: report.reserve,
        })
    }

    pub(crate) fn audit(&self, filter: &message::AuditFilter) -> Result<Outcome, Stop> {
        let filter = AuditFilter {
            account: filter.account.clone(),
            key: filter.key.clone(),
            verdict: filter.verdict.clone(),
            since: filter.since,
            limit: filter.limit.clamp(1, MAX_ROWS),
        };
        let rows = self.store.audit(&filter)?.into_iter().map(audit_row).collect();
        Ok(Outcome::Audit(rows))
    }
}

fn owner_row(record: &Record, only: Option<&Account>, limits: Limits, asked: &Asked) -> OwnerRow {
    let (now, boot) = (asked.now, asked.boot);
    let concerns = |account: &Account| only.is_none_or(|only| only == account);
    let entries: Vec<&Entry> = record.entries.iter().filter(|entry| concerns(&entry.account)).collect();
    let asked = |credential: &&Credential| {
        only.is_none() || entries.iter().any(|entry| entry.credentials.contains(&credential.id))
    };
    OwnerRow {
        owner: record.owner.to_string(),
        credentials: record
            .credentials
            .iter()
            .filter(asked)
            .map(|credential| credential_row(credential, now))
            .collect(),
        entries: entries.iter().map(|entry| entry_row(record, entry, boot)).collect(),
        scratch_left: record.scratch_left(),
        scratch_made: record.scratch.iter().map(|set| set.codes.len()).sum(),
        doors: record
            .doors
            .iter()
            .filter(|door| concerns(&door.account))
            .map(|door| door_row(record, door, limits, now))
            .collect(),
    }
}

fn credential_row(credential: &Credential, now: UnixTime) -> CredentialRow {
    CredentialRow {
        id: credential.id.to_string(),
        label: credential.label.to_string(),
        kind: credential.factor.kind().to_owned(),
        algorithm: credential.algorithm.to_string(),
        digits: credential.digits.get(),
        period: match credential.factor {
            Factor::Totp { period, .. } => Some(period.get()),
            Factor::Hotp { .. } => None,
        },
        bits: credential.secret.bits(),
        created: credential.created,
        confirmed: credential.confirmed,
        last_used: credential.last_used,
        state: match credential.state {
            State::Active => "active",
            State::Disabled => "disabled",
            State::Revoked { .. } => "revoked",
        }
        .to_owned(),
        ahead: credential.factor.ahead(now).filter(|_| credential.state == State::Active),
    }
}

pub(crate) fn entry_row(record: &Record, entry: &Entry, boot: Option<Boot>) -> EntryRow {
    let here = |grant: &&Grant| grant.account == entry.account && grant.key == entry.key;
    let (policy, until) = match entry.policy {
        Policy::Code => ("code", None),
        Policy::None { until } => ("none", until),
    };
    EntryRow {
        account: entry.account.to_string(),
        key: entry.key.map(|key| key.to_string()),
        note: entry.note.clone(),
        policy: policy.to_owned(),
        until,
        credentials: entry.credentials.iter().map(ToString::to_string).collect(),
        grant: entry.grant,
        grants: grant::holding(record, boot).filter(here).map(|grant| grant_row(grant, boot)).collect(),
    }
}

fn grant_row(grant: &Grant, boot: Option<Boot>) -> GrantRow {
    let service = match &grant.place {
        Place::Grace { service, .. } => Some(service.clone()),
        Place::Address(_) | Place::Connection(_) => None,
    };
    let address = grant.place.address().map(str::to_owned);
    GrantRow { address, service, left: boot.map_or(0, |boot| grant.until.saturating_sub(boot.now)) }
}

fn door_row(record: &Record, door: &Door, limits: Limits, now: UnixTime) -> DoorRow {
    DoorRow {
        account: door.account.to_string(),
        proof: door.proof.to_string(),
        failures: door.failures,
        state: door::state(&record.doors, door, (limits, record.throttle), now).to_owned(),
    }
}

fn audit_row(row: otp_store::AuditRow) -> AuditRow {
    AuditRow {
        id: row.id,
        at: row.at,
        verdict: row.verdict.to_owned(),
        reason: row.reason,
        account: row.account,
        owner: row.owner,
        service: row.service,
        key: row.key,
        address: row.address,
        tty: row.tty,
        peer: row.peer,
        claimed: row.claimed,
        count: row.count,
        until: row.until,
    }
}
