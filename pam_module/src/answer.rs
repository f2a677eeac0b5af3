//! What came back from a prompt.

/// The longest code in digits (RFC 4226, and old scratch codes).
const MAX_DIGITS: usize = 8;
/// The fewest digits of a code.
const MIN_DIGITS: usize = 6;
/// A scratch code as it is written, in bytes: four groups and the dashes between.
const SCRATCH: usize = 19;

/// Whether sshd made this answer up: for somebody whom it won't let in, it
/// hides what was typed by junk of the same length (auth-pam.c, fake_password).
#[must_use]
pub fn is_made_up(answer: &[u8]) -> bool {
    let junk = b"\x08\n\r\x7fINCORRECT".iter().cycle();
    !answer.is_empty() && answer.iter().zip(junk).all(|(is, made_up)| is == made_up)
}

/// Where the code behind a password may begin: at the last eight digits or at a
/// scratch code with its dashes; at the end, where there is neither.
#[must_use]
pub fn code_begins(answer: &[u8]) -> usize {
    let digits = answer.iter().rev().take(MAX_DIGITS).take_while(|byte| byte.is_ascii_digit()).count();
    if digits >= MIN_DIGITS {
        return answer.len() - digits;
    }
    let scratch = answer.len().checked_sub(SCRATCH).filter(|begin| answer.get(*begin..).is_some_and(is_scratch));
    scratch.unwrap_or(answer.len())
}

fn is_scratch(text: &[u8]) -> bool {
    let fits = |(place, byte): (usize, &u8)| match place % 5 {
        4 => *byte == b'-',
        _ => byte.is_ascii_alphabetic() || matches!(byte, b'2'..=b'7'),
    };
    text.iter().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_junk_of_sshd_is_known_at_every_length() {
        let junk: Vec<u8> = b"\x08\n\r\x7fINCORRECT".iter().copied().cycle().take(40).collect();
        assert!((1..=40).all(|length| is_made_up(&junk[..length])));
        for typed in [b"".as_slice(), b"INCORRECT", b"\x08\n1", b"123456\x08"] {
            assert!(!is_made_up(typed));
        }
    }

    #[test]
    fn the_code_is_at_the_end() {
        for (password, code) in [
            ("", "123456"),
            ("secret", "123456"),
            ("secret", "1234567"),
            ("secret", "12345678"),
            ("secret1", "23456789"),
            ("\u{fc}ber\"\\ ", "123456"),
            ("secret", "ABCD-EFGH-IJKL-2345"),
            ("two-words-", "abcd-efgh-ijkl-2345"),
            ("abcd-efgh-ijkl-mnop", "123456"),
            ("abcdefghijklmnop", ""),
            ("secret12345", ""),
            ("123456 ", ""),
            ("secret", ""),
            ("", ""),
            ("ABCD-EFGH-IJKL-2389", ""),
            ("\u{ff11}\u{ff12}\u{ff13}\u{ff14}\u{ff15}\u{ff16}", ""),
        ] {
            assert_eq!(code_begins(format!("{password}{code}").as_bytes()), password.len(), "{password}{code}");
        }
        assert_eq!(code_begins(&[b'1'; 10_240]), 10_232);
    }
}
