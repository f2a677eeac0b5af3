//! Which format is it? Told by the content, never by the name.

use crate::locked::Plain;
use crate::{Error, Parsed, Zone};
use crate::{formats, locked};

/// The largest file in bytes that is read.
pub const MAX_FILE: u64 = 64 * 1024 * 1024;
/// At most so many files at once.
pub const MAX_FILES: usize = 64;

/// One file's bytes, with those that belong to it.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// What to call it in errors.
    pub name: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
    /// The content of a database's write-ahead log (`-wal`).
    pub wal: Option<&'a [u8]>,
    /// The content of a database's rollback journal (`-journal`).
    pub journal: Option<&'a [u8]>,
    /// What opens it where it is locked; UTF-8.
    pub password: Option<&'a [u8]>,
    /// In which zone local times are; UTC where that isn't known.
    pub zone: Option<&'a Zone>,
}

impl Source<'_> {
    /// A file that stands alone.
    #[must_use]
    pub fn of<'a>(name: &'a str, bytes: &'a [u8]) -> Source<'a> {
        Source { name, bytes, wal: None, journal: None, password: None, zone: None }
    }

    /// An error about this file.
    pub(crate) fn error(&self, reason: impl std::fmt::Display) -> Error {
        Error::new(self.name, reason)
    }

    /// The text of the file, without a byte order mark. `None` where it is not UTF-8.
    pub(crate) fn text(&self) -> Option<&str> {
        let bytes = self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(self.bytes);
        std::str::from_utf8(bytes).ok()
    }
}

/// A format that some program writes.
pub trait Format: Sync {
    /// Its short name, as in JSON and `--formats`.
    fn name(&self) -> &'static str;

    /// What writes it, for people.
    fn title(&self) -> &'static str;

    /// Whether `source` looks like it. Cheap, and never wrong about another format.
    fn recognises(&self, source: &Source) -> bool;

    /// Reads all there is into `parsed`.
    ///
    /// # Errors
    /// When the file as a whole can't be read; what was put into `parsed` by
    /// then is of no use.
    fn parse(&self, source: &Source, parsed: &mut Parsed) -> Result<(), Error>;
}

/// All formats, the most particular first.
pub const FORMATS: &[&dyn Format] = formats::ALL;

/// Reads files, each in the format that its content shows. Parts of one export
/// may be spread over them.
///
/// # Errors
/// When one of them can't be read; then nothing is.
pub fn read(sources: &[Source]) -> Result<Parsed, Error> {
    let mut parsed = Parsed::default();
    for source in sources {
        let name = match opened(source)? {
            Some((name, plain)) => {
                let inside = Source { bytes: &plain, ..*source };
                recognise(&inside)?.parse(&inside, &mut parsed)?;
                name
            }
            None => read_plain(source, &mut parsed)?,
        };
        match parsed.format.as_str() {
            "" => parsed.format = name.to_owned(),
            same if same == name => {}
            _ => parsed.format = "mixed".to_owned(),
        }
    }
    parsed.note_missing_parts();
    Ok(parsed)
}

/// What is in `source`, where it is locked.
fn opened(source: &Source) -> Result<Option<(&'static str, Plain)>, Error> {
    match locked::open(source)? {
        None if recognise(source).is_err() => Ok(locked::open_unmarked(source)),
        opened => Ok(opened),
    }
}

fn read_plain(source: &Source, parsed: &mut Parsed) -> Result<&'static str, Error> {
    let format = recognise(source)?;
    if source.bytes.trim_ascii().is_empty() {
        parsed.empty.push(source.name.to_owned());
    }
    format.parse(source, parsed)?;
    Ok(format.name())
}

fn recognise<'a>(source: &Source) -> Result<&'a dyn Format, Error> {
    if let Some(format) = FORMATS.iter().find(|format| format.recognises(source)) {
        return Ok(*format);
    }
    Err(match source.bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            source.error("the text is UTF-16").hint("make it UTF-8: iconv -f UTF-16 -t UTF-8 FILE >NEW")
        }
        _ => source.error("none of the formats that are known").hint("oathgate convert --formats lists them"),
    })
}
