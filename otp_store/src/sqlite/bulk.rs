//! A bulk in SQLite. Its rows are written like all others, slice by slice
//! between the logins, but with numbers that the table `bulk` names, and so
//! they don't count; letting them in is to delete that one row. A bulk that
//! was given up is cleared away in slices too, after a restart as well.

use std::cell::Cell;
use std::sync::mpsc::{SyncSender, sync_channel};

use otp_core::Owner;
use rusqlite::{Connection, OptionalExtension, params};

use super::desk::Desk;
use super::rows::{self, Row};
use super::writer::Job;
use super::{SqliteStore, audit};
use crate::bulk::{Arrival, Bulk, Fate, MAX_BULK, Newcomer};
use crate::{AuditRow, Error};

/// People who have a record already are changed in the last transaction, so
/// there may not be many: a record takes some 200 µs.
const MAX_CHANGES: usize = 500;
/// Rows that are cleared away in one transaction.
const SLICE: i64 = 300;

const FULL: Error = Error::Bulk("there is no room on the disk for a bulk import");
const ENDED: Error = Error::Bulk("the bulk import is over already");

/// What the writer is to do for a bulk.
pub(super) enum Slice {
    /// Begin one.
    Begin,
    /// Write these.
    Add(Vec<(Row, Vec<AuditRow>)>),
    /// Let all in, and these whose records are changed.
    Admit(Vec<Newcomer>, Box<AuditRow>),
    /// Clear it away.
    GiveUp,
}

/// How the writer's bulk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// There is none.
    None,
    /// One is under way; the next row has this number.
    Open { next: i64, last: i64 },
    /// One was given up and is not cleared away yet.
    Left,
}

impl State {
    /// What a verifier that ended before left behind.
    pub(super) fn load(connection: &Connection) -> Result<Cell<Self>, Error> {
        Ok(Cell::new(if range(connection)?.is_some() { Self::Left } else { Self::None }))
    }
}

/// The numbers that don't count.
fn range(connection: &Connection) -> Result<Option<(i64, i64)>, Error> {
    let both = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    Ok(connection.prepare_cached("SELECT first, last FROM bulk")?.query_row([], both).optional()?)
}

impl Desk {
    /// Does one slice's work, in a transaction of its own.
    pub(super) fn slice(&mut self, slice: Slice) -> Result<(), Error> {
        self.identity.check()?;
        match slice {
            Slice::Begin => self.begin(),
            Slice::Add(_) if !self.reserve.has_plenty() => Err(FULL),
            Slice::Add(rows) => self.add(&rows),
            Slice::Admit(changes, row) => self.admit(&changes, &row),
            Slice::GiveUp if self.bulk.get() == State::None => Ok(()),
            Slice::GiveUp => {
                self.bulk.set(State::Left);
                Ok(())
            }
        }
    }

    fn begin(&self) -> Result<(), Error> {
        match self.bulk.get() {
            State::None => {}
            State::Open { .. } => return Err(Error::Bulk("another bulk import is under way")),
            State::Left => return Err(Error::Bulk("a bulk import was given up and is being cleared away; try again")),
        }
        if !self.reserve.has_plenty() {
            return Err(FULL);
        }
        let first = rows::next_id(&self.connection)?;
        let last = first.saturating_add(i64::from(MAX_BULK) - 1);
        self.transaction(|| {
            self.connection.execute("INSERT INTO bulk (first, last) VALUES (?1, ?2)", params![first, last])?;
            Ok(())
        })?;
        self.bulk.set(State::Open { next: first, last });
        Ok(())
    }

    fn add(&self, rows: &[(Row, Vec<AuditRow>)]) -> Result<(), Error> {
        let State::Open { next, last } = self.bulk.get() else { return Err(ENDED) };
        let after = next.saturating_add(i64::try_from(rows.len()).unwrap_or(i64::MAX));
        if after > last {
            return Err(Error::Bulk("there are too many people in it"));
        }
        self.transaction(|| {
            for (id, (row, audit)) in (next..).zip(rows) {
                rows::insert(&self.connection, id, row)?;
                audit.iter().try_for_each(|row| audit::write(&self.connection, row))?;
            }
            Ok(())
        })?;
        self.bulk.set(State::Open { next: after, last });
        Ok(())
    }

    fn admit(&self, changes: &[Newcomer], row: &AuditRow) -> Result<(), Error> {
        let State::Open { .. } = self.bulk.get() else { return Err(ENDED) };
        self.transaction(|| {
            changes.iter().try_for_each(|newcomer| self.guarded(|| self.change(newcomer)))?;
            audit::write(&self.connection, row)?;
            self.connection.execute("DELETE FROM bulk", [])?;
            Ok(())
        })?;
        self.bulk.set(State::None);
        Ok(())
    }

    fn change(&self, newcomer: &Newcomer) -> Result<(), Error> {
        let (before, record) = rows::load(&self.connection, &newcomer.owner, &self.keys)?.unzip();
        let judged = (newcomer.judge)(record);
        let Arrival { record, audit } =
            judged.ok().flatten().ok_or(Error::Bulk("somebody's record was changed meanwhile; nobody was imported"))?;
        let mut bytes = self.bytes.borrow_mut();
        rows::save(&self.connection, &before.unwrap_or_default(), &record, &self.keys, &mut bytes)?;
        audit.iter().try_for_each(|row| audit::write(&self.connection, row))
    }

    /// Whether there is something to clear away, and room to do it.
    pub(super) fn has_left(&self) -> bool {
        self.bulk.get() == State::Left && self.reserve.has_plenty()
    }

    /// Clears a slice away.
    pub(super) fn clear(&self) {
        let cleared = self.transaction(|| {
            let Some((first, last)) = range(&self.connection)? else { return Ok(true) };
            let one = "SELECT min(id) FROM owner WHERE id BETWEEN ?1 AND ?2";
            let first: Option<i64> = self.connection.prepare_cached(one)?.query_row([first, last], |row| row.get(0))?;
            let Some(first) = first else {
                self.connection.execute("DELETE FROM bulk", [])?;
                return Ok(true);
            };
            let end = first.saturating_add(SLICE - 1).min(last);
            for table in ["entry WHERE owner", "credential WHERE owner", "owner WHERE id"] {
                let delete = format!("DELETE FROM {table} BETWEEN ?1 AND ?2");
                self.connection.prepare_cached(&delete)?.execute([first, end])?;
            }
            Ok(false)
        });
        // A disk that fails is not asked again until somebody needs it anyway.
        self.failing.set(cleared.is_err());
        if let Ok(true) = cleared {
            self.bulk.set(State::None);
        }
    }
}

/// Somebody's bulk.
pub(super) struct SqliteBulk<'a> {
    store: &'a SqliteStore,
    changes: Vec<Newcomer>,
    admitted: bool,
}

impl<'a> SqliteBulk<'a> {
    pub(super) fn begin(store: &'a SqliteStore) -> Result<Self, Error> {
        store.writer.slice(Slice::Begin)?;
        Ok(Self { store, changes: vec![], admitted: false })
    }

    /// Judges somebody; the row to write for one without a record.
    fn judge(&self, connection: &Connection, newcomer: &Newcomer) -> Result<Standing, Error> {
        let found = rows::load(connection, &newcomer.owner, &self.store.keys)?.map(|(_, record)| record);
        if found.is_none() && rows::is_taken(connection, &newcomer.owner)? {
            return Ok(Standing::Ends(Fate::Refused(format!("{} comes twice", newcomer.owner))));
        }
        let has_record = found.is_some();
        let Arrival { record, audit } = match (newcomer.judge)(found) {
            Ok(Some(arrival)) => arrival,
            Ok(None) => return Ok(Standing::Ends(Fate::Known)),
            Err(why) => return Ok(Standing::Ends(Fate::Refused(why))),
        };
        for entry in &record.entries {
            let other = rows::owner_of(connection, &entry.account, entry.key.as_ref())?;
            if other.is_some_and(|other| other != newcomer.owner) {
                return Ok(Standing::Ends(Fate::Refused(Error::Taken.to_string())));
            }
        }
        Ok(if has_record { Standing::Changes } else { Standing::New(Row::of(&record, &self.store.keys)?, audit) })
    }
}

/// How somebody comes in.
enum Standing {
    New(Row, Vec<AuditRow>),
    Changes,
    Ends(Fate),
}

impl Bulk for SqliteBulk<'_> {
    fn add(&mut self, people: Vec<Newcomer>) -> Result<Vec<Fate>, Error> {
        let judged: Vec<Standing> = self.store.reading(|connection| {
            people.iter().map(|newcomer| self.judge(connection, newcomer)).collect::<Result<_, _>>()
        })?;
        let (mut rows, mut fates) = (Vec::new(), Vec::new());
        for (newcomer, judged) in people.into_iter().zip(judged) {
            fates.push(match judged {
                Standing::New(row, audit) => {
                    rows.push((row, audit));
                    Fate::Taken
                }
                Standing::Changes if self.changes.len() >= MAX_CHANGES => Fate::Refused(format!(
                    "{MAX_CHANGES} people of this bulk have other credentials already; import this one alone"
                )),
                Standing::Changes => {
                    self.changes.push(newcomer);
                    Fate::Taken
                }
                Standing::Ends(fate) => fate,
            });
        }
        self.store.writer.slice(Slice::Add(rows)).map(|()| fates)
    }

    fn admit(mut self: Box<Self>, row: AuditRow) -> Result<(), Error> {
        let changes = std::mem::take(&mut self.changes);
        self.store.writer.slice(Slice::Admit(changes, Box::new(row)))?;
        self.admitted = true;
        Ok(())
    }
}

impl Drop for SqliteBulk<'_> {
    fn drop(&mut self) {
        if !self.admitted {
            // Where the writer has ended, the next one finds it.
            let _ = self.store.writer.slice(Slice::GiveUp);
        }
    }
}

/// A slice for the writer, and where its answer goes.
pub(super) type Order = (Slice, SyncSender<Result<(), Error>>);

impl super::writer::Writer {
    fn slice(&self, slice: Slice) -> Result<(), Error> {
        let (reply, answer) = sync_channel(1);
        self.send(Job::Slice((slice, reply)))?;
        answer.recv().map_err(|_| Error::Closed)?
    }
}

/// Why a record can't be made for somebody who is not known yet.
pub(super) fn check_free(connection: &Connection, owner: &Owner) -> Result<(), Error> {
    if rows::is_taken(connection, owner)? {
        return Err(Error::Bulk("a bulk import of this person is under way or being cleared away; try again"));
    }
    Ok(())
}
