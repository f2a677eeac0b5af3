//! The audit: what happened, in rows that stay for a bounded time and space.
//!
//! Refusals that are alike in all but their time are one row a minute, with
//! their number. A code that was accepted, or a change, has a row of its own.

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use otp_core::{CredentialId, Owner, UnixTime};

use super::claims::Claims;
use crate::{Acceptances, AuditFilter, AuditRow, Error};

/// Refusals within so many seconds of the first one are one row.
const MERGE_SECONDS: u64 = 60;
/// So many of an account's newest rows are looked at for one to merge with, so
/// that a guesser who never comes the same way twice costs no more than others.
const MERGE_ROWS: u32 = 32;
/// Rows older than this many seconds go: 400 days.
pub(super) const KEEP_SECONDS: u64 = 400 * 24 * 60 * 60;
/// The oldest rows go when all of them take more than this many bytes: 1 GB.
pub(super) const KEEP_BYTES: u64 = 1_000_000_000;
/// At most so many rows go in one transaction; more than one can add
/// ([`super::writer::BATCH`]), and few enough that no login waits for it.
pub(super) const STEP: u32 = 100;
/// What [`read_row`] reads.
const COLUMNS: &str =
    "id, at, verdict, reason, account, owner, service, key, address, peer, claimed, count, until, tty";
/// Bytes of a row beside its texts, with its place in the index.
const ROW: usize = 100;

/// Writes a row, or counts it where it repeats one.
pub(super) fn write(connection: &Connection, row: &AuditRow) -> Result<(), Error> {
    if repeats(connection, row)? { Ok(()) } else { insert(connection, row, 1, None) }
}

/// Writes what a uid may have made up: it takes of that uid's share where it
/// repeats nothing.
pub(super) fn write_claimed(connection: &Connection, row: &AuditRow, claims: &mut Claims) -> Result<(), Error> {
    if repeats(connection, row)? {
        return Ok(());
    }
    match claims.beyond(row) {
        Some(more) => write(connection, &more),
        None => insert(connection, row, 1, None),
    }
}

/// Whether it is counted at a row that was there.
fn repeats(connection: &Connection, row: &AuditRow) -> Result<bool, Error> {
    Ok(row.may_repeat() && merge(connection, row)?)
}

/// What a row takes.
pub(super) fn bytes(row: &AuditRow) -> usize {
    let texts = [row.verdict, &row.reason, &row.account, &row.owner, &row.service, &row.key, &row.address, &row.tty];
    texts.iter().map(|text| text.len()).sum::<usize>() + ROW
}

/// Writes a row with the next number, and for so many of its like.
fn insert(connection: &Connection, row: &AuditRow, count: u64, until: Option<UnixTime>) -> Result<(), Error> {
    let bytes = i64::try_from(bytes(row)).unwrap_or(i64::MAX);
    // By numbers: SQLite looks a name up among all names, each time.
    connection
        .prepare_cached(
            "INSERT INTO audit (at, verdict, reason, account, owner, service, key, address, peer, claimed, count,
                                until, tty, total)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
                     ?12, ?13, ?14 + coalesce((SELECT total FROM audit ORDER BY id DESC LIMIT 1), 0))",
        )?
        .execute(params![
            row.at.cast_signed(),
            row.verdict,
            row.reason,
            row.account,
            row.owner,
            row.service,
            row.key,
            row.address,
            row.peer,
            row.claimed,
            count.cast_signed(),
            until.map(u64::cast_signed),
            row.tty,
            bytes,
        ])?;
    Ok(())
}

/// Carries the rows of `from` that are newer than any in `to` over to it.
pub(super) fn carry(from: &Connection, to: &Connection) -> Result<(), Error> {
    let newest: i64 = to.query_row("SELECT coalesce(max(id), 0) FROM audit", [], |row| row.get(0))?;
    let mut statement = from.prepare(&format!("SELECT {COLUMNS} FROM audit WHERE id > ?1 ORDER BY id"))?;
    for row in statement.query_map([newest], read_row)? {
        let row = row?;
        insert(to, &row, row.count, row.until)?;
    }
    Ok(())
}

/// Counts a refusal at the row of its like, if there is one of this minute.
fn merge(connection: &Connection, row: &AuditRow) -> Result<bool, Error> {
    let changed = connection
        .prepare_cached(
            "UPDATE audit SET count = count + 1, until = :at WHERE id = (
                 SELECT id FROM (SELECT * FROM audit WHERE account = :account ORDER BY id DESC LIMIT :rows)
                 WHERE verdict = :verdict AND reason = :reason AND owner = :owner AND service = :service
                   AND key = :key AND address = :address AND tty = :tty AND peer = :peer AND claimed = :claimed
                   AND at > :at - :seconds AND coalesce(until, at) <= :at
                 LIMIT 1)",
        )?
        .execute(named_params! {
            ":at": row.at.cast_signed(), ":verdict": row.verdict, ":reason": row.reason, ":account": row.account,
            ":owner": row.owner, ":service": row.service, ":key": row.key, ":address": row.address,
            ":tty": row.tty, ":peer": row.peer, ":claimed": row.claimed, ":rows": MERGE_ROWS,
            ":seconds": MERGE_SECONDS.cast_signed(),
        })?;
    Ok(changed > 0)
}

/// Removes the oldest rows where there are too old or too many, [`STEP`] at
/// most. Looks at two rows where there is nothing to do.
pub(super) fn trim(connection: &Connection, now: u64, keep_bytes: u64) -> Result<(), Error> {
    let end = |order: &str| {
        connection
            .prepare_cached(&format!("SELECT at, total FROM audit ORDER BY id {order} LIMIT 1"))?
            .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
            .optional()
    };
    let (Some((oldest, first)), Some((_, last))) = (end("ASC")?, end("DESC")?) else { return Ok(()) };
    let before = now.saturating_sub(KEEP_SECONDS).cast_signed();
    let excess = last.saturating_sub(first).saturating_sub(i64::try_from(keep_bytes).unwrap_or(i64::MAX));
    if oldest >= before && excess <= 0 {
        return Ok(());
    }
    connection
        .prepare_cached(
            "DELETE FROM audit WHERE id IN (SELECT id FROM audit ORDER BY id LIMIT ?1) AND (at < ?2 OR total < ?3)
             AND id < (SELECT max(id) FROM audit)",
        )?
        .execute(params![STEP, before, first.saturating_add(excess)])?;
    Ok(())
}

/// When codes of a credential were accepted: last up to `now`, first after it.
pub(super) fn accepted(
    connection: &Connection,
    owner: &Owner,
    id: &CredentialId,
    now: UnixTime,
) -> Result<Acceptances, Error> {
    let mut statement = connection.prepare(
        "SELECT max(at) FILTER (WHERE at <= ?1), min(at) FILTER (WHERE at > ?1) FROM audit
         WHERE verdict = 'accept' AND owner = ?2 AND reason IN ('code of ' || ?3, 'resync: code of ' || ?3)",
    )?;
    let both = |row: &Row<'_>| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?));
    let (last, first) = statement.query_row(params![now.cast_signed(), owner.as_str(), id.as_str()], both)?;
    Ok((last.map(i64::cast_unsigned), first.map(i64::cast_unsigned)))
}

/// The rows that `filter` lets through, newest first.
pub(super) fn read(connection: &Connection, filter: &AuditFilter) -> Result<Vec<AuditRow>, Error> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM audit
         WHERE (?1 IS NULL OR account = ?1) AND (?2 IS NULL OR key = ?2)
           AND (?3 IS NULL OR verdict = ?3) AND coalesce(until, at) >= ?4
         ORDER BY id DESC LIMIT ?5",
    ))?;
    let since = filter.since.unwrap_or(0).cast_signed();
    let rows =
        statement.query_map(params![filter.account, filter.key, filter.verdict, since, filter.limit], read_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    Ok(AuditRow {
        id: row.get(0)?,
        at: row.get::<_, i64>(1)?.cast_unsigned(),
        verdict: match row.get::<_, String>(2)?.as_str() {
            "accept" => "accept",
            "refuse" => "refuse",
            _ => "change",
        },
        reason: row.get(3)?,
        account: row.get(4)?,
        owner: row.get(5)?,
        service: row.get(6)?,
        key: row.get(7)?,
        address: row.get(8)?,
        peer: row.get(9)?,
        claimed: row.get(10)?,
        count: row.get::<_, i64>(11)?.cast_unsigned(),
        until: row.get::<_, Option<i64>>(12)?.map(i64::cast_unsigned),
        tty: row.get(13)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn database() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::schema::migrate(&mut connection, 0).unwrap();
        connection
    }

    fn refusal(at: u64) -> AuditRow {
        let text = |text: &str| text.to_owned();
        let (reason, account, service) = (text("wrong code"), text("alice"), text("sshd"));
        AuditRow { at, verdict: "refuse", reason, account, service, ..AuditRow::default() }
    }

    fn all(connection: &Connection) -> Vec<AuditRow> {
        read(connection, &AuditFilter { limit: 10_000, ..AuditFilter::default() }).unwrap()
    }

    #[test]
    fn repeated_refusals_of_a_minute_are_one_row() {
        let connection = database();
        for second in [0, 1, 59, 60, 61] {
            write(&connection, &refusal(NOW + second)).unwrap();
        }
        let seen: Vec<_> = all(&connection).iter().map(|row| (row.at, row.count, row.until)).collect();
        assert_eq!(seen, [(NOW + 60, 2, Some(NOW + 61)), (NOW, 3, Some(NOW + 59))]);
    }

    #[test]
    fn of_one_uid_what_repeats_takes_nothing_of_its_share() {
        let (connection, mut claims) = (database(), Claims::default());
        let claimed = |number: u32| AuditRow { claimed: true, peer: 7, tty: format!("pts/{number}"), ..refusal(NOW) };
        for _ in 0..5000 {
            write_claimed(&connection, &claimed(0), &mut claims).unwrap();
        }
        assert_eq!(
            all(&connection).iter().map(|row| (row.tty.as_str(), row.count)).collect::<Vec<_>>(),
            [("pts/0", 5000)]
        );
        for number in 0..5000 {
            write_claimed(&connection, &claimed(number), &mut claims).unwrap();
        }
        let rows = all(&connection);
        assert!((100..600).contains(&rows.len()), "{}", rows.len());
        assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), 10_000);
    }

    #[test]
    fn a_minute_filled_by_others_is_still_merged() {
        let connection = database();
        for number in 0..200 {
            write(&connection, &AuditRow { account: format!("other{number}"), ..refusal(NOW) }).unwrap();
            write(&connection, &refusal(NOW)).unwrap();
        }
        assert_eq!(all(&connection).iter().find(|row| row.account == "alice").unwrap().count, 200);
    }

    #[test]
    fn only_what_is_alike_is_merged() {
        let text = |text: &str| text.to_owned();
        for other in [
            AuditRow { reason: text("throttled"), ..refusal(NOW) },
            AuditRow { account: text("bob"), ..refusal(NOW) },
            AuditRow { owner: text("bob"), ..refusal(NOW) },
            AuditRow { service: text("su"), ..refusal(NOW) },
            AuditRow { key: text("SHA256:x"), ..refusal(NOW) },
            AuditRow { address: text("::1"), ..refusal(NOW) },
            AuditRow { tty: text("pts/1"), ..refusal(NOW) },
            AuditRow { peer: 7, ..refusal(NOW) },
            AuditRow { claimed: true, ..refusal(NOW) },
            // A clock that was set back must not make an interval that ends before it begins.
            refusal(NOW - 1),
        ] {
            let connection = database();
            write(&connection, &refusal(NOW)).unwrap();
            write(&connection, &other).unwrap();
            assert_eq!(all(&connection).len(), 2, "{other:?}");
        }
    }

    #[test]
    fn what_was_accepted_or_changed_is_never_merged() {
        let connection = database();
        for verdict in ["accept", "change"] {
            for _ in 0..3 {
                write(&connection, &AuditRow { verdict, ..refusal(NOW) }).unwrap();
            }
        }
        assert_eq!(all(&connection).len(), 6);
    }

    #[test]
    fn who_comes_in_without_a_code_by_their_own_word_is_counted() {
        let pass =
            |claimed, reason: &str| AuditRow { verdict: "accept", claimed, reason: reason.to_owned(), ..refusal(NOW) };
        for (row, rows) in [
            (pass(true, "grant"), 1),
            (pass(true, "policy none"), 1),
            (pass(false, "grant"), 3),
            (pass(true, "code of x"), 3),
        ] {
            let connection = database();
            (0..3).for_each(|_| write(&connection, &row).unwrap());
            assert_eq!(all(&connection).len(), rows, "{row:?}");
        }
    }

    #[test]
    fn old_rows_go_in_small_steps() {
        let connection = database();
        let accept = |at| AuditRow { verdict: "accept", ..refusal(at) };
        for _ in 0..STEP + 20 {
            write(&connection, &accept(NOW)).unwrap();
        }
        write(&connection, &accept(NOW + 1)).unwrap();
        trim(&connection, NOW + KEEP_SECONDS, KEEP_BYTES).unwrap();
        assert_eq!(all(&connection).len(), STEP as usize + 21, "400 days are kept");
        for left in [21, 1, 1] {
            trim(&connection, NOW + KEEP_SECONDS + 1, KEEP_BYTES).unwrap();
            assert_eq!(all(&connection).len(), left);
        }
    }

    #[test]
    fn too_many_bytes_go_from_the_oldest_on() {
        let connection = database();
        let accept = |at| AuditRow { verdict: "accept", ..refusal(at) };
        for number in 0..1000 {
            write(&connection, &accept(NOW + number)).unwrap();
            trim(&connection, NOW + number, 20_000).unwrap();
        }
        let rows = all(&connection);
        assert_eq!(rows[0].at, NOW + 999, "the newest stays");
        assert!((100..=200).contains(&rows.len()), "{} rows of some 125 bytes", rows.len());
        assert!(rows.windows(2).all(|pair| pair[0].id == pair[1].id + 1), "without a gap");
    }
}
