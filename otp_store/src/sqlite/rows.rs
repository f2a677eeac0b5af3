//! Records and requests: rows in, rows out.

use otp_core::{Account, CredentialId, Fingerprint, Owner, Record};
use rusqlite::{Connection, OptionalExtension, Params, params};

use crate::{Error, Login, SealingKeys, codec, nobody};

/// The row of `owner` with that number isn't of a bulk which is still under way.
macro_rules! is_in {
    ($number:literal) => {
        concat!(" AND NOT EXISTS (SELECT 1 FROM bulk WHERE ", $number, " BETWEEN first AND last)")
    };
}

// No joins: SQLite prepares one anew each time it is asked.
const OWNER_OF: &str = concat!(
    "SELECT name FROM owner WHERE id = (SELECT owner FROM entry WHERE account = ?1 AND key = ?2)",
    is_in!("owner.id")
);
const OWNER_OF_CREDENTIAL: &str =
    concat!("SELECT name FROM owner WHERE id = (SELECT owner FROM credential WHERE id = ?1)", is_in!("owner.id"));
/// The rows that an account's key and the account itself lead to. Both are looked
/// up, whether a key needs the other or not: the same work for every login.
const NUMBERS_OF: &str = concat!(
    "SELECT (SELECT owner FROM entry WHERE account = ?1 AND key = ?2",
    is_in!("entry.owner"),
    "), (SELECT owner FROM entry WHERE account = ?1 AND key = ''",
    is_in!("entry.owner"),
    ")"
);
const NAME: &str = "SELECT name FROM owner WHERE id = ?1";
const LOAD: &str = concat!("SELECT id, name, record, sealing_key, mac FROM owner WHERE name = ?1", is_in!("owner.id"));
const LOAD_NUMBER: &str = "SELECT id, name, record, sealing_key, mac FROM owner WHERE id = ?1";
/// What [`super::report`] looks at.
pub(super) const RECORDS: &str = concat!("SELECT record FROM owner WHERE name <> ?1", is_in!("owner.id"));

/// All owners, in the order of the index of their names.
const OWNERS: &str =
    concat!("SELECT name FROM owner WHERE name > ?1 AND name <> ?2", is_in!("owner.id"), " ORDER BY name LIMIT ?3");
/// Those of an account. The signs keep SQLite from going through all names for it.
const OWNERS_OF: &str = concat!(
    "SELECT name FROM owner WHERE id IN (SELECT owner FROM entry WHERE account = ?4) AND +name > ?1 AND +name <> ?2",
    is_in!("owner.id"),
    " ORDER BY +name LIMIT ?3"
);

fn owner_named(text: &str) -> Result<Owner, Error> {
    Owner::stored(text).map_err(|_| Error::Damaged("a name in a row"))
}

fn one_owner(connection: &Connection, sql: &str, params: impl Params) -> Result<Option<Owner>, Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let name: Option<String> = statement.query_row(params, |row| row.get(0)).optional()?;
    name.map(|name| owner_named(&name)).transpose()
}

/// The key column: empty for no key.
fn key_text(key: Option<&Fingerprint>) -> String {
    key.map(ToString::to_string).unwrap_or_default()
}

pub(super) fn owner_of(
    connection: &Connection,
    account: &Account,
    key: Option<&Fingerprint>,
) -> Result<Option<Owner>, Error> {
    one_owner(connection, OWNER_OF, params![account.as_str(), key_text(key)])
}

pub(super) fn owner_of_login(connection: &Connection, login: &Login) -> Result<Option<Owner>, Error> {
    let Some(number) = number_of_login(connection, login)? else { return Ok(None) };
    one_owner(connection, NAME, [number])
}

/// The number of the row that a login leads to; with several keys, the one that
/// all of them lead to.
fn number_of_login(connection: &Connection, login: &Login) -> Result<Option<i64>, Error> {
    let mut statement = connection.prepare_cached(NUMBERS_OF)?;
    let mut number_of = |key: Option<&Fingerprint>| {
        let both = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?));
        let (of_key, unbound) = statement.query_row(params![login.account.as_str(), key_text(key)], both)?;
        Ok::<_, Error>(of_key.or(unbound))
    };
    let Some((first, others)) = login.keys.split_first() else { return number_of(None) };
    let number = number_of(Some(first))?;
    for key in others {
        if number_of(Some(key))? != number {
            return Ok(None);
        }
    }
    Ok(number)
}

pub(super) fn owner_of_credential(connection: &Connection, id: &CredentialId) -> Result<Option<Owner>, Error> {
    one_owner(connection, OWNER_OF_CREDENTIAL, [id.as_str()])
}

pub(super) fn owners(
    connection: &Connection,
    account: Option<&Account>,
    after: Option<&Owner>,
    limit: usize,
) -> Result<Vec<Owner>, Error> {
    let (after, nobody) = (after.map_or("", Owner::as_str), Owner::nobody());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(if account.is_some() { OWNERS_OF } else { OWNERS })?;
    let name = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    let names = match account {
        Some(account) => statement.query_map(params![after, nobody.as_str(), limit, account.as_str()], name)?,
        None => statement.query_map(params![after, nobody.as_str(), limit], name)?,
    };
    names.map(|name| owner_named(&name?)).collect()
}

pub(super) fn knows(connection: &Connection, account: &Account) -> Result<bool, Error> {
    let known = concat!(
        "SELECT 1 FROM entry WHERE account = ?1",
        is_in!("entry.owner"),
        " UNION ALL SELECT 1 FROM former WHERE account = ?1"
    );
    Ok(connection.prepare_cached(known)?.exists([account.as_str()])?)
}

/// Remembers that somebody had an entry in `account`, whether anybody has one now or not.
pub(super) fn remember_account(connection: &Connection, account: &str) -> Result<(), Error> {
    connection.prepare_cached("INSERT OR IGNORE INTO former (account) VALUES (?1)")?.execute([account])?;
    Ok(())
}

/// Whether there is a row of that name, be it of a bulk that is under way.
pub(super) fn is_taken(connection: &Connection, owner: &Owner) -> Result<bool, Error> {
    Ok(connection.prepare_cached("SELECT 1 FROM owner WHERE name = ?1")?.exists([owner.as_str()])?)
}

/// What a record replaces.
#[derive(Default)]
pub(super) struct Before {
    /// The number of the row; none where there is no row yet.
    id: Option<i64>,
    /// Where it was found from.
    index: Index,
}

impl Before {
    pub(super) fn id(&self) -> Option<i64> {
        self.id
    }

    /// The same for a store whose index was emptied.
    pub(super) fn without_index(self) -> Self {
        Self { index: Index::default(), id: self.id }
    }
}

/// The record of `owner`, and what the next one replaces.
pub(super) fn load(
    connection: &Connection,
    owner: &Owner,
    keys: &SealingKeys,
) -> Result<Option<(Before, Record)>, Error> {
    read(connection.prepare_cached(LOAD)?.query([owner.as_str()])?, Some(owner), keys)
}

/// The same for whom a login leads to.
pub(super) fn load_of_login(
    connection: &Connection,
    login: &Login,
    keys: &SealingKeys,
) -> Result<Option<(Before, Record)>, Error> {
    let Some(number) = number_of_login(connection, login)? else { return Ok(None) };
    read(connection.prepare_cached(LOAD_NUMBER)?.query([number])?, None, keys)
}

/// Reads the one row there is: of `owner`, or of whom it names.
fn read(
    mut rows: rusqlite::Rows<'_>,
    owner: Option<&Owner>,
    keys: &SealingKeys,
) -> Result<Option<(Before, Record)>, Error> {
    let Some(row) = rows.next()? else { return Ok(None) };
    // Read where SQLite has it; a type that isn't ours is an error as any other.
    let a_type = |_| Error::Damaged("a column's type");
    let blob = |column| row.get_ref(column)?.as_blob().map_err(a_type);
    let (id, bytes, key, mac) = (row.get::<_, i64>(0)?, blob(2)?, row.get::<_, u32>(3)?, blob(4)?);
    let named = || owner_named(row.get_ref(1)?.as_str().map_err(a_type)?);
    let owner = owner.cloned().map_or_else(named, Ok)?;
    if keys.record_mac(key, &owner, bytes)?.as_slice() != mac {
        return Err(Error::Damaged("a record was changed outside of oathgate"));
    }
    let record = codec::decode(&owner, bytes, keys)?;
    Ok(Some((Before { id: Some(id), index: Index::of(&record) }, record)))
}

/// The record of nobody, made where there is none yet or it can't be read.
pub(super) fn load_nobody(connection: &Connection, keys: &SealingKeys) -> Result<(Before, Record), Error> {
    let owner = Owner::nobody();
    let made = || Ok((Before::default(), nobody::record()?));
    match load(connection, &owner, keys) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => made(),
        // Nothing is lost with it. A key that it was sealed with may be gone by now.
        Err(Error::Sqlite(failure)) => Err(Error::Sqlite(failure)),
        Err(_) => {
            connection.execute("DELETE FROM owner WHERE name = ?1", [owner.as_str()])?;
            made()
        }
    }
}

/// Writes a record, and where it is found. In `bytes` it is put together: were that
/// asked for anew each time, glibc would each time tidy up all the small pieces of
/// memory (malloc_consolidate).
pub(super) fn save(
    connection: &Connection,
    before: &Before,
    record: &Record,
    keys: &SealingKeys,
    bytes: &mut Vec<u8>,
) -> Result<(), Error> {
    let Some(id) = before.id else { return insert(connection, next_id(connection)?, &Row::of(record, keys)?) };
    let Seal { key, mac } = Seal::of(record, keys, bytes)?;
    let same_key = "UPDATE owner SET record = ?2, mac = ?4 WHERE id = ?1 AND sealing_key = ?3";
    let other_key = "UPDATE owner SET record = ?2, mac = ?4, sealing_key = ?3 WHERE id = ?1";
    // The index of the keys is written only where the key changes.
    if connection.prepare_cached(same_key)?.execute(params![id, bytes.as_slice(), key, &mac[..]])? == 0 {
        connection.prepare_cached(other_key)?.execute(params![id, bytes.as_slice(), key, &mac[..]])?;
    }
    if before.index.is_of(record) { Ok(()) } else { Index::of(record).replace(connection, id, &before.index) }
}

/// What a record's bytes are kept with: the number of the sealing key, and the MAC.
struct Seal {
    key: u32,
    mac: [u8; 32],
}

impl Seal {
    /// Writes a record into `bytes`.
    fn of(record: &Record, keys: &SealingKeys, bytes: &mut Vec<u8>) -> Result<Self, Error> {
        codec::encode(record, keys, bytes)?;
        let key = keys.current();
        Ok(Self { key, mac: keys.record_mac(key, &record.owner, bytes)? })
    }
}

/// A record of a new owner, ready to be written.
pub(super) struct Row {
    owner: Owner,
    bytes: Vec<u8>,
    seal: Seal,
    index: Index,
}

impl Row {
    /// Seals a record.
    pub(super) fn of(record: &Record, keys: &SealingKeys) -> Result<Self, Error> {
        let mut bytes = Vec::new();
        let seal = Seal::of(record, keys, &mut bytes)?;
        Ok(Self { owner: record.owner.clone(), bytes, seal, index: Index::of(record) })
    }
}

/// Writes the record of a new owner into the row with number `id`.
pub(super) fn insert(connection: &Connection, id: i64, row: &Row) -> Result<(), Error> {
    let Row { owner, bytes, seal: Seal { key, mac }, index } = row;
    connection
        .prepare_cached("INSERT INTO owner (id, name, record, sealing_key, mac) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![id, owner.as_str(), bytes, key, &mac[..]])?;
    index.replace(connection, id, &Index::default())
}

/// The number of the next row: beyond those that a bulk has taken.
pub(super) fn next_id(connection: &Connection) -> Result<i64, Error> {
    let next = "SELECT 1 + max(coalesce((SELECT max(id) FROM owner), 0), coalesce((SELECT max(last) FROM bulk), 0))";
    Ok(connection.prepare_cached(next)?.query_row([], |row| row.get(0))?)
}

/// Where a record is found from.
#[derive(Default)]
struct Index {
    entries: Vec<(Account, Option<Fingerprint>)>,
    credentials: Vec<CredentialId>,
}

impl Index {
    fn of(record: &Record) -> Self {
        if record.owner.is_nobody() {
            return Self::default(); // nothing leads to it
        }
        Self {
            entries: record.entries.iter().map(|entry| (entry.account.clone(), entry.key)).collect(),
            credentials: record.credentials.iter().map(|credential| credential.id.clone()).collect(),
        }
    }

    /// Whether `record` is found from the same.
    fn is_of(&self, record: &Record) -> bool {
        if record.owner.is_nobody() {
            return true;
        }
        let entries = record.entries.iter().map(|entry| (&entry.account, &entry.key));
        let credentials = record.credentials.iter().map(|credential| &credential.id);
        self.entries.iter().map(|(account, key)| (account, key)).eq(entries) && self.credentials.iter().eq(credentials)
    }

    /// Writes the index of the record with number `id`, where it was `before`.
    fn replace(&self, connection: &Connection, id: i64, before: &Self) -> Result<(), Error> {
        for (account, key) in before.entries.iter().filter(|entry| !self.entries.contains(entry)) {
            connection
                .prepare_cached("DELETE FROM entry WHERE account = ?1 AND key = ?2")?
                .execute(params![account.as_str(), key_text(key.as_ref())])?;
            remember_account(connection, account.as_str())?;
        }
        for (account, key) in self.entries.iter().filter(|entry| !before.entries.contains(entry)) {
            connection
                .prepare_cached("INSERT INTO entry (account, key, owner) VALUES (?1, ?2, ?3)")?
                .execute(params![account.as_str(), key_text(key.as_ref()), id])?;
        }
        for credential in self.credentials.iter().filter(|credential| !before.credentials.contains(credential)) {
            connection
                .prepare_cached("INSERT INTO credential (id, owner) VALUES (?1, ?2)")?
                .execute(params![credential.as_str(), id])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus::{RePrepare, VmStep};
    use rusqlite::types::Type;

    use super::*;
    use crate::sqlite::schema;

    /// Everybody may ask for their own account's owners, and root's tools do all the time.
    #[test]
    fn the_owners_of_an_account_are_found_without_a_look_at_the_others() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, 0).unwrap();
        let rows = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
                    INSERT INTO owner SELECT i, format('person%04d', i), x'00', 1, x'00' FROM n;
                    INSERT INTO entry SELECT name, '', id FROM owner;
                    INSERT INTO entry VALUES ('shared', 'a', 4321), ('shared', 'b', 17), ('shared', 'c', 17);";
        connection.execute_batch(rows).unwrap();
        let names = |account: Option<&str>, after: &str, limit| {
            let account: Option<Account> = account.map(|account| account.parse().unwrap());
            let after = (!after.is_empty()).then(|| after.parse().unwrap());
            let found = owners(&connection, account.as_ref(), after.as_ref(), limit).unwrap();
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names(Some("shared"), "", 10), ["person0017", "person4321"]);
        assert_eq!(names(Some("shared"), "person0017", 10), ["person4321"]);
        assert_eq!(names(Some("shared"), "", 1), ["person0017"]);
        assert_eq!(names(Some("person4999"), "", 10), ["person4999"]);
        assert_eq!(names(None, "person0100", 2), ["person0101", "person0102"]);
        assert_eq!(names(Some("nobody-there"), "", 10), [""; 0]);
        for statement in [OWNERS, OWNERS_OF] {
            let steps = connection.prepare_cached(statement).unwrap().get_status(VmStep);
            assert!((1..1000).contains(&steps), "{steps} steps: {statement}");
        }
    }

    /// SQLite prepares some statements anew whenever other values are bound.
    #[test]
    fn what_each_login_asks_is_prepared_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, 0).unwrap();
        let rows = "INSERT INTO owner VALUES (1, 'a', x'00', 1, x'00'); INSERT INTO entry VALUES ('a', 'a', 1);
                    INSERT INTO credential VALUES ('a', 1);";
        connection.execute_batch(rows).unwrap();
        let names = [OWNER_OF, OWNER_OF_CREDENTIAL, NUMBERS_OF, LOAD].map(|statement| (statement, ["a", "b", "c"]));
        let numbers = [NAME, LOAD_NUMBER].map(|statement| (statement, ["1", "2", "3"]));
        for (statement, values) in names.into_iter().chain(numbers) {
            let cached = || connection.prepare_cached(statement).unwrap();
            for value in values {
                let mut statement = cached();
                let values = vec![value; statement.parameter_count()];
                let found =
                    statement.query_row(rusqlite::params_from_iter(values), |row| Ok(row.get_ref(0)?.data_type()));
                let found = found.optional().unwrap().is_some_and(|first| first != Type::Null);
                assert_eq!(found, value == "a" || value == "1");
            }
            assert_eq!(cached().get_status(RePrepare), 0);
        }
    }
}
