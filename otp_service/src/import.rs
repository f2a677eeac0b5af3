//! `import`: credentials that another program made, all of them or none.

use otp_core::door::Throttle;
use otp_core::otp::Period;
use otp_core::record::{Factor, MAX_CREDENTIALS_A_DOOR, State};
use otp_core::scratch::{HashedCode, ScratchKind, ScratchSet};
use otp_core::{Account, Credential, Digits, Fingerprint, Label, Record, Secret, UnixTime};
use otp_store::{AuditRow, Whose, scratch_hash};
use otp_wire::SecretText;
use otp_wire::message::{Import, Imported, ImportedFactor, Outcome};

use crate::access::{Peer, Role};
use crate::enrol::{New, add, label, new_id};
use crate::lines;
use crate::service::{Asked, Service, Stop};
use crate::transaction::Decision;

/// The shortest secret that is taken without being insisted on, in bits: what
/// google-authenticator made for years.
const MIN_BITS: usize = 80;
/// Shorter ones are taken with a warning, in bits (RFC 4226 §4 R6).
const SHORT_BITS: usize = 128;
/// The widest window, in steps before and after (the codec's own limit).
const MAX_WINDOW: u8 = 8;
/// At most so many scratch codes come along.
const MAX_SCRATCH: usize = 20;

impl Service {
    pub(crate) fn import(&self, asked: &Asked, ask: &Import) -> Result<Outcome, Stop> {
        let account = self.own_account(asked.peer, &ask.account)?;
        let owner = self.owner_for(asked, &account, ask.owner.as_deref())?;
        if ask.allow_weak && asked.peer.role == Role::Account {
            return Err(Stop::Denied("Only root may import a secret of fewer than 80 bits.".to_owned()));
        }
        let key: Option<Fingerprint> = ask.key.as_deref().map(str::parse).transpose().map_err(Stop::invalid)?;
        let place = Place { account, key, note: ask.note.as_deref().map(lines::bounded) };
        let unnamed = unnamed(ask);
        let mut credentials = credentials(ask, &place.account, asked.now)?;
        let set = scratch_set(&ask.scratch, asked.now)?;
        let throttle = throttle(asked.peer, ask)?;
        let mut row = asked.row("change", "");
        row.account = place.account.to_string();
        row.owner = owner.to_string();
        row.key = key.map(|key| key.to_string()).unwrap_or_default();
        self.transact(asked, Whose::Owner(owner.clone()), move |record| {
            let mut record = record.unwrap_or_else(|| Record::new(owner));
            record.throttle = throttle.unwrap_or(record.throttle);
            if let Some(line) = caught_up(&mut record, &credentials) {
                let audit = vec![AuditRow { reason: "import: codes used elsewhere count as used".to_owned(), ..row }];
                return Decision { record: Some(record), audit, outcome: Outcome::Done(line) };
            }
            give_labels(&record, &mut credentials, &unnamed);
            let done = done(&credentials, &place);
            let rows = credentials.iter().map(|new| AuditRow { reason: format!("imported {}", new.id), ..row.clone() });
            let audit = rows.collect();
            match add_all(record, credentials, &place, set) {
                Ok(record) => Decision { record: Some(record), audit, outcome: Outcome::Done(done) },
                Err(line) => Decision { record: None, audit: vec![], outcome: Outcome::Invalid(line) },
            }
        })
    }
}

/// The throttle that comes along. Others than root get no easier one by a file
/// that they wrote themselves.
pub(crate) fn throttle(peer: Peer, ask: &Import) -> Result<Option<Throttle>, Stop> {
    let bad = || Stop::invalid("a rate limit is 1 to 100 failures in 1 to 3600 seconds");
    let given = ask.rate.map(|(failures, seconds)| Throttle::new(failures, seconds).ok_or_else(bad)).transpose()?;
    Ok(given.filter(|_| peer.role != Role::Account))
}

/// Which of the credentials came without a label.
pub(crate) fn unnamed(ask: &Import) -> Vec<bool> {
    ask.credentials.iter().map(|imported| imported.label.is_none()).collect()
}

/// Gives those that came without a label one that is free.
pub(crate) fn give_labels(record: &Record, credentials: &mut [Credential], unnamed: &[bool]) {
    let active = record.credentials.iter().filter(|known| known.state == State::Active);
    let mut taken: Vec<Label> = active.map(|known| known.label.clone()).collect();
    for (credential, unnamed) in credentials.iter_mut().zip(unnamed) {
        if *unnamed {
            credential.label = free(&credential.label, &taken);
        }
        taken.push(credential.label.clone());
    }
}

/// The label, or with a number behind it where it is taken.
fn free(label: &Label, taken: &[Label]) -> Label {
    let numbered = (2..=99).filter_map(|number| {
        let end = format!("-{number}");
        let head: String = label.to_string().chars().take(64 - end.len()).collect();
        (head + &end).parse().ok()
    });
    let all = std::iter::once(label.clone()).chain(numbered);
    // Where none is free, the taken one is refused.
    all.into_iter().find(|label| !taken.contains(label)).unwrap_or_else(|| label.clone())
}

/// Where the credentials count.
pub(crate) struct Place {
    pub account: Account,
    pub key: Option<Fingerprint>,
    pub note: Option<String>,
}

/// The credentials that are asked for, as they would stand in a record.
pub(crate) fn credentials(ask: &Import, account: &Account, now: UnixTime) -> Result<Vec<Credential>, Stop> {
    if !(1..=MAX_CREDENTIALS_A_DOOR).contains(&ask.credentials.len()) {
        return Err(Stop::Invalid(format!("1 to {MAX_CREDENTIALS_A_DOOR} credentials are imported at once")));
    }
    ask.credentials.iter().map(|imported| credential(imported, ask.allow_weak, account, now)).collect()
}

fn credential(imported: &Imported, allow_weak: bool, account: &Account, now: UnixTime) -> Result<Credential, Stop> {
    let secret = Secret::from_base32(imported.secret.expose()).map_err(Stop::invalid)?;
    if secret.bits() < MIN_BITS && !allow_weak {
        let bits = secret.bits();
        return Err(Stop::Invalid(format!("a secret has {bits} bits; fewer than {MIN_BITS} only with --allow-weak")));
    }
    Ok(Credential {
        id: new_id()?,
        label: label(imported.label.as_deref(), account)?,
        display: imported.display.as_deref().map(|text| lines::bounded(text).chars().take(64).collect()),
        algorithm: imported.algorithm.parse().map_err(Stop::invalid)?,
        digits: Digits::new(imported.digits).map_err(Stop::invalid)?,
        secret,
        factor: factor(imported.factor)?,
        created: now,
        confirmed: None,
        last_used: None,
        state: State::Active,
        barred: None,
    })
}

fn factor(imported: ImportedFactor) -> Result<Factor, Stop> {
    match imported {
        ImportedFactor::Hotp { next: u64::MAX } => Err(Stop::invalid("the counter is at its end")),
        ImportedFactor::Hotp { next } => Ok(Factor::Hotp { next }),
        ImportedFactor::Totp { window: 9.., .. } => {
            Err(Stop::Invalid(format!("a window has at most {MAX_WINDOW} steps before and after")))
        }
        ImportedFactor::Totp { period, last_step, skew, window } => {
            let period = Period::new(period).map_err(Stop::invalid)?;
            Ok(Factor::Totp { period, last_step, skew, window })
        }
    }
}

fn scratch_set(codes: &[SecretText], now: UnixTime) -> Result<Option<ScratchSet>, Stop> {
    if codes.is_empty() {
        return Ok(None);
    }
    if codes.len() > MAX_SCRATCH {
        return Err(Stop::Invalid(format!("at most {MAX_SCRATCH} scratch codes are imported")));
    }
    let salt = scratch_hash::salt()?;
    let mut set = ScratchSet { kind: ScratchKind::EightDigits, salt, created: now, codes: vec![] };
    for code in codes {
        let digits = code.expose().as_bytes();
        if digits.len() != 8 || !digits.iter().all(u8::is_ascii_digit) {
            return Err(Stop::invalid("an imported scratch code has eight digits"));
        }
        set.codes.push(HashedCode { hash: scratch_hash::hash(set.kind, digits, &set.salt)?, used: None });
    }
    Ok(Some(set))
}

/// Refuses a secret that the owner has: a code would count twice, and a
/// revoked secret would come back.
pub(crate) fn unknown(record: &Record, new: &Credential) -> Result<(), String> {
    match known(record, new)? {
        None => Ok(()),
        Some(same) => Err(format!("{} has this secret already as {} ({})", record.owner, same.label, same.id)),
    }
}

/// The owner's credential of this secret; one that was revoked is refused.
pub(crate) fn known<'a>(record: &'a Record, new: &Credential) -> Result<Option<&'a Credential>, String> {
    match record.credentials.iter().find(|known| known.secret == new.secret) {
        Some(Credential { state: State::Revoked { .. }, label, id, .. }) => {
            Err(format!("{} has this secret already, revoked, as {label} ({id})", record.owner))
        }
        found => Ok(found),
    }
}

/// Counts as used what another verifier has accepted since the same credentials
/// were imported before; the line that says so, where that changes anything. `None`
/// leaves a record that only serves to refuse.
fn caught_up(record: &mut Record, credentials: &[Credential]) -> Option<String> {
    let mut line = None;
    for new in credentials {
        let (moved, same) = catch_up(record, new)?;
        if moved {
            let said = format!("{same}; what was used since counts as used");
            line = Some(format!("{} has this secret already as {said}", record.owner));
        }
    }
    line
}

/// The same for one credential: whether that changes anything, and which of the
/// owner's it is. `None` where the owner has none of this secret and kind.
pub(crate) fn catch_up(record: &mut Record, new: &Credential) -> Option<(bool, String)> {
    let same = record.credentials.iter_mut().find(|known| known.secret == new.secret)?;
    let later = same.factor.later(new.factor)?;
    let moved = later != same.factor;
    same.factor = later;
    Some((moved, format!("{} ({})", same.label, same.id)))
}

/// Puts all of them into a record, or says what is in the way of one.
pub(crate) fn add_all(
    mut record: Record,
    credentials: Vec<Credential>,
    place: &Place,
    set: Option<ScratchSet>,
) -> Result<Record, String> {
    for credential in credentials {
        let (account, key, note) = (place.account.clone(), place.key, place.note.clone());
        record = add(record, New { account, key, note, credential, set: None })?;
    }
    if let Some(set) = set {
        record.scratch.retain(|set| set.kind != ScratchKind::EightDigits);
        record.scratch.push(set);
    }
    Ok(record)
}

fn done(credentials: &[Credential], place: &Place) -> String {
    let names: Vec<String> = credentials.iter().map(|new| format!("{} ({})", new.label, new.id)).collect();
    let many = if names.len() == 1 { "credential" } else { "credentials" };
    let done = format!("Imported {} {many} for {}: {}", names.len(), place.account, names.join(", "));
    let short = credentials.iter().filter(|new| new.secret.bits() < SHORT_BITS);
    let warning = |new: &Credential| {
        format!("; warning: the secret of {} has only {} bits, enrol a new one soon", new.label, new.secret.bits())
    };
    short.map(warning).fold(done, |done, warning| done + &warning)
}
