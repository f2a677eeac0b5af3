//! Volumes: the key of a LUKS key slot is kept here, and handed out for an
//! accepted code. A volume's record is one that no login leads to.

use otp_core::record::State;
use otp_core::{Account, Owner, Record, Secret, Verdict, Volume};
use otp_store::Whose;
use otp_wire::message::{DiskEnrol, DiskKey, Enrol, Outcome, Unseal, VolumeName};
use otp_wire::{Login, SecretText};

use crate::checked::{Checked, DISK_SERVICE};
use crate::enrol::{self, New, new_credential};
use crate::lines;
use crate::login::audit_row;
use crate::service::{Asked, Service, Stop};
use crate::transaction::Decision;

/// The shortest key of a key slot, in bits: nobody guesses it.
const MIN_BITS: usize = 256;

impl Service {
    /// Keeps the key of a volume's key slot.
    pub(crate) fn disk_key(&self, asked: &Asked, ask: &DiskKey) -> Result<Outcome, Stop> {
        let volume: Volume = ask.volume.parse().map_err(Stop::invalid)?;
        let key = Secret::from_base32(ask.key.expose()).map_err(Stop::invalid)?;
        if key.bits() < MIN_BITS {
            return Err(Stop::Invalid(format!("the key has {} bits; at least {MIN_BITS} are needed", key.bits())));
        }
        let owner = Owner::of_volume(&volume);
        let new = Some(Record::new(owner.clone()));
        let account = Account::of_volume(&volume);
        self.change_or_begin(asked, &owner, Some(&account), "a slot key is kept".to_owned(), new, move |record| {
            record.slot_key = Some(key);
            Ok(format!("The key of {volume} is kept."))
        })
    }

    /// A new credential for a volume.
    pub(crate) fn disk_enrol(&self, asked: &Asked, ask: &DiskEnrol) -> Result<Outcome, Stop> {
        let volume: Volume = ask.volume.parse().map_err(Stop::invalid)?;
        let (account, owner) = (Account::of_volume(&volume), Owner::of_volume(&volume));
        let credential = new_credential(&like_a_logins(ask), &account, asked.now)?;
        let enrolled = self.enrolled(&account, &owner, &credential, &[])?;
        let mut row = asked.row("change", format!("enrolled {}", credential.id));
        (row.account, row.owner) = (account.to_string(), owner.to_string());
        let new = New { account, key: None, note: None, credential, set: None };
        self.transact(asked, Whose::Owner(owner), move |record| {
            let kept = record.filter(|record| record.slot_key.is_some()).ok_or_else(|| no_key(&volume));
            match kept.and_then(|record| enrol::add(record, new)) {
                Ok(record) => {
                    let outcome = Outcome::Enrolled(Box::new(enrolled));
                    Decision { record: Some(record), audit: vec![row], outcome }
                }
                Err(line) => Decision { record: None, audit: vec![], outcome: Outcome::Invalid(line) },
            }
        })
    }

    /// Forgets a volume's key and revokes whatever opened it.
    pub(crate) fn disk_remove(&self, asked: &Asked, ask: &VolumeName) -> Result<Outcome, Stop> {
        let volume: Volume = ask.volume.parse().map_err(Stop::invalid)?;
        let (account, owner, at) = (Account::of_volume(&volume), Owner::of_volume(&volume), asked.now);
        if self.store.read(&owner)?.is_none() {
            return Err(Stop::Invalid(no_key(&volume)));
        }
        self.change(asked, &owner, Some(&account), "the slot key is forgotten".to_owned(), move |record| {
            let counting = record.credentials.iter_mut().filter(|each| !matches!(each.state, State::Revoked { .. }));
            counting.for_each(|credential| credential.state = State::Revoked { at });
            record.slot_key = None;
            Ok(format!("The key of {volume} is forgotten, and its credentials are revoked."))
        })
    }

    /// Judges a code for a volume, and hands out the key of its key slot.
    pub(crate) fn unseal(&self, asked: &Asked, ask: &Unseal) -> Result<Outcome, Stop> {
        let volume: Volume = ask.volume.parse().map_err(Stop::invalid)?;
        let checked = Checked::of_volume(&volume);
        let account = checked.account().to_string();
        let row = audit_row(asked, &Login { account, service: DISK_SERVICE.to_owned(), ..Login::default() });
        let outcome = move |_: &Checked, verdict, record: Option<&Record>| match verdict {
            Verdict::Accept(_) => unsealed(&volume, record),
            Verdict::Refuse(refusal) => {
                Outcome::Refused { reason: lines::reason(refusal), line: lines::told(refusal, false) }
            }
        };
        match &ask.next {
            None => self.wait(self.judge(asked, checked, None, &ask.code, row, outcome)?),
            Some(next) => self.judge_two(asked, checked, None, [&ask.code, next], row, outcome),
        }
    }
}

fn unsealed(volume: &Volume, record: Option<&Record>) -> Outcome {
    let key = record.and_then(|record| record.slot_key.as_ref());
    match key.and_then(|key| SecretText::new(&key.to_base32())) {
        Some(key) => Outcome::Unsealed(key),
        None => Outcome::Undecided(no_key(volume)),
    }
}

fn no_key(volume: &Volume) -> String {
    format!("no key of {volume} is kept here")
}

fn like_a_logins(ask: &DiskEnrol) -> Enrol {
    let DiskEnrol { label, kind, algorithm, digits, period, .. } = ask;
    Enrol {
        account: String::new(),
        owner: None,
        key: None,
        note: None,
        label: label.clone(),
        kind: kind.clone(),
        algorithm: algorithm.clone(),
        digits: *digits,
        period: *period,
        secret: None,
        scratch: false,
    }
}
