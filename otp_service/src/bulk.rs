//! `bulk`: many people at once. They are staged line by line, while others log
//! in, and let in by one commit; where the peer goes away, nothing stays.

use std::collections::HashSet;

use otp_core::{Fingerprint, Owner, Record, UnixTime};
use otp_store::AuditRow;
use otp_store::bulk::{Arrival, Bulk, Fate, Judged, Newcomer};
use otp_wire::message::bulk::{MAX_PEOPLE, More, NotTaken};
use otp_wire::message::{Import, Outcome, Reply, RequestId, VERSION};
use otp_wire::{frame, passwd};
use zeroize::Zeroizing;

use crate::access::Peer;
use crate::account::{Found, Listed};
use crate::import::{Place, add_all, catch_up, credentials, give_labels, known, unnamed};
use crate::service::{Service, Stop, audit_row};
use crate::{harden, lines};

/// The peer's side of a conversation.
pub trait Lines {
    /// The next line, if it comes in time.
    fn read(&mut self) -> Option<Zeroizing<Vec<u8>>>;
    /// Answers; whether the peer is still there.
    fn write(&mut self, reply: &Reply) -> bool;
}

impl Service {
    /// Goes on with a peer whose request `id` was answered [`Outcome::Staged`].
    pub fn converse(&self, peer: Peer, id: &RequestId, with: &mut dyn Lines, now: UnixTime) {
        let mut staging = None;
        while let Some(line) = with.read() {
            let outcome = frame::decode(&line)
                .map_err(Stop::invalid)
                .and_then(|more| self.more(peer, &mut staging, more, now))
                .unwrap_or_else(Outcome::from);
            let goes_on = matches!(outcome, Outcome::Staged(_));
            if !(with.write(&Reply { v: VERSION, id: id.clone(), outcome }) && goes_on) {
                break;
            }
        }
        drop(staging);
        harden::wipe_stack();
    }

    fn more<'a>(
        &'a self,
        peer: Peer,
        staging: &mut Option<Staging<'a>>,
        more: More,
        now: UnixTime,
    ) -> Result<Outcome, Stop> {
        match (more, staging.take()) {
            (More::People(people), under_way) => {
                let begun = under_way.map_or_else(|| Staging::begin(self, peer, now), Ok)?;
                staging.insert(begun).people(people)
            }
            (More::Admit {}, Some(complete)) => complete.admit(),
            (More::Admit {}, None) => Err(Stop::invalid("nobody is in it")),
        }
    }
}

/// A bulk that is under way.
struct Staging<'a> {
    service: &'a Service,
    peer: Peer,
    now: UnixTime,
    bulk: Box<dyn Bulk + 'a>,
    accounts: Listed,
    /// Everybody in it.
    owners: HashSet<Owner>,
    /// How many of them come in, with how many credentials.
    taken: (u64, u64),
}

/// Somebody in a line, who may be in the bulk.
struct Candidate {
    account: String,
    credentials: u64,
    newcomer: Newcomer,
}

impl<'a> Staging<'a> {
    fn begin(service: &'a Service, peer: Peer, now: UnixTime) -> Result<Self, Stop> {
        let accounts = Listed::read(passwd::FILE.as_ref()).map_err(Stop::Undecided)?;
        let bulk = service.store.bulk()?;
        Ok(Self { service, peer, now, bulk, accounts, owners: HashSet::new(), taken: (0, 0) })
    }

    fn people(&mut self, people: Vec<Import>) -> Result<Outcome, Stop> {
        if !(1..=MAX_PEOPLE).contains(&people.len()) {
            return Err(Stop::Invalid(format!("1 to {MAX_PEOPLE} people stand in a line")));
        }
        let (mut not_taken, mut candidates) = (Vec::new(), Vec::new());
        for import in people {
            let account = lines::bounded(&import.account);
            match self.candidate(import, &account) {
                Ok(candidate) => candidates.push(candidate),
                Err(Stop::Invalid(reason)) => not_taken.push(NotTaken { account, known: false, reason }),
                Err(other) => return Err(other),
            }
        }
        let names: Vec<_> = candidates.iter().map(|one| (one.account.clone(), one.credentials)).collect();
        let fates = self.bulk.add(candidates.into_iter().map(|one| one.newcomer).collect())?;
        for ((account, credentials), fate) in names.into_iter().zip(fates) {
            let (known, reason) = match fate {
                Fate::Taken => {
                    self.taken = (self.taken.0 + 1, self.taken.1 + credentials);
                    continue;
                }
                Fate::Known => (true, "is enrolled already".to_owned()),
                Fate::Refused(reason) => (false, reason),
            };
            not_taken.push(NotTaken { account, known, reason });
        }
        Ok(Outcome::Staged(not_taken))
    }

    /// Somebody who may come in, as far as that can be told without a record.
    fn candidate(&mut self, import: Import, name: &str) -> Result<Candidate, Stop> {
        let account = match self.accounts.find(self.peer, &import.account).map_err(Stop::Undecided)? {
            Found::Account(account) => account,
            Found::Unknown | Found::Foreign => return Err(Stop::Invalid(format!("no account {name:?} on this host"))),
        };
        if !import.scratch.is_empty() {
            return Err(Stop::invalid("scratch codes come in one person at a time"));
        }
        let owner: Owner = import.owner.as_deref().unwrap_or(account.as_str()).parse().map_err(Stop::invalid)?;
        if !self.owners.insert(owner.clone()) {
            return Err(Stop::Invalid(format!("{owner} comes twice")));
        }
        let key: Option<Fingerprint> = import.key.as_deref().map(str::parse).transpose().map_err(Stop::invalid)?;
        let place = Place { account, key, note: import.note.as_deref().map(lines::bounded) };
        credentials(&import, &place.account, self.now)?;
        if import.rate.is_some() {
            return Err(Stop::invalid("a rate limit comes in with one person at a time"));
        }
        let (account, count) = (import.account.clone(), import.credentials.len() as u64);
        let name = owner.clone();
        let (row, now) = (audit_row(self.peer, self.now, "change"), self.now);
        let judge = Box::new(move |record| arrival(record, &name, &import, &place, (&row, now)));
        Ok(Candidate { account, credentials: count, newcomer: Newcomer { owner, judge } })
    }

    fn admit(self) -> Result<Outcome, Stop> {
        let (people, credentials) = self.taken;
        if people == 0 {
            return Err(Stop::invalid("nobody of them comes in"));
        }
        let reason = format!("bulk import: {credentials} staged credentials of {people} people count");
        let row = AuditRow { reason, ..audit_row(self.peer, self.now, "change") };
        self.bulk.admit(row.clone())?;
        self.service.tell(&row);
        Ok(Outcome::Done(format!("Imported {credentials} credentials of {people} people")))
    }
}

/// The record of somebody with what is imported, if anything of it is new.
fn arrival(
    record: Option<Record>,
    owner: &Owner,
    import: &Import,
    place: &Place,
    (row, now): (&AuditRow, UnixTime),
) -> Judged {
    let mut record = record.unwrap_or_else(|| Record::new(owner.clone()));
    let (mut new, mut names, mut caught_up) = (Vec::new(), Vec::new(), false);
    for (one, unnamed) in credentials(import, &place.account, now).map_err(Stop::text)?.into_iter().zip(unnamed(import))
    {
        match known(&record, &one)? {
            Some(_) => caught_up |= catch_up(&mut record, &one).is_some_and(|(moved, _)| moved),
            None => {
                new.push(one);
                names.push(unnamed);
            }
        }
    }
    if new.is_empty() && !caught_up {
        return Ok(None);
    }
    give_labels(&record, &mut new, &names);
    let row = AuditRow {
        account: place.account.to_string(),
        owner: owner.to_string(),
        key: place.key.map(|key| key.to_string()).unwrap_or_default(),
        ..row.clone()
    };
    let staged = |id| AuditRow { reason: format!("staged {id} of a bulk import"), ..row.clone() };
    let behind = caught_up.then(|| "staged: codes used elsewhere count as used".to_owned());
    let mut audit: Vec<AuditRow> = new.iter().map(|one| staged(&one.id)).collect();
    audit.extend(behind.map(|reason| AuditRow { reason, ..row.clone() }));
    add_all(record, new, place, None).map(|record| Some(Arrival { record, audit }))
}
