//! How much of the audit one uid may fill with what it says of itself.
//!
//! Others than root make up service, address and terminal, and root's rows are
//! the older ones: whoever never says the same twice would have them removed.

use std::collections::HashMap;

use super::audit;
use crate::AuditRow;

/// Bytes of refusals of one uid in a minute that keep what they say: some 300 of them.
const BYTES: usize = 64 * 1024;
/// What stands for all further ones.
const MORE: &str = "more refusals than are told apart in a minute";

/// What each uid has claimed in this minute.
#[derive(Default)]
pub(super) struct Claims {
    minute: u64,
    bytes: HashMap<u32, usize>,
}

impl Claims {
    /// What is counted in a row's stead, where it is a refusal beyond the share of
    /// its uid: all of those are alike, and so are one row, with their number.
    pub(super) fn beyond(&mut self, row: &AuditRow) -> Option<AuditRow> {
        if !row.claimed || row.verdict != "refuse" {
            return None;
        }
        if self.minute != row.at / 60 {
            (self.minute, self.bytes) = (row.at / 60, HashMap::new());
        }
        let bytes = self.bytes.entry(row.peer).or_default();
        *bytes = bytes.saturating_add(audit::bytes(row));
        (*bytes > BYTES).then(|| untold(row))
    }
}

fn untold(row: &AuditRow) -> AuditRow {
    let AuditRow { at, verdict, peer, claimed, .. } = *row;
    AuditRow { at, verdict, peer, claimed, reason: MORE.to_owned(), ..AuditRow::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn refusal(peer: u32, number: usize) -> AuditRow {
        let (tty, account) = (format!("tty{number}"), "alice".to_owned());
        AuditRow { at: NOW, verdict: "refuse", account, tty, peer, claimed: true, ..AuditRow::default() }
    }

    #[test]
    fn a_uid_that_never_says_the_same_fills_no_more_than_its_share() {
        let mut claims = Claims::default();
        let kept: usize = (0..100_000)
            .map(|number| refusal(1000, number))
            .filter(|row| claims.beyond(row).is_none())
            .map(|row| audit::bytes(&row))
            .sum();
        assert!((BYTES / 2..=BYTES).contains(&kept), "{kept}");
        let alike =
            AuditRow { reason: MORE.to_owned(), account: String::new(), tty: String::new(), ..refusal(1000, 0) };
        assert_eq!(claims.beyond(&refusal(1000, 0)), Some(alike));
        for other in [
            refusal(1001, 0),
            AuditRow { claimed: false, ..refusal(1000, 0) },
            AuditRow { verdict: "accept", ..refusal(1000, 0) },
            AuditRow { at: NOW + 60, ..refusal(1000, 0) },
        ] {
            assert_eq!(claims.beyond(&other), None);
        }
    }
}
