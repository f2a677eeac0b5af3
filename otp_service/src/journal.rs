//! What syslog is told: every acceptance and change, and refusals as in the
//! audit: what repeats itself within a minute is one line, with its number.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use otp_core::UnixTime;
use otp_store::AuditRow;
use otp_wire::syslog::Log;

/// Refusals within so many seconds of the first one are told with the next.
const SECONDS: u64 = 60;
/// So many different refusals are told in a minute; of more only their number.
const DIFFERENT: usize = 256;

/// The system's log, and what it was told.
pub struct Journal {
    log: Log,
    told: Mutex<Told>,
}

impl Default for Journal {
    fn default() -> Self {
        Self { log: Log::open(), told: Mutex::default() }
    }
}

#[derive(Default)]
struct Told {
    /// By the line: since when, and how often it wasn't told since.
    lines: HashMap<String, (UnixTime, u64)>,
    swept: UnixTime,
    more: u64,
}

impl Journal {
    /// Tells syslog of a row of the audit.
    pub fn tell(&self, row: &AuditRow) {
        self.lines(row).iter().for_each(|line| self.say(line));
    }

    /// Tells it of something else.
    pub fn say(&self, line: &str) {
        self.log.authpriv("oathgated", line);
    }

    /// The lines that are to be told now.
    fn lines(&self, row: &AuditRow) -> Vec<String> {
        let line = line(row);
        if row.verdict != "refuse" {
            return vec![line];
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = told.sweep(row.at);
        if let Some((_, silent)) = told.lines.get_mut(&line) {
            *silent += 1;
        } else if told.lines.len() >= DIFFERENT {
            told.more += 1;
        } else {
            told.lines.insert(line.clone(), (row.at, 0));
            lines.push(line);
        }
        lines
    }
}

impl Told {
    /// Forgets what was told a minute ago or, by a clock that was set back
    /// since, after now; says how often it came again.
    fn sweep(&mut self, now: UnixTime) -> Vec<String> {
        if self.swept == now {
            return vec![];
        }
        self.swept = now;
        let mut lines = Vec::new();
        self.lines.retain(|line, (since, silent)| {
            let stays = (*since..*since + SECONDS).contains(&now);
            if !stays && *silent > 0 {
                lines.push(format!("{line} ({silent} more within a minute)"));
            }
            stays
        });
        if self.more > 0 && self.lines.len() < DIFFERENT {
            lines.push(format!("refuse: {} more, of various kinds; see oathgate audit", self.more));
            self.more = 0;
        }
        lines
    }
}

fn line(row: &AuditRow) -> String {
    fn or_dash(text: &str) -> &str {
        if text.is_empty() { "-" } else { text }
    }
    let mut line = String::with_capacity(256); // nearly none is longer
    let _ = write!(
        line,
        "{}: {} account={} owner={} service={} key={} from={} tty={} uid={}{}",
        row.verdict,
        row.reason,
        or_dash(&row.account),
        or_dash(&row.owner),
        or_dash(&row.service),
        or_dash(&row.key),
        or_dash(&row.address),
        or_dash(&row.tty),
        row.peer,
        if row.claimed { " (claimed)" } else { "" },
    );
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = 1_800_000_000;

    fn refusal(account: &str, at: UnixTime) -> AuditRow {
        let (reason, account) = ("wrong code".to_owned(), account.to_owned());
        AuditRow { at, verdict: "refuse", reason, account, ..AuditRow::default() }
    }

    #[test]
    fn repeated_refusals_are_two_lines_a_minute() {
        let journal = Journal::default();
        let said: Vec<String> = (0..61).flat_map(|second| journal.lines(&refusal("alice", NOW + second))).collect();
        let first = "refuse: wrong code account=alice owner=- service=- key=- from=- tty=- uid=0";
        assert_eq!(said, [first.to_owned(), format!("{first} (59 more within a minute)"), first.to_owned()]);
    }

    #[test]
    fn acceptances_are_always_told() {
        let journal = Journal::default();
        let row = AuditRow { verdict: "accept", ..refusal("alice", NOW) };
        assert_eq!((0..3).map(|_| journal.lines(&row).len()).sum::<usize>(), 3);
    }

    #[test]
    fn a_guesser_with_a_thousand_faces_fills_no_log_and_no_memory() {
        let journal = Journal::default();
        let said: usize = (0..10_000).map(|face| journal.lines(&refusal(&format!("a{face}"), NOW)).len()).sum();
        assert_eq!((said, journal.told.lock().unwrap().lines.len()), (DIFFERENT, DIFFERENT));
        let later = journal.lines(&refusal("alice", NOW + SECONDS));
        assert!(later[0].starts_with("refuse: 9744 more"), "{later:?}");
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nothing_silent() {
        let journal = Journal::default();
        assert_eq!(journal.lines(&refusal("alice", NOW)).len(), 1);
        assert_eq!(journal.lines(&refusal("alice", NOW - 1000)).len(), 1);
    }
}
