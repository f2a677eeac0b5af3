//! Requests that were answered, to answer them again.
//!
//! They are written in the order in which they come, into one page that is
//! written anyway, together with what they changed. Where each is lies in
//! memory, for there is one writer: an index would be another page each time.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use crate::{Error, Mark, REPEAT_SECONDS};

/// Where the requests of the last seconds are.
#[derive(Default)]
pub(super) struct Requests {
    /// By their ids: their row, and when they came.
    rows: HashMap<[u8; 16], (i64, u64)>,
    /// The newest row.
    newest: i64,
    /// When older ones were last forgotten.
    swept: u64,
}

impl Requests {
    /// What the store remembers.
    pub(super) fn load(connection: &Connection) -> Result<Self, Error> {
        let mut statement = connection.prepare_cached("SELECT number, id, at FROM request ORDER BY number")?;
        let mut requests = Self::default();
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.cast_unsigned()));
        for row in statement.query_map([], row)? {
            let (number, id, at): (i64, [u8; 16], u64) = row?;
            requests.rows.insert(id, (number, at));
            requests.newest = number;
        }
        Ok(requests)
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
        self.newest = number;
        self.rows.insert(mark.id, (number, now));
        Ok(())
    }

    /// Forgets requests that need no answer any more, once a second.
    pub(super) fn forget(&mut self, connection: &Connection, now: u64) -> Result<(), Error> {
        if self.swept == now {
            return Ok(());
        }
        self.rows.retain(|_, (_, at)| is_recent(*at, now));
        let oldest = self.rows.values().map(|(number, _)| *number).min().unwrap_or(i64::MAX);
        connection.prepare_cached("DELETE FROM request WHERE number < ?1")?.execute([oldest])?;
        self.swept = now;
        Ok(())
    }
}

/// Whether a request of `at` is answered again at `now`. A clock that was set
/// back makes it an old one: then it is judged anew, and what it spent is spent.
fn is_recent(at: u64, now: u64) -> bool {
    at.abs_diff(now) < REPEAT_SECONDS
}
