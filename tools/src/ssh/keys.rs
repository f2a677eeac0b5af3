//! Files of keys, read and replaced by a child that is the person whose they
//! are. Between the two nothing is held open: the second goes by what the
//! first found.

use std::path::{Path, PathBuf};

use otp_wire::frame;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::file::{Identity, KeysFile};
use crate::as_person::{self, LIMIT, Person};
use crate::error::Failure;
use crate::output::Output;

/// A file of keys as it was read.
#[derive(Debug)]
pub struct Keys {
    editor: Person,
    path: PathBuf,
    home: PathBuf,
    found: Identity,
    /// What is in it.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// The head of what a reader answers: which file it was, if there was one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    found: Option<Identity>,
}

/// The head of what a writer is told. The back-up follows, then the new file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Replace {
    found: Identity,
    stamp: String,
    backup: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Replaced {
    backup: PathBuf,
}

/// Reads the absolute `path`: below their home as `person`, elsewhere as the
/// caller. `None` where there is no such file.
///
/// # Errors
/// See [`KeysFile::open`].
pub fn read(person: &Person, path: &Path) -> Result<Option<Keys>, Failure> {
    let editor = if path.starts_with(&person.home) { person.clone() } else { Person::caller()? };
    let answer = editor.ask(&["read-keys", word(path)?, word(&person.home)?], b"")?;
    let (head, bytes) = split::<Read>(&answer)?;
    let bytes = Zeroizing::new(bytes.to_vec());
    let home = person.home.clone();
    Ok(head.found.map(|found| Keys { editor, path: path.to_owned(), home, found, bytes }))
}

impl Keys {
    /// Writes `backup` beside the file and `new` in its place, and returns
    /// where the back-up is.
    ///
    /// # Errors
    /// When the file is not as it was read, or it can't be done; nothing is
    /// changed then.
    pub fn replace(&self, new: &[u8], backup: &[u8], stamp: &str) -> Result<PathBuf, Failure> {
        let head = Replace { found: self.found, stamp: stamp.to_owned(), backup: backup.len() };
        let mut input = frame::encode(&head, LIMIT).map_err(Failure::undecided)?;
        for part in [backup, new] {
            frame::reserve(&mut input, part.len(), LIMIT).map_err(Failure::undecided)?;
            input.extend_from_slice(part);
        }
        let answer = self.editor.ask(&["replace-keys", word(&self.path)?, word(&self.home)?], &input)?;
        Ok(split::<Replaced>(&answer)?.0.backup)
    }
}

/// The reader's part.
///
/// # Errors
/// See [`KeysFile::open`].
pub fn read_task(path: &Path, home: &Path, out: &mut Output) -> Result<(), Failure> {
    let file = KeysFile::open(path, home)?;
    out.json(&Read { found: file.as_ref().map(KeysFile::identity) })?;
    file.map_or(Ok(()), |file| out.bytes(&file.bytes))
}

/// The writer's part.
///
/// # Errors
/// When the file is another than was read, or it can't be done.
pub fn replace_task(path: &Path, home: &Path, out: &mut Output) -> Result<(), Failure> {
    let input = as_person::input()?;
    let (head, rest) = split::<Replace>(&input)?;
    let (backup, new) = rest.split_at_checked(head.backup).ok_or_else(|| Failure::usage("a part is missing"))?;
    let gone = || Failure::no(format!("{} is not there any more", path.display()));
    let file = KeysFile::open(path, home)?.ok_or_else(gone)?;
    if file.identity() != head.found {
        return Err(file.changed());
    }
    let backup = file.back_up(backup, &head.stamp)?;
    file.replace(new)?;
    out.json(&Replaced { backup })
}

/// The JSON in the first line, and what follows it.
fn split<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<(T, &[u8]), Failure> {
    let end = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let (line, rest) = bytes.split_at_checked(end).unwrap_or_default();
    Ok((frame::decode(line).map_err(Failure::undecided)?, rest))
}

fn word(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| Failure::no(format!("the path {} is not UTF-8", path.display())))
}
