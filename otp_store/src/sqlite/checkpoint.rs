//! The way of committed pages from the write-ahead log into the database.
//!
//! SQLite would have the writer copy them, and everybody's answer would wait for
//! two fsyncs more. So a thread copies them beside the writer. When few are left
//! the thread copies the rest, and the writer commits nothing until it has: then
//! SQLite begins the log anew with the next commit (sqlite.org/wal.html, section
//! 2.1: a log with frames that are not in the database yet can only grow).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{Builder, JoinHandle};

use rusqlite::{Connection, OpenFlags};

use super::identity::Identity;
use super::{Journal, connect, schema};
use crate::Error;

/// Pages in the log with which a checkpoint begins (as SQLite's default).
const PAGES: i64 = 1000;
/// Pages that may come meanwhile; then the writer waits, so that the log never
/// needs more than a part of the reserve.
const MEANWHILE: i64 = 500;
/// So few pages are the rest,
const FEW: i64 = 100;
/// or what has come after so many rounds.
const ROUNDS: usize = 3;

/// What the writer knows of the log.
pub(super) struct Checkpoints {
    /// Pages in the log after the last commit.
    pages: Arc<AtomicI64>,
    /// With so many pages a checkpoint begins.
    due: i64,
    under_way: Option<Part>,
    copier: Option<Copier>,
    path: PathBuf,
    identity: Arc<Identity>,
}

/// What the thread copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Most of the log, while the writer commits.
    Most,
    /// The rest, while it doesn't.
    Rest,
}

/// How far a checkpoint came.
#[derive(Debug, Clone, Copy, Default)]
struct Copied {
    /// Pages in the log,
    all: i64,
    /// and those of them that are in the database.
    copied: i64,
}

/// The thread that copies; there is none before it is needed.
struct Copier {
    begin: Option<SyncSender<Part>>,
    done: Receiver<Copied>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Takes the checkpoints of the store at `path` over from SQLite.
    pub(super) fn of(connection: &mut Connection, path: PathBuf, identity: Arc<Identity>) -> Result<Self, Error> {
        let pages = Arc::new(AtomicI64::new(0));
        let count = Arc::clone(&pages);
        connection.wal_hook(Some(move |_: &mut _, pages| {
            count.store(i64::from(pages), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { pages, due: PAGES, under_way: None, copier: None, path, identity })
    }

    /// Goes on with what is due after a commit. That it fails is no commit's
    /// failure: the pages are safe in the log, and the next checkpoint takes them.
    pub(super) fn go_on(&mut self, connection: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        match self.under_way {
            None => {
                if pages + PAGES < self.due {
                    self.due = PAGES; // the log began anew
                }
                if pages >= self.due && !self.begin(Part::Most) {
                    self.ended(copy(connection));
                }
            }
            Some(Part::Most) => match self.waited(pages >= self.due + MEANWHILE) {
                Err(TryRecvError::Empty) => {}
                Ok(_) if self.begin(Part::Rest) => {}
                _ => self.ended(copy(connection)),
            },
            Some(Part::Rest) => {}
        }
    }

    /// Whether the rest is being copied.
    pub(super) fn is_ending(&self) -> bool {
        self.under_way == Some(Part::Rest)
    }

    /// Waits for the rest: before each commit.
    pub(super) fn end(&mut self) {
        if self.is_ending()
            && let Ok(copied) = self.waited(true)
        {
            self.ended(copied);
        }
    }

    fn ended(&mut self, Copied { all, copied }: Copied) {
        // Somebody who reads for long holds the log as it is: not each commit tries again.
        self.due = if copied < all || all == 0 { self.pages.load(Ordering::Relaxed) + PAGES } else { PAGES };
    }

    /// Has the thread begin with a part; false where there is no thread.
    fn begin(&mut self, part: Part) -> bool {
        if self.copier.is_none() {
            let (path, identity, pages) = (self.path.clone(), Arc::clone(&self.identity), Arc::clone(&self.pages));
            self.copier = Copier::start(move |begin, done| copier(&path, &identity, &pages, begin, done));
        }
        let begun = self.copier.as_ref().and_then(|copier| copier.begin.as_ref()?.send(part).ok());
        self.under_way = begun.map(|()| part);
        if begun.is_none() {
            self.copier = None;
        }
        begun.is_some()
    }

    /// What the thread has copied when its part is done, if need be after waiting.
    fn waited(&mut self, wait: bool) -> Result<Copied, TryRecvError> {
        let done = &self.copier.as_ref().ok_or(TryRecvError::Disconnected)?.done;
        let copied = if wait { done.recv().map_err(|_| TryRecvError::Disconnected) } else { done.try_recv() };
        if let Err(TryRecvError::Empty) = copied {
            return copied;
        }
        self.under_way = None;
        if copied.is_err() {
            self.copier = None;
        }
        copied
    }
}

impl Copier {
    fn start(work: impl FnOnce(&Receiver<Part>, &SyncSender<Copied>) + Send + 'static) -> Option<Self> {
        let ((begin, begun), (end, done)) = (sync_channel(1), sync_channel(1));
        let thread = Builder::new().name("checkpoints".to_owned()).spawn(move || work(&begun, &end)).ok()?;
        Some(Self { begin: Some(begin), done, thread: Some(thread) })
    }
}

impl Drop for Copier {
    /// Waits for what is under way: the writer is the last to close the database,
    /// and puts the log away.
    fn drop(&mut self) {
        self.begin.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's work. Where it can't begin, the writer copies everything itself.
fn copier(path: &Path, identity: &Identity, pages: &AtomicI64, begin: &Receiver<Part>, done: &SyncSender<Copied>) {
    let Ok(connection) = identity.check().and_then(|()| connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)) else {
        return;
    };
    if schema::settings(&connection, Journal::Wal).is_err() {
        return;
    }
    for part in begin {
        let mut copied = Copied::default();
        for _ in 0..if part == Part::Most { ROUNDS } else { 1 } {
            copied = copy(&connection);
            if pages.load(Ordering::Relaxed) - copied.copied < FEW {
                break;
            }
        }
        if done.send(copied).is_err() {
            return;
        }
    }
}

/// Copies what no reader holds back.
fn copy(connection: &Connection) -> Copied {
    let checkpoint = connection.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)");
    let copied = |row: &rusqlite::Row<'_>| Ok(Copied { all: row.get(1)?, copied: row.get(2)? });
    // Where it fails, nothing was copied.
    checkpoint.and_then(|mut checkpoint| checkpoint.query_row([], copied)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Log {
        connection: Connection,
        checkpoints: Checkpoints,
    }

    impl Log {
        fn new(folder: &Path, copied_from: &Path) -> Self {
            let path = folder.join("store.db");
            std::fs::write(&path, b"").unwrap();
            let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
            schema::create(&mut connection, Journal::Wal).unwrap();
            connection.execute_batch("CREATE TABLE page (bytes BLOB)").unwrap();
            let identity = Arc::new(Identity::of(&path).unwrap());
            let checkpoints = Checkpoints::of(&mut connection, copied_from.to_owned(), identity).unwrap();
            Self { connection, checkpoints }
        }

        /// Commits some pages; how long the log is then.
        fn commit(&mut self) -> i64 {
            let twenty = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
                          INSERT INTO page SELECT randomblob(4000) FROM n";
            self.checkpoints.end();
            self.connection.execute(twenty, []).unwrap();
            let pages = self.checkpoints.pages.load(Ordering::Relaxed);
            self.checkpoints.go_on(&self.connection);
            pages
        }

        /// How often the log began anew while so many pages came.
        fn begun_anew(&mut self, pages: i64) -> usize {
            let (mut before, mut times) = (self.checkpoints.pages.load(Ordering::Relaxed), 0);
            for _ in 0..pages / 20 {
                let now = self.commit();
                times += usize::from(now < before);
                before = now;
            }
            times
        }

        fn rows(&self) -> i64 {
            self.connection.query_row("SELECT count(*) FROM page", [], |row| row.get(0)).unwrap()
        }
    }

    #[test]
    fn the_log_begins_anew_before_it_is_long() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::new(folder.path(), &folder.path().join("store.db"));
        let mut longest = 0;
        for _ in 0..1000 {
            longest = longest.max(log.commit());
        }
        assert!((PAGES..PAGES + MEANWHILE + 100).contains(&longest), "{longest} pages");
        assert!(log.begun_anew(4 * PAGES) >= 2);
        assert!(log.checkpoints.copier.is_some(), "beside the writer");
        drop(log.checkpoints);
        assert_eq!(
            log.connection.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(),
            "ok"
        );
    }

    #[test]
    fn without_a_thread_the_writer_copies() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::new(folder.path(), &folder.path().join("none.db"));
        assert!(log.begun_anew(4 * PAGES) >= 2);
    }

    /// What somebody still reads stays in the log; then it begins anew as before.
    #[test]
    fn who_reads_for_long_holds_the_log_and_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let mut log = Log::new(folder.path(), &path);
        log.commit();
        let reader = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM page").unwrap();
        assert_eq!(log.begun_anew(3 * PAGES), 0);
        assert_eq!(reader.query_row("SELECT count(*) FROM page", [], |row| row.get::<_, i64>(0)).unwrap(), 20);
        reader.execute_batch("COMMIT").unwrap();
        assert!(log.begun_anew(3 * PAGES) >= 1);
        assert_eq!(log.rows(), 20 + 6 * PAGES);
    }
}
