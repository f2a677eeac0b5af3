//! Databases of authenticators. The bytes become a database in memory: no file
//! is opened, let alone written, and rows that lie in a write-ahead log or were
//! about to be rolled back are dealt with before.

mod google;
mod image;
mod journal;
mod microsoft;
mod wal;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, MAIN_DB, Row};

pub(crate) use google::GoogleAuthenticator;
pub(crate) use microsoft::MicrosoftAuthenticator;

use crate::{Error, Parsed, Source};

/// How a database begins (SQLite file format §1.3).
const MAGIC: &[u8] = b"SQLite format 3\0";

/// Whether `source` is a database.
fn is_database(source: &Source) -> bool {
    source.bytes.starts_with(MAGIC)
}

/// Opens the database, its logs taken into account.
fn open(source: &Source, parsed: &mut Parsed) -> Result<Connection, Error> {
    let image = image::assemble(source, parsed)?;
    let connection = load(&image).map_err(|error| damaged(source, &error))?;
    let check: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| damaged(source, &error))?;
    if check != "ok" {
        return Err(source.error("the database is damaged").hint("copy it from the phone again"));
    }
    Ok(connection)
}

fn load(image: &[u8]) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    connection.deserialize_read_exact(MAIN_DB, image, image.len(), true)?;
    // What the file brings along may not call anything.
    connection.execute_batch("PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY")?;
    Ok(connection)
}

fn damaged(source: &Source, error: &rusqlite::Error) -> Error {
    let reason = match error.sqlite_error_code() {
        Some(code) => format!("the database is damaged or cut off ({code:?})"),
        None => "the database holds something else than it should".to_owned(),
    };
    source.error(reason).hint("copy it from the phone again, with the -wal and -journal beside it")
}

/// The columns of the table `accounts`; none where it is no table.
fn columns(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut tables = connection.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'accounts'")?;
    if !tables.exists([])? {
        return Ok(vec![]);
    }
    let mut columns = connection.prepare("SELECT name FROM pragma_table_info('accounts')")?;
    columns.query_map([], |row| row.get(0))?.collect()
}

/// Whether the database has a table `accounts` with this column. Looks at the
/// first page alone, where the schema of so small a database begins.
fn mentions(source: &Source, word: &str) -> bool {
    let holds = |bytes: &[u8]| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    holds(source.bytes) || source.wal.is_some_and(holds)
}

/// A cell's text; empty for NULL, `None` for what is no UTF-8 text.
fn text<'a>(row: &'a Row, column: usize) -> Option<&'a str> {
    match row.get_ref(column).ok()? {
        ValueRef::Null => Some(""),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}
