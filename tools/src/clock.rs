//! Points in time, as people write and read them. Always UTC, and it says so.

use std::process::{Command, Stdio};

use otp_wire::date::{self, digits, leap, lengths};

use crate::error::Failure;

const DAY: u64 = 86_400;

/// The present, in seconds since 1970.
#[allow(clippy::disallowed_methods)] // this program's one look at the clock
pub fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Whether systemd says that nothing keeps the clock right. Where systemd is
/// not to be asked, nobody can say.
pub fn unsynchronised() -> bool {
    let mut timedatectl = Command::new("/usr/bin/timedatectl");
    timedatectl.args(["show", "--property=NTPSynchronized", "--value"]).env_clear().stderr(Stdio::null());
    timedatectl.output().is_ok_and(|output| output.status.success() && output.stdout.trim_ascii() == b"no")
}

/// `2031-01-31 12:34Z`
pub fn minute(time: u64) -> String {
    let (year, month, day) = date_of(time / DAY);
    let minutes = time % DAY / 60;
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}Z", minutes / 60, minutes % 60)
}

/// `2031-01-31 12:34:56Z`
pub fn second(time: u64) -> String {
    format!("{}:{:02}Z", minute(time).trim_end_matches('Z'), time % 60)
}

/// `20310131T123456Z`, for names of files.
pub fn stamp(time: u64) -> String {
    second(time).replace(['-', ':'], "").replace(' ', "T")
}

/// Reads `12h` or `30d`, counted from `now` by `count`, or a date.
///
/// # Errors
/// When it is neither.
pub fn point(text: &str, now: u64, count: fn(u64, u64) -> Option<u64>) -> Result<u64, Failure> {
    let span = span(text).and_then(|span| count(now, span));
    span.or_else(|| day(text)).ok_or_else(|| {
        Failure::usage(format!("{text:?} is no point in time")).hint("write 30m, 12h, 30d, or a date like 2031-01-31")
    })
}

/// Reads `90s`, `10m`, `12h` or `30d`, in seconds.
///
/// # Errors
/// When it is none of them.
pub fn time(text: &str) -> Result<u64, Failure> {
    span(text).ok_or_else(|| Failure::usage(format!("{text:?} is no time")).hint("write 90s, 10m, 2h or 1d"))
}

fn span(text: &str) -> Option<u64> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => DAY,
        _ => return None,
    };
    digits(text.get(..text.len() - 1)?)?.checked_mul(unit)
}

fn day(text: &str) -> Option<u64> {
    date::day(text)?.checked_mul(DAY)
}

fn date_of(mut days: u64) -> (u64, u64, u64) {
    // Whatever a damaged clock says, this ends: 400 years have 146,097 days.
    let mut year = 1970 + days / 146_097 * 400;
    days %= 146_097;
    while days >= if leap(year) { 366 } else { 365 } {
        days -= if leap(year) { 366 } else { 365 };
        year += 1;
    }
    let mut month = 1;
    for length in lengths(year) {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written() {
        assert_eq!(minute(0), "1970-01-01 00:00Z");
        assert_eq!(second(1_709_164_799), "2024-02-28 23:59:59Z");
        assert_eq!(second(1_709_164_800), "2024-02-29 00:00:00Z");
        assert_eq!(stamp(4_107_542_399), "21000228T235959Z");
        assert_eq!(stamp(4_107_542_400), "21000301T000000Z");
        assert!(!minute(u64::MAX).is_empty());
    }

    #[test]
    fn times_are_read() {
        let later = |text: &str| point(text, 1000, u64::checked_add).ok();
        assert_eq!(later("30m"), Some(2800));
        assert_eq!(later("2d"), Some(1000 + 2 * DAY));
        assert_eq!(point("10m", 1000, u64::checked_sub).ok(), Some(400));
        assert_eq!(later("2024-02-29"), Some(1_709_164_800));
        for bad in [
            "",
            "d",
            "1",
            "-1d",
            "+1d",
            "2023-02-29",
            "2024-13-01",
            "2024-00-01",
            "2024-1",
            "1.5h",
            "99999999999999999999d",
            "ä",
            "2024-01-01-01",
        ] {
            assert_eq!(later(bad), None, "{bad}");
        }
        assert!(point("10d", 1000, u64::checked_sub).is_err(), "before 1970");
    }

    #[test]
    fn every_day_is_written_as_it_is_read() {
        for days in (0..200_000).step_by(7) {
            let text = minute(days * DAY);
            assert_eq!(day(&text[..10]), Some(days * DAY));
        }
    }
}
