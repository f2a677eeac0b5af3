//! Which entries: by number or by name.

use otp_import::{Entry, Parsed};

use crate::error::Failure;

/// An entry with its number in the table, from 1.
pub type Numbered<'a> = (usize, &'a Entry);

/// The entries that are meant, in the order they were named; all of them where
/// none is named.
///
/// # Errors
/// When a name fits none or several.
pub fn select<'a>(parsed: &'a Parsed, wanted: &[String]) -> Result<Vec<Numbered<'a>>, Failure> {
    let all: Vec<Numbered> = (1..).zip(&parsed.entries).collect();
    if wanted.is_empty() {
        return Ok(all);
    }
    let mut chosen: Vec<Numbered> = Vec::new();
    for word in wanted {
        let found = find(&all, word)?;
        if !chosen.iter().any(|(number, _)| *number == found.0) {
            chosen.push(found);
        }
    }
    Ok(chosen)
}

fn find<'a>(all: &[Numbered<'a>], word: &str) -> Result<Numbered<'a>, Failure> {
    let number = word.parse::<usize>().ok().filter(|_| word.bytes().all(|byte| byte.is_ascii_digit()));
    if let Some(found) = number.and_then(|number| all.iter().find(|(own, _)| *own == number)) {
        return Ok(*found);
    }
    let ways: [fn(&Entry, &str) -> bool; 3] =
        [|entry, word| entry.title() == word, |entry, word| entry.name == word, |entry, word| entry.issuer == word];
    // An empty word would fit whatever has no name.
    for way in ways.into_iter().filter(|_| !word.is_empty()) {
        let found: Vec<&Numbered> = all.iter().filter(|(_, entry)| way(entry, word)).collect();
        match found.as_slice() {
            [] => {}
            [only] => return Ok(**only),
            several => {
                let numbers: Vec<String> = several.iter().take(10).map(|(number, _)| number.to_string()).collect();
                return Err(Failure::usage(format!("{} entries are called {word:?}", several.len()))
                    .hint(format!("take one of the numbers {}", numbers.join(", "))));
            }
        }
    }
    let failure = Failure::usage(format!("no entry {word:?} among the {} there are", all.len()));
    Err(failure.hint("oathgate convert FILE shows them with their numbers"))
}
