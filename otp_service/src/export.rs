//! `export`: credentials with their secrets, once.

use otp_core::grant::Boot;
use otp_core::record::{Entry, Factor, State};
use otp_core::{Credential, CredentialId, Owner, Record};
use otp_store::{AuditRow, Whose};
use otp_wire::SecretText;
use otp_wire::message::{CredentialName, Export, Exported, ImportedFactor, Outcome};

use crate::access::Role;
use crate::report::entry_row;
use crate::service::{Asked, Service, Stop};
use crate::transaction::Decision;

/// At most so many credentials are exported at once.
const MAX_EXPORTED: usize = 20;

impl Service {
    pub(crate) fn export(&self, asked: &Asked, ask: &Export) -> Result<Outcome, Stop> {
        let (owner, ids) = self.named_all(asked, ask)?;
        let mut row = asked.row("change", "");
        row.owner = owner.to_string();
        row.account = ask.account.clone().unwrap_or_default();
        let (issuer, boot, role) = (self.settings.issuer.clone(), asked.boot, asked.peer.role);
        self.transact(asked, Whose::Owner(owner), move |record| {
            let exported = match &record {
                Some(record) => {
                    let shown = |entry: &&Entry| role != Role::Account || entry.account.as_str() == row.account;
                    ids.iter().map(|id| exported(record, id, &issuer, boot, shown)).collect()
                }
                None => Err("nothing is enrolled".to_owned()),
            };
            // The record stays as it is; only the audit is written.
            match exported {
                Ok(exported) => {
                    let audit = ids.iter().map(|id| AuditRow { reason: format!("exported {id}"), ..row.clone() });
                    Decision { record: None, audit: audit.collect(), outcome: Outcome::Exported(exported) }
                }
                Err(line) => Decision { record: None, audit: vec![], outcome: Outcome::Invalid(line) },
            }
        })
    }

    /// The credentials that are named, and the one owner whose they are.
    pub(crate) fn named_all(&self, asked: &Asked, ask: &Export) -> Result<(Owner, Vec<CredentialId>), Stop> {
        if !(1..=MAX_EXPORTED).contains(&ask.credentials.len()) {
            return Err(Stop::Invalid(format!("1 to {MAX_EXPORTED} credentials are exported at once")));
        }
        let mut found: Option<(Owner, Vec<CredentialId>)> = None;
        for credential in &ask.credentials {
            let name = CredentialName { account: ask.account.clone(), credential: credential.clone() };
            let (owner, id) = self.named(asked, &name)?;
            match &mut found {
                None => found = Some((owner, vec![id])),
                Some((first, _)) if *first != owner => {
                    return Err(Stop::invalid("they belong to several persons; export one person's at a time"));
                }
                Some((_, ids)) if ids.contains(&id) => {}
                Some((_, ids)) => ids.push(id),
            }
        }
        found.ok_or_else(|| Stop::invalid("no credential is named"))
    }
}

/// One of the record's credentials, with those of its entries that may be shown.
fn exported(
    record: &Record,
    id: &CredentialId,
    issuer: &str,
    boot: Option<Boot>,
    shown: impl Fn(&&Entry) -> bool,
) -> Result<Exported, String> {
    let credential = record.credential(id).ok_or_else(|| format!("no credential {id}"))?;
    // Elsewhere it would count again.
    match credential.state {
        State::Active => {}
        State::Disabled => return Err(format!("{id} is disabled; only what counts here is exported")),
        State::Revoked { .. } => return Err(format!("{id} is revoked; only what counts here is exported")),
    }
    let secret = SecretText::new(&credential.secret.to_base32());
    let here = record.entries.iter().filter(|entry| entry.credentials.contains(id)).filter(shown);
    Ok(Exported {
        owner: record.owner.to_string(),
        credential: id.to_string(),
        label: credential.label.to_string(),
        display: credential.display.clone(),
        issuer: issuer.to_owned(),
        secret: secret.ok_or_else(|| "its secret can't be shown".to_owned())?,
        algorithm: credential.algorithm.to_string(),
        digits: credential.digits.get(),
        factor: factor(credential),
        barred: credential.barred.is_some(),
        entries: here.map(|entry| entry_row(record, entry, boot)).collect(),
        scratch_left: record.scratch_left(),
        rate: (record.throttle.failures(), record.throttle.seconds()),
    })
}

fn factor(credential: &Credential) -> ImportedFactor {
    match credential.factor {
        Factor::Hotp { next } => ImportedFactor::Hotp { next },
        Factor::Totp { period, last_step, skew, window } => {
            ImportedFactor::Totp { period: period.get(), last_step, skew, window }
        }
    }
}
