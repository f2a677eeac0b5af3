//! A write-ahead log (SQLite file format §4): committed pages that the database
//! itself does not have yet.

use super::image::{Image, be32};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// Puts the log's commits into `image`. `false` where the log is none of this
/// database, as SQLite would see it: it then counts for nothing.
pub(super) fn apply(image: &mut Image, log: &[u8]) -> Result<bool, &'static str> {
    let Some(order) = order(log) else { return Ok(false) };
    let header = log.get(..HEADER).unwrap_or_default();
    let sum = checksum((0, 0), header.get(..24).unwrap_or_default(), order);
    if be32(header, 24).zip(be32(header, 28)) != Some(sum) || be32(header, 8) != Some(image.page as u32) {
        return Ok(false);
    }
    let frames = log.get(HEADER..).unwrap_or_default().chunks_exact(FRAME_HEADER + image.page);
    let (mut sum, mut waiting, mut applied) = (sum, Vec::new(), false);
    for frame in frames {
        let (head, page) = frame.split_at(FRAME_HEADER);
        sum = checksum(checksum(sum, head.get(..8).unwrap_or_default(), order), page, order);
        // An older log's frames may follow; they have other salts.
        if head.get(8..16) != header.get(16..24) || be32(head, 16).zip(be32(head, 20)) != Some(sum) {
            break;
        }
        let (Some(number), Some(pages)) = (be32(head, 0), be32(head, 4)) else { break };
        waiting.push((number, page));
        if pages != 0 {
            image.resize(pages)?;
            waiting.drain(..).for_each(|(number, page)| image.put(number, page));
            applied = true;
        }
    }
    Ok(applied)
}

/// How the words of a checksum are read.
type Order = fn([u8; 4]) -> u32;

fn order(log: &[u8]) -> Option<Order> {
    match be32(log, 0)? {
        0x377f_0682 => Some(u32::from_le_bytes),
        0x377f_0683 => Some(u32::from_be_bytes),
        _ => None,
    }
}

fn checksum((mut first, mut second): (u32, u32), bytes: &[u8], order: Order) -> (u32, u32) {
    for pair in bytes.chunks_exact(8) {
        let word = |at: usize| pair.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, order);
        first = first.wrapping_add(word(0)).wrapping_add(second);
        second = second.wrapping_add(word(4)).wrapping_add(first);
    }
    (first, second)
}
