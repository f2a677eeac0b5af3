//! A rollback journal (SQLite file format §3): pages as they were before a
//! change that was cut short.

use super::image::{Image, be32, is_page_size};

const MAGIC: &[u8] = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7";

/// Undoes the change in `image`, if the journal is a hot one.
pub(super) fn roll_back(image: &mut Image, journal: &[u8]) -> Result<(), &'static str> {
    let mut rest = journal;
    let mut first = true;
    while let Some(segment) = Segment::read(rest, image.page)? {
        if first {
            image.resize(segment.pages)?;
            first = false;
        }
        let Some(length) = segment.play(rest, image) else { break };
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(())
}

/// A header and the records behind it.
struct Segment {
    records: u32,
    nonce: u32,
    /// How long the database was, in pages.
    pages: u32,
    /// Headers begin at multiples of so many bytes.
    sector: usize,
}

impl Segment {
    /// `None` where the journal is over, or was never hot.
    fn read(bytes: &[u8], page: usize) -> Result<Option<Self>, &'static str> {
        if !bytes.starts_with(MAGIC) {
            return Ok(None);
        }
        let number = |at| be32(bytes, at).ok_or("its -journal is cut off");
        let segment =
            Self { records: number(8)?, nonce: number(12)?, pages: number(16)?, sector: number(20)? as usize };
        if number(24)? as usize != page || !segment.sector.is_power_of_two() || segment.sector < 32 {
            return Err("its -journal is of another database");
        }
        debug_assert!(is_page_size(page));
        Ok(Some(segment))
    }

    /// Puts the pages back. The length of the segment, or `None` at a record
    /// that was never written to its end: nothing after it counts.
    fn play(&self, bytes: &[u8], image: &mut Image) -> Option<usize> {
        let record = image.page + 8;
        let body = bytes.get(self.sector..)?;
        let records = match self.records {
            // As many as there are: a journal of a program that never syncs.
            u32::MAX => body.len() / record,
            records => records as usize,
        };
        for record in body.chunks_exact(record).take(records) {
            let (number, page) = (be32(record, 0)?, record.get(4..4 + image.page)?);
            if number == 0 || be32(record, 4 + image.page)? != self.checksum(page) {
                return None;
            }
            image.put(number, page);
        }
        let length = self.sector.checked_add(records.checked_mul(record)?)?;
        Some(length.next_multiple_of(self.sector))
    }

    /// Every 200th byte from the end.
    fn checksum(&self, page: &[u8]) -> u32 {
        let places = (1..).map_while(|step| page.len().checked_sub(200 * step)).take_while(|place| *place > 0);
        places.fold(self.nonce, |sum, place| sum.wrapping_add(page.get(place).copied().unwrap_or(0).into()))
    }
}
