//! Requests that were answered, to answer them again.
//!
//! They are written in the order in which they come, into one page that is
//! written anyway, together with what they changed. Where each is lies in
//! memory, for there is one writer: an index would be another page each time.

use std::collections::{HashMap, VecDeque};

use rusqlite::{Connection, OptionalExtension, params};

use crate::{Error, Mark, REPEAT_SECONDS};

/// At most so many rows are removed in one commit: more than come in one
/// ([`super::writer::BATCH`]), and few enough that nobody's answer waits for it.
const STEP: i64 = 128;

/// Where the requests of the last seconds are.
#[derive(Default)]
pub(super) struct Requests {
    /// In the order in which they came, so that a whole second is forgotten at once.
    seconds: VecDeque<Second>,
    /// The newest row.
    newest: i64,
    /// The rows up to this one are removed.
    removed: i64,
}

/// The requests of one second.
struct Second {
    at: u64,
    /// The first of their rows.
    first: i64,
    /// By their ids, how far after the first each one's row is.
    rows: HashMap<[u8; 16], u32>,
}

impl Requests {
    /// What the store remembers.
    pub(super) fn load(connection: &Connection) -> Result<Self, Error> {
        let mut statement = connection.prepare_cached("SELECT number, id, at FROM request ORDER BY number")?;
        let mut requests = Self::default();
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.cast_unsigned()));
        for row in statement.query_map([], row)? {
            let (number, id, at) = row?;
            if requests.seconds.is_empty() {
                requests.removed = i64::saturating_sub(number, 1);
            }
            requests.add(number, id, at)?;
        }
        Ok(requests)
    }

    fn add(&mut self, number: i64, id: [u8; 16], at: u64) -> Result<(), Error> {
        // One that came late, when the next second had begun, counts in that.
        if self.seconds.back().is_none_or(|second| second.at != at && second.at != at.saturating_add(1)) {
            self.seconds.push_back(Second { at, first: number, rows: HashMap::new() });
        }
        if let Some(second) = self.seconds.back_mut() {
            let after = number.checked_sub(second.first).and_then(|after| u32::try_from(after).ok());
            second.rows.insert(id, after.ok_or(Error::Damaged("the rows of requests"))?);
        }
        self.newest = number;
        Ok(())
    }

    /// The row of a request that is answered again at `now`.
    fn row(&self, id: &[u8; 16], now: u64) -> Option<i64> {
        let mut recent = self.seconds.iter().rev().filter(|second| is_recent(second.at, now));
        recent.find_map(|second| Some(second.first + i64::from(*second.rows.get(id)?)))
    }

    /// The answer that was given to this request before.
    pub(super) fn answered(&self, connection: &Connection, mark: &Mark, now: u64) -> Result<Option<Vec<u8>>, Error> {
        let Some(number) = self.row(&mark.id, now) else { return Ok(None) };
        let found = connection
            .prepare_cached("SELECT uid, digest, answer FROM request WHERE number = ?1 AND id = ?2")?
            .query_row(params![number, &mark.id[..]], |row| {
                Ok((row.get::<_, u32>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Vec<u8>>(2)?))
            })
            .optional()?;
        match found {
            Some((uid, digest, answer)) if uid == mark.uid && digest == mark.digest => Ok(Some(answer)),
            Some(_) => Err(Error::Reused),
            None => Err(Error::Damaged("a request that was answered is missing")),
        }
    }

    pub(super) fn remember(
        &mut self,
        connection: &Connection,
        mark: &Mark,
        now: u64,
        answer: &[u8],
    ) -> Result<(), Error> {
        let number = self.newest.saturating_add(1);
        connection
            .prepare_cached(
                "INSERT INTO request (number, id, uid, digest, at, answer) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![number, &mark.id[..], mark.uid, &mark.digest[..], now.cast_signed(), answer])?;
        self.add(number, mark.id, now)
    }

    /// Forgets requests that need no answer any more. Of their rows, [`STEP`] are
    /// removed at most.
    pub(super) fn forget(&mut self, connection: &Connection, now: u64) -> Result<(), Error> {
        while self.seconds.front().is_some_and(|second| !is_recent(second.at, now)) {
            self.seconds.pop_front();
        }
        let last = self.seconds.front().map_or(self.newest, |second| second.first.saturating_sub(1));
        if self.removed < last {
            let until = last.min(self.removed.saturating_add(STEP));
            connection.prepare_cached("DELETE FROM request WHERE number <= ?1")?.execute([until])?;
            self.removed = until;
        }
        Ok(())
    }
}

/// Whether a request of `at` is answered again at `now`. A clock that was set
/// back makes it an old one: then it is judged anew, and what it spent is spent.
fn is_recent(at: u64, now: u64) -> bool {
    at.abs_diff(now) < REPEAT_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::schema;

    fn mark(number: u32) -> Mark {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        Mark { id, uid: 0, digest: [0; 32] }
    }

    fn rows(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM request", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn they_are_forgotten_a_few_at_a_time() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, 0).unwrap();
        let mut requests = Requests::default();
        for number in 0..300 {
            requests.remember(&connection, &mark(number), 100 + u64::from(number / 200), b"an answer").unwrap();
        }
        requests.forget(&connection, 109).unwrap();
        assert_eq!(rows(&connection), 300);
        // One comes again when its answer is not repeated any more.
        assert_eq!(requests.answered(&connection, &mark(5), 110).unwrap(), None);
        requests.remember(&connection, &mark(5), 110, b"another").unwrap();
        // Of the first second, and never more than a step; then of the next one.
        let mut lengths = |now| {
            requests.forget(&connection, now).unwrap();
            (rows(&connection), requests.seconds.iter().map(|second| second.rows.len()).sum::<usize>())
        };
        for (now, left) in [(110, (173, 101)), (110, (101, 101)), (110, (101, 101)), (111, (1, 1)), (119, (1, 1))] {
            assert_eq!(lengths(now), left, "at {now}");
        }
        assert_eq!(requests.answered(&connection, &mark(5), 119).unwrap().as_deref(), Some(&b"another"[..]));
        // The same after a restart.
        let mut loaded = Requests::load(&connection).unwrap();
        assert_eq!(loaded.answered(&connection, &mark(5), 119).unwrap().as_deref(), Some(&b"another"[..]));
        loaded.forget(&connection, 120).unwrap();
        assert_eq!((rows(&connection), loaded.seconds.len()), (0, 0));
    }
}
