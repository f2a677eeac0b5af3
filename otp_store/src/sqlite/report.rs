//! How the store is: sizes, counts, locks.

use std::path::Path;

use otp_core::{Limits, Owner, UnixTime};
use rusqlite::Connection;

use super::{rows, schema};
use crate::{Error, Report, SealingKeys, codec, reserve};

pub(super) fn report(
    connection: &Connection,
    keys: &SealingKeys,
    limits: Limits,
    now: UnixTime,
) -> Result<Report, Error> {
    let path = connection.path().unwrap_or_default();
    let number = |query: &str| connection.query_row(query, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned);
    let (nobody, key) = (Owner::nobody(), keys.current());
    let (mut owners, mut locked, mut ahead) = (0, 0, 0);
    let mut records = connection.prepare(rows::RECORDS)?;
    let mut rows = records.query([nobody.as_str()])?;
    while let Some(row) = rows.next()? {
        owners += 1;
        let seen = row.get_ref(0)?.as_blob().ok().and_then(|record| codec::glance(record, limits, now));
        // A record that can't be read is nobody's way in; `list` says so.
        let Some(seen) = seen else { continue };
        (locked, ahead) = (locked + seen.locked, ahead + seen.ahead);
    }
    Ok(Report {
        schema: schema::version(connection)?,
        bytes: number("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")?,
        owners,
        entries: number(
            "SELECT count(*) - (SELECT count(*) FROM entry JOIN bulk ON owner BETWEEN first AND last) FROM entry",
        )?,
        audit: number("SELECT count(*) FROM audit")?,
        locked,
        ahead,
        reserve: reserve::bytes(Path::new(path)),
        older_key: number(&format!("SELECT count(*) FROM owner WHERE sealing_key < {key} AND name <> '{nobody}'"))?,
    })
}
