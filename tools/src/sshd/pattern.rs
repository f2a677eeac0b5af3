//! Patterns as sshd compares them (ssh_config(5), PATTERNS).

/// Whether `text` fits `pattern`, in which `*` stands for anything and `?` for
/// one byte.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.as_bytes(), text.as_bytes());
    let mut again: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), text.split_first()) {
            (Some((b'*', rest)), _) => {
                again = Some((rest, text));
                pattern = rest;
            }
            (Some((wanted, after)), Some((byte, rest))) if *wanted == b'?' || wanted == byte => {
                (pattern, text) = (after, rest);
            }
            (None, None) => return true,
            // The last star takes one byte more.
            _ => match again.and_then(|(after, from)| Some((after, from.split_first()?.1))) {
                Some((after, rest)) => {
                    again = Some((after, rest));
                    (pattern, text) = (after, rest);
                }
                None => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        let table = [
            ("*", "", true),
            ("*", "BASH_ENV", true),
            ("BASH_*", "BASH_ENV", true),
            ("B*E*V", "BASH_ENV", true),
            ("B*X", "BASH_ENV", false),
            ("*_EN?", "BASH_ENV", true),
            ("LC_*", "LD_PRELOAD", false),
            ("?", "", false),
            ("A", "AB", false),
            ("AB", "A", false),
            ("**a**", "bab", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
