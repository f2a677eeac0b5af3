//! `/etc/passwd` itself (passwd(5)), where no other source may count: the
//! service's static user, and programs that are linked statically and so can't
//! load the system's other sources (nss(5)).

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The file.
pub const FILE: &str = "/etc/passwd";

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The login name.
    pub name: String,
    /// The uid.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// The home directory.
    pub home: PathBuf,
    /// The login shell; empty for `/bin/sh`.
    pub shell: PathBuf,
}

/// The first entry of that name.
///
/// # Errors
/// When the file can't be read.
pub fn by_name(name: &str) -> io::Result<Option<Entry>> {
    Ok(entries(&read(Path::new(FILE))?).find(|entry| entry.name == name))
}

/// The first entry with that uid.
///
/// # Errors
/// When the file can't be read.
pub fn by_uid(uid: u32) -> io::Result<Option<Entry>> {
    Ok(entries(&read(Path::new(FILE))?).find(|entry| entry.uid == uid))
}

/// The names of all entries in such a file.
///
/// # Errors
/// When the file can't be read.
pub fn names(file: &Path) -> io::Result<HashSet<String>> {
    Ok(entries(&read(file)?).map(|entry| entry.name).collect())
}

/// A bare root without the file knows nobody.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(vec![]),
        other => other,
    }
}

/// The entries in the text of the file; lines that are none are passed over.
pub fn entries(text: &[u8]) -> impl Iterator<Item = Entry> {
    text.split(|byte| *byte == b'\n').filter_map(entry)
}

fn entry(line: &[u8]) -> Option<Entry> {
    let mut fields = line.split(|byte| *byte == b':');
    let name = fields.next().and_then(|name| std::str::from_utf8(name).ok()).filter(|name| !name.is_empty())?;
    let mut numbers = fields.by_ref().skip(1).map(|field| std::str::from_utf8(field).ok()?.parse().ok());
    let (uid, gid) = (numbers.next()??, numbers.next()??);
    let mut paths = fields.skip(1).map(|field| PathBuf::from(OsStr::from_bytes(field)));
    let (home, shell) = (paths.next().unwrap_or_default(), paths.next().unwrap_or_default());
    Some(Entry { name: name.to_owned(), uid, gid, home, shell })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_entries_or_nothing() {
        let text = b"root:x:0:0:root:/root:/bin/sh\nj\xf8rn:x:7:7:::\n:x:8:8:::\nann:x:1000:1001:A\xff:/home/a b:\nshort:x:9\n";
        let found: Vec<Entry> = entries(text).collect();
        let ann = Entry { name: "ann".into(), uid: 1000, gid: 1001, home: "/home/a b".into(), shell: PathBuf::new() };
        assert_eq!(found.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["root", "ann"]);
        assert_eq!(found[1], ann);
        assert_eq!(found[0].shell, PathBuf::from("/bin/sh"));
        for odd in [&b""[..], b"a", b"a:x:", b"a:x:-1:0:::", b"a:x:99999999999:0:::", b"a:x:1:y:::"] {
            assert_eq!(entries(odd).count(), 0, "{odd:?}");
        }
    }

    #[test]
    fn root_is_in_the_file() {
        assert_eq!(by_name("root").unwrap().unwrap().uid, 0);
        assert_eq!(by_uid(0).unwrap().unwrap().name, "root");
        assert_eq!(by_name("no-such-account-here").unwrap(), None);
    }
}
