//! `enrol`: a new credential, its secret made here.

use otp_core::record::{Entry, Factor, MAX_CREDENTIALS, MAX_CREDENTIALS_A_DOOR, MAX_ENTRIES, Policy, State};
use otp_core::scratch::{ScratchCode, ScratchSet};
use otp_core::{
    Account, Algorithm, Credential, CredentialId, Digits, Fingerprint, Label, Owner, Period, Record, Secret, UnixTime,
};
use otp_store::Whose;
use otp_wire::SecretText;
use otp_wire::message::{Enrol, Enrolled, Outcome};

use crate::access::Role;
use crate::import::unknown;
use crate::lines;
use crate::scratch;
use crate::service::{Asked, Service, Stop};
use crate::transaction::Decision;

/// The shortest secret that may be brought along, in bits (RFC 4226 §4 R6).
const MIN_BITS: usize = 128;

/// A credential that is ready to be put into a record.
pub(crate) struct New {
    pub account: Account,
    pub key: Option<Fingerprint>,
    pub note: Option<String>,
    pub credential: Credential,
    pub set: Option<ScratchSet>,
}

impl Service {
    pub(crate) fn enrol(&self, asked: &Asked, ask: &Enrol) -> Result<Outcome, Stop> {
        let account = self.own_account(asked.peer, &ask.account)?;
        let owner = self.owner_for(asked, &account, ask.owner.as_deref())?;
        let credential = new_credential(ask, &account, asked.now)?;
        let (set, codes) = self.new_scratch(asked, ask, &owner)?;
        let key = ask.key.as_deref().map(str::parse).transpose().map_err(Stop::invalid)?;
        let note = ask.note.as_deref().map(lines::bounded);
        let enrolled = self.enrolled(&account, &owner, &credential, &codes)?;
        let new = New { account, key, note, credential, set };
        let mut row = asked.row("change", format!("enrolled {}", new.credential.id));
        row.account = new.account.to_string();
        row.owner = owner.to_string();
        row.key = key.map(|key: Fingerprint| key.to_string()).unwrap_or_default();
        self.transact(asked, Whose::Owner(owner.clone()), move |record| {
            let record = record.unwrap_or_else(|| Record::new(owner));
            match add(record, new) {
                Ok(record) => {
                    let outcome = Outcome::Enrolled(Box::new(enrolled));
                    Decision { record: Some(record), audit: vec![row], outcome }
                }
                Err(line) => Decision { record: None, audit: vec![], outcome: Outcome::Invalid(line) },
            }
        })
    }

    /// The owner that is named, where the peer may touch that owner's record.
    pub(crate) fn owner_for(&self, asked: &Asked, account: &Account, name: Option<&str>) -> Result<Owner, Stop> {
        let owner: Owner = name.unwrap_or(account.as_str()).parse().map_err(Stop::invalid)?;
        // A new owner's name is a claim, and that owner may log in elsewhere some day.
        let own = owner.as_str() == account.as_str() || self.store.owners(Some(account))?.contains(&owner);
        if asked.peer.role == Role::Account && !own {
            return Err(Stop::Denied(format!("{owner} has nothing enrolled in this account; ask root.")));
        }
        Ok(owner)
    }

    /// A set of scratch codes, where one is wanted and the owner has none left.
    fn new_scratch(
        &self,
        asked: &Asked,
        ask: &Enrol,
        owner: &Owner,
    ) -> Result<(Option<ScratchSet>, Vec<ScratchCode>), Stop> {
        let left = self.store.read(owner)?.map_or(0, |record| record.scratch_left());
        if !ask.scratch || left > 0 {
            return Ok((None, vec![]));
        }
        let (set, codes) = scratch::new_set(&self.hasher, asked.now)?;
        Ok((Some(set), codes))
    }

    pub(crate) fn enrolled(
        &self,
        account: &Account,
        owner: &Owner,
        credential: &Credential,
        codes: &[ScratchCode],
    ) -> Result<Enrolled, Stop> {
        let secret = SecretText::new(&credential.secret.to_base32());
        let (period, counter) = match credential.factor {
            Factor::Totp { period, .. } => (Some(period.get()), None),
            Factor::Hotp { next } => (None, Some(next)),
        };
        Ok(Enrolled {
            account: account.to_string(),
            owner: owner.to_string(),
            credential: credential.id.to_string(),
            label: credential.label.to_string(),
            issuer: self.settings.issuer.clone(),
            kind: credential.factor.kind().to_owned(),
            algorithm: credential.algorithm.to_string(),
            digits: credential.digits.get(),
            period,
            counter,
            secret: secret.ok_or_else(|| Stop::Undecided("a secret can't be shown".to_owned()))?,
            scratch: shown(codes),
        })
    }
}

/// Scratch codes as they are shown.
pub(crate) fn shown(codes: &[ScratchCode]) -> Vec<SecretText> {
    codes.iter().filter_map(|code| SecretText::new(&code.grouped())).collect()
}

pub(crate) fn new_credential(ask: &Enrol, account: &Account, now: UnixTime) -> Result<Credential, Stop> {
    let algorithm: Algorithm = ask.algorithm.parse().map_err(Stop::invalid)?;
    let factor = match (ask.kind.as_str(), ask.period) {
        ("hotp", None) => Factor::Hotp { next: 0 },
        ("totp", seconds) => {
            let period = Period::new(seconds.unwrap_or(Period::DEFAULT.get())).map_err(Stop::invalid)?;
            Factor::Totp { period, last_step: None, skew: 0, window: 1 }
        }
        ("hotp", Some(_)) => return Err(Stop::invalid("an HOTP credential has no period")),
        _ => return Err(Stop::invalid("the kind is totp or hotp")),
    };
    Ok(Credential {
        id: new_id()?,
        label: label(ask.label.as_deref(), account)?,
        display: None,
        algorithm,
        digits: Digits::new(ask.digits).map_err(Stop::invalid)?,
        secret: secret(ask.secret.as_ref(), algorithm)?,
        factor,
        created: now,
        confirmed: None,
        last_used: None,
        state: State::Active,
        barred: None,
    })
}

/// A random id.
pub(crate) fn new_id() -> Result<CredentialId, Stop> {
    let mut bits = [0; 5];
    getrandom::fill(&mut bits).map_err(|_| otp_store::Error::Random)?;
    Ok(CredentialId::from_random(bits))
}

/// The label that is asked for, or the account's name made to fit.
pub(crate) fn label(wanted: Option<&str>, account: &Account) -> Result<Label, Stop> {
    match wanted {
        Some(label) => label.parse().map_err(Stop::invalid),
        None => {
            let fits = |c: char| if c.is_ascii_alphanumeric() || "._@-".contains(c) { c } else { '-' };
            account.as_str().chars().take(64).map(fits).collect::<String>().parse().map_err(Stop::invalid)
        }
    }
}

/// The secret that is brought along, or a new one of the hash's own length
/// (RFC 6238 §5.1, RFC 4226 §4 R6).
fn secret(brought: Option<&SecretText>, algorithm: Algorithm) -> Result<Secret, Stop> {
    match brought {
        Some(text) => {
            let secret = Secret::from_base32(text.expose()).map_err(Stop::invalid)?;
            if secret.bits() < MIN_BITS {
                return Err(Stop::Invalid(format!(
                    "the secret has {} bits; at least {MIN_BITS} are needed",
                    secret.bits()
                )));
            }
            Ok(secret)
        }
        None => {
            let length = match algorithm {
                Algorithm::Sha1 => 20,
                Algorithm::Sha256 => 32,
                Algorithm::Sha512 => 64,
            };
            Secret::fill(length, |place| getrandom::fill(place).map_err(|_| NoRandom))
                .map_err(|NoRandom| Stop::Undecided(otp_store::Error::Random.to_string()))
        }
    }
}

struct NoRandom;

impl From<otp_core::secret::SecretError> for NoRandom {
    fn from(_: otp_core::secret::SecretError) -> Self {
        Self
    }
}

/// Puts a new credential into a record, if there is room for it and its secret is new.
pub(crate) fn add(mut record: Record, new: New) -> Result<Record, String> {
    unknown(&record, &new.credential)?;
    if record.credentials.len() >= MAX_CREDENTIALS {
        return Err(format!("{} has {MAX_CREDENTIALS} credentials already, revoked ones counted", record.owner));
    }
    check_label(&record, &new.credential.label)?;
    let id = new.credential.id.clone();
    let place = record.entries.iter().position(|entry| entry.account == new.account && entry.key == new.key);
    match place {
        Some(place) => {
            check_room(&record, &record.entries[place])?;
            record.entries[place].credentials.push(id);
        }
        None if record.entries.len() >= MAX_ENTRIES => {
            return Err(format!("{} has {MAX_ENTRIES} keys already", record.owner));
        }
        None => record.entries.push(Entry {
            account: new.account,
            key: new.key,
            note: new.note,
            policy: Policy::Code,
            credentials: vec![id],
            grant: None,
        }),
    }
    record.credentials.push(new.credential);
    if let Some(set) = new.set {
        record.scratch = vec![set];
    }
    Ok(record)
}

/// Whether another credential may have this label.
pub(crate) fn check_label(record: &Record, label: &Label) -> Result<(), String> {
    if active(record).any(|credential| credential.label == *label) {
        return Err(format!("{} has a credential labelled {label} already; choose another label", record.owner));
    }
    Ok(())
}

/// Whether another credential may open this entry's doors.
pub(crate) fn check_room(record: &Record, entry: &Entry) -> Result<(), String> {
    if active(record).filter(|credential| entry.credentials.contains(&credential.id)).count() >= MAX_CREDENTIALS_A_DOOR
    {
        return Err(format!("{MAX_CREDENTIALS_A_DOOR} credentials are asked there already; revoke one first"));
    }
    Ok(())
}

fn active(record: &Record) -> impl Iterator<Item = &Credential> {
    record.credentials.iter().filter(|credential| credential.state == State::Active)
}
