//! What a person types: the PIN, then the code, with nothing in between.

/// The longest answer in bytes, which is the longest that cryptsetup reads.
pub const MAX_ANSWER: usize = 512;

/// An answer, taken apart.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// The PIN; never empty.
    pub pin: &'a [u8],
    /// The code, or two in a row to resynchronise, the older one first.
    pub codes: Codes<'a>,
}

/// The digits behind the PIN.
#[derive(Clone, Copy)]
pub enum Codes<'a> {
    /// One code.
    One(&'a [u8]),
    /// Two in a row.
    Two(&'a [u8], &'a [u8]),
}

/// The ways to read `answer` with codes of `digits` digits: with one code, and
/// with two where there are enough digits. Which one is meant shows by the PIN
/// that opens. None where it can't be an answer at all.
pub fn parts(answer: &[u8], digits: usize) -> impl Iterator<Item = Parts<'_>> {
    let bounded = (answer.len() <= MAX_ANSWER).then_some(answer);
    let one = bounded.and_then(|answer| split(answer, digits));
    let two = one.and_then(|(rest, second)| split(rest, digits).map(|(pin, first)| (pin, first, second)));
    let one = one.map(|(pin, code)| Parts { pin, codes: Codes::One(code) });
    one.into_iter().chain(two.map(|(pin, first, second)| Parts { pin, codes: Codes::Two(first, second) }))
}

/// A PIN and the code behind it.
fn split(answer: &[u8], digits: usize) -> Option<(&[u8], &[u8])> {
    let at = answer.len().checked_sub(digits).filter(|at| *at > 0)?;
    let (pin, code) = answer.split_at_checked(at)?;
    code.iter().all(u8::is_ascii_digit).then_some((pin, code))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ways to read an answer, as text.
    fn read(answer: &str) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        parts(answer.as_bytes(), 6)
            .map(|parts| match parts.codes {
                Codes::One(code) => format!("{} {}", text(parts.pin), text(code)),
                Codes::Two(first, second) => format!("{} {} {}", text(parts.pin), text(first), text(second)),
            })
            .collect()
    }

    #[test]
    fn the_last_digits_are_the_code() {
        assert_eq!(read("correct horse123456"), ["correct horse 123456"]);
        assert_eq!(read("pin1123456"), ["pin1 123456"]);
        assert_eq!(read("pin111111222222"), ["pin111111 222222", "pin 111111 222222"]);
        // All digits: both are possible, and the PIN decides.
        assert_eq!(read("987111111222222"), ["987111111 222222", "987 111111 222222"]);
    }

    #[test]
    fn what_has_no_pin_or_no_code_is_no_answer() {
        for answer in ["", "1", "123456", "pin", "pin12345x", "123456pin", &"1".repeat(513)] {
            assert!(read(answer).is_empty(), "{answer}");
        }
        assert_eq!(read("111111222222"), ["111111 222222"], "the second way has no PIN");
    }
}
