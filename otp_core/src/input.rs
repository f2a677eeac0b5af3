//! What a person typed, read once.

use std::fmt;

use zeroize::Zeroizing;

use crate::scratch::ScratchCode;

/// The longest input in bytes that is looked at.
pub const MAX_INPUT: usize = 64;

/// What a person typed at the prompt. Wiped when dropped, never printed.
pub enum Input {
    /// Six to eight digits: a code, or an old scratch code of eight digits.
    Digits(Zeroizing<String>),
    /// A scratch code of sixteen base32 characters.
    Scratch(ScratchCode),
    /// Neither; it cannot be right, so it is refused without being counted.
    Malformed,
}

impl Input {
    /// Reads what was typed: spaces and dashes between the groups don't count.
    #[must_use]
    pub fn parse(typed: &[u8]) -> Self {
        if typed.len() > MAX_INPUT {
            return Self::Malformed;
        }
        let mut text = Zeroizing::new(String::with_capacity(MAX_INPUT));
        for byte in typed.trim_ascii() {
            match byte {
                b' ' | b'-' => {}
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => text.push(char::from(byte.to_ascii_uppercase())),
                _ => return Self::Malformed,
            }
        }
        // Sixteen characters first: one in ten million scratch codes is all digits.
        if let Some(scratch) = ScratchCode::parse(&text) {
            return Self::Scratch(scratch);
        }
        if (6..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) {
            return Self::Digits(text);
        }
        Self::Malformed
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digits(_) => "Digits(redacted)",
            Self::Scratch(_) => "Scratch(redacted)",
            Self::Malformed => "Malformed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_scratch_codes_are_told_apart() {
        for code in ["123456", " 123 456 ", "1234567", "1234-5678"] {
            assert!(matches!(Input::parse(code.as_bytes()), Input::Digits(_)), "{code}");
        }
        for scratch in ["ABCD-EFGH-IJKL-2345", "abcdefghijkl2345", "2222222222222222"] {
            assert!(matches!(Input::parse(scratch.as_bytes()), Input::Scratch(_)), "{scratch}");
        }
    }

    #[test]
    fn everything_else_is_malformed() {
        let long = [b'1'; 10_240];
        let bad: [&[u8]; 10] = [
            b"",
            b"12345",
            b"123456789",
            b"12345a",
            b"123\x00456",
            "１２３４５６".as_bytes(),
            b"+123456",
            b"0x1234",
            b"ABCD-EFGH-IJKL-2340",
            &long,
        ];
        for input in bad {
            assert!(matches!(Input::parse(input), Input::Malformed), "{:?}", &input[..input.len().min(20)]);
        }
    }
}
