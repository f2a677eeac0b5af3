//! One image out of a database and its logs, as SQLite itself would see it.

use zeroize::Zeroizing;

use super::{journal, wal};
use crate::format::MAX_FILE;
use crate::{Error, Parsed, Source};

/// A database in memory; whole pages.
pub(super) struct Image {
    pub bytes: Zeroizing<Vec<u8>>,
    pub page: usize,
}

/// Puts a database together. A hot journal is rolled back first, then come the
/// commits of the write-ahead log.
pub(super) fn assemble(source: &Source, parsed: &mut Parsed) -> Result<Zeroizing<Vec<u8>>, Error> {
    let cut_off = || source.error("the database is cut off").hint("copy it from the phone again, as a whole");
    let page = page_size(source.bytes).ok_or_else(cut_off)?;
    let mut image = Image { bytes: Zeroizing::new(source.bytes.to_vec()), page };
    if let Some(log) = source.journal {
        journal::roll_back(&mut image, log).map_err(|reason| source.error(reason))?;
    }
    if let Some(log) = source.wal.filter(|log| !log.is_empty())
        && !wal::apply(&mut image, log).map_err(|reason| source.error(reason))?
    {
        parsed
            .notes
            .push(format!("{}: nothing in its -wal counts: it is damaged, or of another database", source.name));
    }
    let pages = be32(&image.bytes, 28).unwrap_or(0) as usize;
    // The number counts only where the version after it is that of the last change.
    let known = be32(&image.bytes, 24) == be32(&image.bytes, 92);
    if known && pages.saturating_mul(page) > image.bytes.len() {
        return Err(cut_off());
    }
    // Read and write version 1: memory has no write-ahead log.
    if let Some(versions) = image.bytes.get_mut(18..20) {
        versions.fill(1);
    }
    Ok(image.bytes)
}

/// The page size of a database's header (SQLite file format §1.3.2).
fn page_size(header: &[u8]) -> Option<usize> {
    let size = match header.get(16..18)? {
        [0, 1] => 65_536,
        [high, low] => usize::from(*high) << 8 | usize::from(*low),
        _ => return None,
    };
    (is_page_size(size) && header.len() >= size).then_some(size)
}

/// Whether a page can have so many bytes.
pub(super) fn is_page_size(size: usize) -> bool {
    size.is_power_of_two() && (512..=65_536).contains(&size)
}

impl Image {
    /// Makes the database `pages` long.
    pub fn resize(&mut self, pages: u32) -> Result<(), &'static str> {
        let length = (pages as usize).checked_mul(self.page).filter(|length| *length as u64 <= MAX_FILE);
        let length = length.ok_or("its log speaks of a database that is too large")?;
        if length > self.bytes.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(length));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.resize(length, 0);
        Ok(())
    }

    /// Puts a page in its place, from 1; beyond the end it is passed over.
    pub fn put(&mut self, number: u32, content: &[u8]) {
        let start = (number as usize).checked_sub(1).and_then(|index| index.checked_mul(self.page));
        let place = start.and_then(|start| self.bytes.get_mut(start..start.checked_add(self.page)?));
        if let Some(place) = place.filter(|place| place.len() == content.len()) {
            place.copy_from_slice(content);
        }
    }
}

/// Four bytes, the largest first.
pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}
