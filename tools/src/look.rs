//! Looks at files with the rights of one person: what they hold, and who could
//! change them. The request and the answer are JSON, for a child of
//! [`Person::ask`].

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use serde::{Deserialize, Serialize};

use crate::as_person::Person;
use crate::error::Failure;
use crate::output::Output;

/// The largest file that is read, in bytes.
const MAX_FILE: usize = 4 * 1024 * 1024;

/// The most files in one request.
const MAX_FILES: usize = 64;

/// The longest request, in bytes.
const MAX_REQUEST: u64 = 1024 * 1024;

/// One file to look at.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Its absolute path.
    pub path: PathBuf,
    /// Whether what it holds is wanted, too.
    pub text: bool,
}

/// What was seen of one file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Seen {
    /// There is none.
    Missing,
    /// There may be one: why it could not be looked at.
    Unseen(String),
    /// A regular file.
    File(Found),
}

/// A regular file.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// What it holds, if that was wanted; what is no UTF-8 is replaced.
    pub text: String,
    /// The file itself and each folder above it, links resolved.
    pub nodes: Vec<Node>,
}

/// A file or a folder, and who may change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Where.
    pub path: PathBuf,
    /// Its owner.
    pub uid: u32,
    /// Type and permissions, as in stat(2).
    pub mode: u32,
}

impl Found {
    /// The first of file and folders that `uid` owns: who does can change it.
    pub fn owned_by(&self, uid: u32) -> Option<&Node> {
        self.nodes.iter().find(|node| node.uid == uid)
    }

    /// The first of file and folders that is neither root's nor `uid`'s, or
    /// that its group or everybody may write. What others can't move in a
    /// sticky folder is safe there.
    pub fn open_to_others(&self, uid: u32) -> Option<&Node> {
        let sticky = |node: &Node| node.mode & 0o1000 != 0 && node.uid == 0;
        self.nodes.iter().find(|node| (node.uid != 0 && node.uid != uid) || (node.mode & 0o022 != 0 && !sticky(node)))
    }

    /// Whether somebody may execute it.
    pub fn is_executable(&self) -> bool {
        self.nodes.first().is_some_and(|file| file.mode & 0o111 != 0)
    }
}

/// Looks at `wanted` as `person`; one answer for each.
///
/// # Errors
/// When nobody can look as that person.
pub fn look(person: &Person, wanted: &[Wanted]) -> Result<Vec<Seen>, Failure> {
    let odd = |why: &dyn std::fmt::Display| Failure::undecided(format!("can't look as {}: {why}", person.name));
    let mut seen = Vec::with_capacity(wanted.len());
    for some in wanted.chunks(MAX_FILES) {
        let request = serde_json::to_vec(some).map_err(|why| odd(&why))?;
        let answer = person.ask(&["look"], &request)?;
        let answer: Vec<Seen> = serde_json::from_slice(&answer).map_err(|why| odd(&why))?;
        if answer.len() != some.len() {
            return Err(odd(&"not an answer for each file"));
        }
        seen.extend(answer);
    }
    Ok(seen)
}

/// The child's part: answers the request on standard input.
///
/// # Errors
/// When it is not a request.
pub fn answer(out: &mut Output) -> Result<(), Failure> {
    let mut request = Vec::new();
    std::io::stdin().take(MAX_REQUEST).read_to_end(&mut request).map_err(Failure::undecided)?;
    let wanted: Vec<Wanted> = serde_json::from_slice(&request).map_err(Failure::usage)?;
    if wanted.len() > MAX_FILES {
        return Err(Failure::usage(format!("more than {MAX_FILES} files")));
    }
    let seen: Vec<Seen> = wanted.iter().map(|one| see(&one.path, one.text)).collect();
    let answer = serde_json::to_string(&seen).map_err(Failure::undecided)?;
    out.print(&answer)
}

/// Looks at one file. sshd follows links, so the one that they lead to counts.
fn see(path: &Path, text: bool) -> Seen {
    match read(path, text) {
        Ok(found) => Seen::File(found),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Seen::Missing,
        Err(error) => Seen::Unseen(error.to_string()),
    }
}

fn read(path: &Path, text: bool) -> std::io::Result<Found> {
    let real = fs::canonicalize(path)?;
    let access = if text { OFlags::RDONLY } else { OFlags::PATH };
    let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(&real, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(std::io::Error::other("not a file"));
    }
    let mut nodes = vec![Node { path: real.clone(), uid: stat.st_uid, mode: stat.st_mode }];
    for folder in real.ancestors().skip(1) {
        let metadata = fs::symlink_metadata(folder)?;
        nodes.push(Node { path: folder.to_owned(), uid: metadata.uid(), mode: metadata.mode() });
    }
    let text = if text { contents(File::from(file))? } else { String::new() };
    Ok(Found { text, nodes })
}

fn contents(file: File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.take(u64::try_from(MAX_FILE + 1).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_FILE {
        return Err(std::io::Error::other("more than 4 MB"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_is_seen_of_each() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("keys"), b"a\xff\n").unwrap();
        symlink(path("keys"), path("link")).unwrap();
        fs::write(path("large"), vec![b'x'; MAX_FILE + 1]).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        for name in ["keys", "link"] {
            let Seen::File(found) = see(&path(name), true) else { panic!("{name}") };
            assert_eq!((found.text.as_str(), found.nodes[0].path.as_path()), ("a\u{fffd}\n", &*path("keys")));
        }
        assert_eq!(see(&path("nothing"), true), Seen::Missing);
        assert_eq!(see(&path("keys/below"), true), Seen::Missing);
        for name in ["pipe", "large", "."] {
            assert!(matches!(see(&path(name), true), Seen::Unseen(_)), "{name}");
        }
        let Seen::File(found) = see(&path("large"), false) else { panic!("only looked at") };
        assert_eq!(found.text, "");
    }

    #[test]
    fn whoever_could_change_it_is_named() {
        let node = |path: &str, uid, mode| Node { path: path.into(), uid, mode };
        let found = |nodes: &[Node]| Found { text: String::new(), nodes: nodes.to_vec() };
        let root = || node("/", 0, 0o40755);
        let own = found(&[node("/h/k", 7, 0o100600), node("/h", 7, 0o40700), root()]);
        assert_eq!(own.owned_by(7).map(|node| node.path.as_path()), Some(Path::new("/h/k")));
        assert_eq!(own.open_to_others(7), None);
        assert_eq!(own.open_to_others(8), Some(&node("/h/k", 7, 0o100600)));
        let wide = found(&[node("/t/k", 0, 0o100600), node("/t", 0, 0o40777), root()]);
        assert_eq!((wide.owned_by(7), wide.open_to_others(7)), (None, Some(&node("/t", 0, 0o40777))));
        assert_eq!(found(&[node("/t/k", 0, 0o100600), node("/t", 0, 0o41777), root()]).open_to_others(7), None);
    }

    #[test]
    fn executables_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        fs::write(&path, "").unwrap();
        for (mode, executable) in [(0o644, false), (0o755, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let Seen::File(found) = see(&path, false) else { panic!("a file") };
            assert_eq!(found.is_executable(), executable);
        }
    }
}
