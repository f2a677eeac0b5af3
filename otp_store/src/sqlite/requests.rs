//! Requests that were answered, to answer them again.
//!
//! They are written in the order in which they come, into one page that is
//! written anyway, together with what they changed. Where each is lies in
//! memory, for there is one writer: an index would be another page each time.

use std::collections::{HashMap, VecDeque};

use rusqlite::{Connection, OptionalExtension, params};

use crate::{Error, Mark, REPEAT_SECONDS};

/// At most so many are forgotten in one commit: more than come in one
/// ([`super::writer::BATCH`]), and few enough that nobody's answer waits for it.
const STEP: i64 = 128;

/// Where the requests of the last seconds are.
#[derive(Default)]
pub(super) struct Requests {
    /// By their ids: their row, and when they came.
    rows: HashMap<[u8; 16], (i64, u64)>,
    /// The newest row.
    newest: i64,
    /// Up to this row they are forgotten.
    forgotten: i64,
    /// Seconds in which requests came, and the newest row of each.
    seconds: VecDeque<(u64, i64)>,
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
                requests.forgotten = i64::saturating_sub(number, 1);
            }
            requests.add(number, id, at);
        }
        Ok(requests)
    }

    fn add(&mut self, number: i64, id: [u8; 16], at: u64) {
        self.rows.insert(id, (number, at));
        self.newest = number;
        match self.seconds.back_mut() {
            Some((second, newest)) if *second == at => *newest = number,
            _ => self.seconds.push_back((at, number)),
        }
    }

    /// The answer that was given to this request before.
    pub(super) fn answered(&self, connection: &Connection, mark: &Mark, now: u64) -> Result<Option<Vec<u8>>, Error> {
        let Some((number, _)) = self.rows.get(&mark.id).filter(|(_, at)| is_recent(*at, now)) else { return Ok(None) };
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
        self.add(number, mark.id, now);
        Ok(())
    }

    /// Forgets requests that need no answer any more, [`STEP`] at most.
    pub(super) fn forget(&mut self, connection: &Connection, now: u64) -> Result<(), Error> {
        let Some((at, last)) = self.seconds.front().copied() else { return Ok(()) };
        if is_recent(at, now) {
            return Ok(());
        }
        let until = last.min(self.forgotten.saturating_add(STEP));
        let mut delete = connection.prepare_cached("DELETE FROM request WHERE number <= ?1 RETURNING id, number")?;
        for row in delete.query_map([until], |row| Ok((row.get(0)?, row.get(1)?)))? {
            let (id, number): ([u8; 16], i64) = row?;
            // It may have come again since, and have a newer row.
            if self.rows.get(&id).is_some_and(|(newest, _)| *newest == number) {
                self.rows.remove(&id);
            }
        }
        self.forgotten = until;
        if until == last {
            self.seconds.pop_front();
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
        for (now, left) in [(110, 301 - 128), (110, 101), (110, 101), (111, 1), (119, 1)] {
            requests.forget(&connection, now).unwrap();
            assert_eq!((rows(&connection), requests.rows.len()), (left, usize::try_from(left).unwrap()), "at {now}");
        }
        assert_eq!(requests.answered(&connection, &mark(5), 119).unwrap().as_deref(), Some(&b"another"[..]));
        // The same after a restart.
        let mut loaded = Requests::load(&connection).unwrap();
        assert_eq!(loaded.answered(&connection, &mark(5), 119).unwrap().as_deref(), Some(&b"another"[..]));
        loaded.forget(&connection, 120).unwrap();
        assert_eq!((rows(&connection), loaded.rows.len(), loaded.seconds.len()), (0, 0, 0));
    }
}
