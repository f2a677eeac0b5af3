//! Days, as people write them. Always UTC.

/// The day that `2031-01-31` names, counted from 1970-01-01; none where it
/// names none, or one before 1970.
#[must_use]
pub fn day(text: &str) -> Option<u64> {
    let mut parts = text.split('-');
    let (year, month, day) = (digits(parts.next()?)?, digits(parts.next()?)?, digits(parts.next()?)?);
    if parts.next().is_some() || !(1970..=9999).contains(&year) {
        return None;
    }
    // At most some 8,000 years: going through the months is quick enough.
    let mut days = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum::<u64>();
    for (number, length) in (1..).zip(lengths(year)) {
        match number == month {
            true if (1..=length).contains(&day) => return Some(days + day - 1),
            true => return None,
            false => days += length,
        }
    }
    None
}

/// A number of nothing but digits.
#[must_use]
pub fn digits(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Whether the year has a 29th of February.
#[must_use]
pub fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// How many days its months have.
#[must_use]
pub fn lengths(year: u64) -> [u64; 12] {
    [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read() {
        for (text, expected) in [("1970-01-01", 0), ("2024-02-29", 19_782), ("2031-01-31", 22_310)] {
            assert_eq!(day(text), Some(expected), "{text}");
        }
        for bad in ["", "2024", "2024-1", "2023-02-29", "2024-13-01", "2024-00-01", "2024-01-00", "2024-01-01-01"] {
            assert_eq!(day(bad), None, "{bad}");
        }
        for bad in ["1969-12-31", "10000-01-01", "+2024-01-01", "2024-01-1 ", "99999999999999999999-01-01", "ä-ö-ü"]
        {
            assert_eq!(day(bad), None, "{bad}");
        }
    }
}
