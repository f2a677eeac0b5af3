//! A few connections that read, handed from one reader to the next.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::READERS;
use crate::Error;

#[derive(Default)]
pub(super) struct Readers {
    places: Mutex<Places>,
    free: Condvar,
}

#[derive(Default)]
struct Places {
    taken: usize,
    idle: Vec<Connection>,
}

impl Readers {
    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection for one reading; the next one gets it afterwards.
pub(super) struct Reader<'a> {
    readers: &'a Readers,
    pub(super) connection: Option<Connection>,
}

impl<'a> Reader<'a> {
    /// Waits for a place, and opens a connection where none is left over.
    pub(super) fn take(readers: &'a Readers, open: impl FnOnce() -> Result<Connection, Error>) -> Result<Self, Error> {
        let mut places = readers.lock();
        while places.taken >= READERS {
            places = readers.free.wait(places).unwrap_or_else(PoisonError::into_inner);
        }
        places.taken += 1;
        // From here on the place is given back however this ends.
        let mut reader = Self { readers, connection: places.idle.pop() };
        drop(places);
        if reader.connection.is_none() {
            reader.connection = Some(open()?);
        }
        Ok(reader)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut places = self.readers.lock();
        places.taken -= 1;
        places.idle.extend(self.connection.take());
        drop(places);
        self.readers.free.notify_one();
    }
}
