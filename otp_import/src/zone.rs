//! Local times, by a time zone as a host has it in `/etc/localtime`.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A time zone.
#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

impl Zone {
    /// Coordinated universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The zone of a TZif file (tzfile(5)); UTC where it is none.
    #[must_use]
    pub fn of(tzif: &[u8]) -> Self {
        TimeZone::tzif("local", tzif).map_or_else(|_| Self::utc(), Self)
    }

    /// Seconds since 1970 of `%Y-%m-%dT%H:%M:%S`; of two such times in a night
    /// when clocks go back, the later one.
    pub(crate) fn seconds(&self, text: &str) -> Option<u64> {
        let local: DateTime = text.parse().ok()?;
        let timestamp = self.0.to_ambiguous_timestamp(local).later().ok()?;
        u64::try_from(timestamp.as_second()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_moves_local_times() {
        assert_eq!(Zone::utc().seconds("2009-02-13T23:31:30"), Some(1_234_567_890));
        for bad in ["", "2009-02-30T00:00:00", "1969-12-31T00:00:00", "yesterday"] {
            assert_eq!(Zone::utc().seconds(bad), None, "{bad}");
        }
        let Ok(berlin) = std::fs::read("/usr/share/zoneinfo/Europe/Berlin") else {
            eprintln!("skipped: no zone files here");
            return;
        };
        let berlin = Zone::of(&berlin);
        assert_eq!(berlin.seconds("2009-02-14T00:31:30"), Some(1_234_567_890));
        assert_eq!(berlin.seconds("2025-10-26T02:30:00"), Some(1_761_442_200), "the later of the two");
        assert_eq!(Zone::of(b"nonsense").seconds("2009-02-13T23:31:30"), Some(1_234_567_890));
    }
}
