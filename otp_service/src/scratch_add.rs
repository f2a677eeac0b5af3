//! `scratch_add`: scratch codes that exist already.

use otp_core::input::Input;
use otp_core::scratch::{HashedCode, Salt, ScratchHash, ScratchKind, ScratchSet};
use otp_core::{Record, UnixTime};
use otp_store::scratch_hash;
use otp_wire::SecretText;
use otp_wire::message::{Outcome, ScratchAdd};

use crate::scratch::{Hasher, scratch_code};
use crate::service::{Asked, Service, Stop};

/// At most so many codes are added at once.
const MAX_ADDED: usize = 20;
/// At most so many codes of a kind are kept, used ones counted.
const MAX_KEPT: usize = 40;

/// Hashed codes of one kind, under the salt of the set that they belong to.
struct Batch {
    kind: ScratchKind,
    salt: Salt,
    hashes: Vec<ScratchHash>,
}

impl Service {
    pub(crate) fn scratch_add(&self, asked: &Asked, ask: &ScratchAdd) -> Result<Outcome, Stop> {
        let account = self.own_account(asked.peer, &ask.account)?;
        let owner = self.owner_for(asked, &account, ask.owner.as_deref())?;
        let record = self.store.read(&owner)?;
        let record = record.ok_or_else(|| Stop::Invalid(format!("nothing is enrolled for {owner}")))?;
        let batches = batches(&self.hasher, &ask.codes, &record)?;
        let now = asked.now;
        self.change(asked, &owner, Some(&account), "added scratch codes".to_owned(), move |record| {
            let before = record.scratch_left();
            for batch in batches {
                add(record, batch, now)?;
            }
            let (left, owner) = (record.scratch_left(), &record.owner);
            match left - before {
                0 => Err(format!("{owner} has these scratch codes already")),
                added => Ok(format!("Added {added} scratch codes; {owner} has {left} now.")),
            }
        })
    }
}

/// Hashes them before the transaction: ours take some milliseconds each.
fn batches(hasher: &Hasher, codes: &[SecretText], record: &Record) -> Result<Vec<Batch>, Stop> {
    if !(1..=MAX_ADDED).contains(&codes.len()) {
        return Err(Stop::Invalid(format!("1 to {MAX_ADDED} scratch codes are added at once")));
    }
    let inputs: Vec<Input> = codes.iter().map(|code| Input::parse(code.expose().as_bytes())).collect();
    if let Some(place) = inputs.iter().position(|input| scratch_code(input).is_none()) {
        let number = place + 1;
        return Err(Stop::Invalid(format!(
            "number {number} is no scratch code: eight digits, or sixteen letters and digits 2 to 7; none was added"
        )));
    }
    let mut batches: Vec<Batch> = Vec::new();
    for (code, kind) in inputs.iter().filter_map(scratch_code) {
        let place = match batches.iter().position(|batch| batch.kind == kind) {
            Some(place) => place,
            None => {
                // One set of a kind, so that a login computes one hash.
                let set = record.scratch.iter().find(|set| set.kind == kind);
                let salt = set.map_or_else(scratch_hash::salt, |set| Ok(set.salt.clone()))?;
                batches.push(Batch { kind, salt, hashes: vec![] });
                batches.len() - 1
            }
        };
        if let Some(batch) = batches.get_mut(place) {
            batch.hashes.push(hasher.in_turn(kind, code, &batch.salt)?);
        }
    }
    Ok(batches)
}

/// Puts a batch into its set. What is there already, used or not, stays as it is.
fn add(record: &mut Record, batch: Batch, now: UnixTime) -> Result<(), String> {
    let Batch { kind, salt, hashes } = batch;
    if !record.scratch.iter().any(|set| set.kind == kind) {
        record.scratch.push(ScratchSet { kind, salt: salt.clone(), created: now, codes: vec![] });
    }
    let set = record.scratch.iter_mut().find(|set| set.kind == kind && set.salt == salt);
    let set = set.ok_or("new scratch codes were made meanwhile; try again")?;
    for hash in hashes {
        if set.codes.iter().all(|code| code.hash.0 != hash.0) {
            set.codes.push(HashedCode { hash, used: None });
        }
    }
    match set.codes.len() {
        0..=MAX_KEPT => Ok(()),
        many => Err(format!("{many} scratch codes of one kind, used ones counted; at most {MAX_KEPT} are kept")),
    }
}
