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

    /// Tells it at `now` of something else that may repeat itself.
    pub fn mention(&self, line: String, now: UnixTime) {
        self.unlike(line, now).iter().for_each(|line| self.say(line));
    }

    fn say(&self, line: &str) {
        self.log.authpriv("oathgated", line);
    }

    /// The lines that are to be told now.
    fn lines(&self, row: &AuditRow) -> Vec<String> {
        let line = line(row);
        if row.may_repeat() { self.unlike(line, row.at) } else { vec![line] }
    }

    /// This line, where it was not told within a minute, and how often others came again.
    fn unlike(&self, line: String, now: UnixTime) -> Vec<String> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = told.sweep(now);
        if let Some((_, silent)) = told.lines.get_mut(&line) {
            *silent += 1;
        } else if told.lines.len() >= DIFFERENT {
            told.more += 1;
        } else {
            told.lines.insert(line.clone(), (now, 0));
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

/// A row in one line. What the kernel vouches for comes before what somebody said,
/// and no value has a blank in it: so none can pass for a field of its own.
fn line(row: &AuditRow) -> String {
    let mut line = String::with_capacity(256); // nearly none is longer
    let claimed = if row.claimed { " (claimed)" } else { "" };
    let _ = write!(line, "{}: {} uid={}{claimed}", row.verdict, row.reason, row.peer);
    let fields = [
        (" account=", &row.account),
        (" owner=", &row.owner),
        (" service=", &row.service),
        (" key=", &row.key),
        (" from=", &row.address),
        (" tty=", &row.tty),
    ];
    for (name, value) in fields {
        line.push_str(name);
        add(&mut line, value);
    }
    line
}

/// Characters of a value that are told: more than a fingerprint has.
const LONGEST: usize = 64;

fn add(line: &mut String, value: &str) {
    if value.is_empty() {
        line.push('-');
    }
    for character in value.chars().take(LONGEST) {
        // Several keys have blanks between them.
        if character.is_whitespace() { line.push(',') } else { line.push(character) }
    }
    if value.chars().nth(LONGEST).is_some() {
        line.push('\u{2026}');
    }
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
        let first = "refuse: wrong code uid=0 account=alice owner=- service=- key=- from=- tty=-";
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
    fn a_claim_passes_for_no_other_field_and_hides_none() {
        let forged = format!("203.0.113.9 tty=ssh\u{2003}uid=0 {}", "\u{1f511}".repeat(200));
        let row = AuditRow { peer: 1000, claimed: true, address: forged, tty: "pts/1".into(), ..refusal("a b", NOW) };
        let line = line(&row);
        assert!(line.starts_with("refuse: wrong code uid=1000 (claimed) account=a,b owner=- "), "{line}");
        assert!(line.contains(" from=203.0.113.9,tty=ssh,uid=0,") && line.ends_with("\u{2026} tty=pts/1"), "{line}");
        assert_eq!(line.matches(" uid=").count(), 1, "{line}");
        assert!(line.len() < 1000, "{}", line.len());
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nothing_silent() {
        let journal = Journal::default();
        assert_eq!(journal.lines(&refusal("alice", NOW)).len(), 1);
        assert_eq!(journal.lines(&refusal("alice", NOW - 1000)).len(), 1);
    }
}
