//! `import --homes`: everybody's state file of google-authenticator at once.
//!
//! A home belongs to somebody who may mean ill, and we are root: the file is
//! opened with its owner's rights, read by a program without any, each in one
//! of its own, and what is odd about it is named and skipped.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use otp_import::pipe::Part;
use otp_import::{Entry, Parsed};
use otp_wire::Ask;
use otp_wire::message::Import as ImportAsk;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::Serialize;

use super::arguments::Import;
use super::import::{self, fits};
use super::open::Opened;
use super::reader::{self, Reading};
use super::rights::as_person;
use crate::as_person::Person;
use crate::client::Client;
use crate::error::{Exit, Failure};
use crate::output::{Output, table};
use crate::passwd;
use crate::progress::Progress;

/// Where the module keeps it.
const STATE: &str = ".google_authenticator";
/// The module itself reads no more, in bytes.
const MAX_STATE: u64 = 64 * 1024;
/// The format that such a file must be of, whatever else it looks like.
const FORMAT: &str = "google-authenticator-pam-state";
/// What is written for the module's own use, and means nothing here.
const HARMLESS: [&str; 2] = ["LAST", "RESETTING_TIME_SKEW"];
/// What the verifier says where a secret was imported before.
const KNOWN: &str = "has this secret already as";
/// So many files are read at a time.
const AT_A_TIME: usize = 4;

/// What came of one home.
#[derive(Debug, Serialize)]
pub struct Home {
    /// The account.
    pub account: String,
    /// In one word.
    pub state: State,
    /// Why it was skipped, or what could not be kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// What came of one home, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There was a file, and it could be imported.
    Ready,
    /// Imported now.
    Imported,
    /// Imported before.
    Known,
    /// There is no file.
    Absent,
    /// There is no home.
    Homeless,
    /// It could not be imported.
    Skipped,
}

#[derive(Serialize)]
struct Homes<'a> {
    homes: &'a [Home],
}

/// Imports from all homes, or from that of one account.
///
/// # Errors
/// When the caller isn't root, the verifier can't be asked, or a home was skipped.
pub fn run(client: &Client, arguments: &Import, out: &mut Output) -> Result<(), Failure> {
    let people = match &arguments.account {
        None => passwd::all(),
        Some(account) => vec![Person::named(account.as_str())?],
    };
    let homes = all(client, &people, arguments, false)?;
    let found: Vec<Home> = homes.into_iter().filter(|home| home.state != State::Absent).collect();
    if arguments.json.json {
        out.json(&Homes { homes: &found })?;
    } else {
        show(&found, out)?;
    }
    match count(&found, State::Skipped) {
        0 => Ok(()),
        skipped => Err(Failure::no(format!("{skipped} of {} homes skipped; nothing of them was changed", found.len()))),
    }
}

fn count(homes: &[Home], state: State) -> usize {
    homes.iter().filter(|home| home.state == state).count()
}

/// Shows what came of it.
///
/// # Errors
/// When it can't be printed.
pub fn show(homes: &[Home], out: &mut Output) -> Result<(), Failure> {
    let word = |state| match state {
        State::Ready => "can be imported",
        State::Imported => "imported",
        State::Known => "imported before",
        State::Absent => "has none",
        State::Homeless => "has no home",
        State::Skipped => "skipped",
    };
    let row = |home: &Home| vec![home.account.clone(), word(home.state).to_owned(), home.remarks.join("; ")];
    let rows: Vec<_> = homes.iter().map(row).collect();
    if rows.is_empty() {
        return out.line(format!("No home holds a {STATE}."));
    }
    out.print(&table(&["ACCOUNT", "", ""], &rows))
}

/// Looks into every home and imports, or says only what could be imported.
///
/// # Errors
/// When the caller isn't root, or the verifier can't be asked. What was
/// imported by then stays: it is imported but once.
pub fn all(client: &Client, people: &[Person], arguments: &Import, look_only: bool) -> Result<Vec<Home>, Failure> {
    if !client.root {
        return Err(Failure::usage("only root may look into all homes")
            .hint("for your own: oathgate import ~/.google_authenticator"));
    }
    let progress = Progress::begin("accounts");
    let (mut homes, mut pending) = (Vec::with_capacity(people.len()), VecDeque::new());
    for (number, person) in people.iter().enumerate() {
        progress.show(number, people.len());
        match open_home(person)? {
            Ok(Some(file)) => pending.push_back((person, reader::begin(vec![file], None)?)),
            Ok(None) => homes.push(home(person, State::Absent, vec![])),
            Err((odd, _)) if is_natural(odd, person) => homes.push(home(person, State::Absent, vec![])),
            Err((odd, reason)) => homes.push(home(person, odd.into(), vec![reason])),
        }
        if pending.len() == AT_A_TIME {
            homes.extend(next(client, &mut pending, arguments, look_only)?);
        }
    }
    while let Some(home) = next(client, &mut pending, arguments, look_only)? {
        homes.push(home);
    }
    Ok(homes)
}

fn home(person: &Person, state: State, remarks: Vec<String>) -> Home {
    Home { account: person.name.clone(), state, remarks }
}

/// Finishes the oldest of those that are being read.
fn next(
    client: &Client,
    pending: &mut VecDeque<(&Person, Reading)>,
    arguments: &Import,
    look_only: bool,
) -> Result<Option<Home>, Failure> {
    let Some((person, reading)) = pending.pop_front() else { return Ok(None) };
    let entry = match reading.all().and_then(|parsed| only(parsed, arguments.allow_weak)) {
        Ok(entry) => entry,
        // Whatever is wrong with it is the file's fault, and stops nobody else's.
        Err(failure) => return Ok(Some(home(person, State::Skipped, vec![failure.what]))),
    };
    let ask = || import::ask(&person.name, &[(1, &entry)], arguments);
    let done = if look_only { Ok(State::Ready) } else { ask().and_then(|ask| take(client, ask)) };
    settled(&person.name, done, import::losses_of(&entry)).map(Some)
}

/// What came of somebody's import.
///
/// # Errors
/// When it could not be decided: then nothing can be said of the others either.
pub fn settled(account: &str, done: Result<State, Failure>, losses: Vec<String>) -> Result<Home, Failure> {
    let (state, remarks) = match done {
        Ok(state) => (state, losses),
        Err(failure) if failure.exit == Exit::Undecided => return Err(failure),
        Err(failure) if failure.what.contains(KNOWN) => (State::Known, vec![failure.what]),
        Err(failure) => (State::Skipped, vec![failure.what]),
    };
    Ok(Home { account: account.to_owned(), state, remarks })
}

/// The one entry of a state file, if nothing about it is odd.
fn only(mut parsed: Parsed, allow_weak: bool) -> Result<Entry, Failure> {
    if parsed.format != FORMAT {
        return Err(Failure::no(format!("{STATE} is no state file of google-authenticator")));
    }
    let entry = parsed.entries.pop().filter(|_| parsed.entries.is_empty() && parsed.skipped.is_empty());
    let entry = entry.ok_or_else(|| Failure::no("not one entry"))?;
    let harmless = |option: &&String| HARMLESS.iter().any(|name| option.starts_with(name));
    let unknown = entry.login.iter().flat_map(|login| &login.other).find(|option| !harmless(option));
    if let Some(option) = unknown {
        let name = option.split(' ').next().unwrap_or_default();
        return Err(Failure::no(format!("unknown option {name}")));
    }
    fits(&(1, &entry), allow_weak)?;
    Ok(entry)
}

/// Has the verifier import somebody's credentials.
///
/// # Errors
/// When it refuses, or can't be asked.
pub fn take(client: &Client, ask: ImportAsk) -> Result<State, Failure> {
    let line = client.done(Ask::Import(ask))?;
    Ok(if line.contains(KNOWN) { State::Known } else { State::Imported })
}

/// What is odd about a home or the file in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Odd {
    /// There is no home.
    Homeless,
    /// If there is a file, it is somebody else's, or out of the account's reach.
    Foreign,
    /// The file is none that may be read.
    Unfit,
}

impl From<Odd> for State {
    fn from(odd: Odd) -> Self {
        if odd == Odd::Homeless { Self::Homeless } else { Self::Skipped }
    }
}

/// Services without a shell often have no home, or share another's: such a one has no file.
fn is_natural(odd: Odd, person: &Person) -> bool {
    odd != Odd::Unfit && !passwd::is_person(person) && !passwd::logs_in(person)
}

/// The person's file, opened with the person's rights; none where there is
/// none; or what is odd about it.
fn open_home(person: &Person) -> Result<Result<Option<Opened>, (Odd, String)>, Failure> {
    let nobody = || Err((Odd::Foreign, "its uid or a group of it is none here".to_owned()));
    let opened = as_person(person, || open_state(&person.home, person.uid))?.unwrap_or_else(nobody);
    let name = format!("{}: {STATE}", person.name);
    Ok(opened.map(|file| file.map(|file| Opened { name, parts: vec![(Part::Main, file)] })))
}

fn open_state(home: &Path, uid: u32) -> Result<Option<File>, (Odd, String)> {
    let homeless = |why: &str| Err((Odd::Homeless, format!("its home {} {why}", home.display())));
    match std::fs::metadata(home) {
        _ if !home.is_absolute() => homeless("is no absolute path"),
        Ok(metadata) if !metadata.is_dir() => homeless("is no folder"),
        Ok(_) => open_plain(home, uid),
        Err(why) if why.kind() == io::ErrorKind::NotFound => homeless("isn't there"),
        Err(why) => Err((of(&why), format!("its home {}: {}", home.display(), reason(&why)))),
    }
}

fn of(why: &io::Error) -> Odd {
    if why.kind() == io::ErrorKind::PermissionDenied { Odd::Foreign } else { Odd::Unfit }
}

/// A plain file of one name, which its owner alone may write.
fn open_plain(home: &Path, uid: u32) -> Result<Option<File>, (Odd, String)> {
    let failed = |why: io::Error| (of(&why), format!("{STATE}: {}", reason(&why)));
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::open(home.join(STATE), flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err((Odd::Unfit, format!("{STATE} is a symbolic link"))),
        Err(why) => return Err(failed(why.into())),
    };
    let metadata = file.metadata().map_err(failed)?;
    let odd = if !metadata.is_file() {
        "is no regular file"
    } else if metadata.uid() != uid {
        return Err((Odd::Foreign, format!("{STATE} belongs to somebody else")));
    } else if metadata.nlink() != 1 {
        "has another name elsewhere (a hard link)"
    } else if metadata.mode() & 0o022 != 0 {
        "may be written by others"
    } else if metadata.len() >= MAX_STATE {
        "has 64 KiB or more"
    } else {
        return Ok(Some(file));
    };
    Err((Odd::Unfit, format!("{STATE} {odd}")))
}

fn reason(why: &io::Error) -> String {
    match why.kind() {
        io::ErrorKind::NotFound => "isn't there".to_owned(),
        io::ErrorKind::PermissionDenied => "its own account may not look there".to_owned(),
        _ => why.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn own(home: &Path) -> Result<Option<File>, String> {
        open_state(home, rustix::process::geteuid().as_raw()).map_err(|(_, why)| why)
    }

    #[test]
    fn a_service_without_a_shell_need_not_have_a_home_of_its_own() {
        let account = |uid, shell: &str| Person {
            name: "x".to_owned(),
            uid,
            gid: uid,
            home: "/root".into(),
            shell: shell.into(),
        };
        for (odd, uid, shell, natural) in [
            (Odd::Foreign, 11, "/sbin/nologin", true),
            (Odd::Homeless, 65534, "/usr/sbin/nologin", true),
            (Odd::Unfit, 11, "/sbin/nologin", false),
            (Odd::Foreign, 112, "/bin/bash", false),
            (Odd::Foreign, 1000, "/sbin/nologin", false),
            (Odd::Homeless, 0, "/bin/false", false),
        ] {
            assert_eq!(is_natural(odd, &account(uid, shell)), natural, "{odd:?} {uid} {shell}");
        }
    }

    #[test]
    fn only_a_plain_file_of_the_person_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        let state = home.join(STATE);
        assert!(own(home).unwrap().is_none());
        fs::write(&state, "x").unwrap();
        fs::set_permissions(&state, Permissions::from_mode(0o400)).unwrap();
        assert!(own(home).unwrap().is_some());
        assert!(open_state(home, 12345).unwrap_err().1.contains("somebody else"));
        fs::hard_link(&state, home.join("other")).unwrap();
        assert!(own(home).unwrap_err().contains("hard link"));
        fs::remove_file(home.join("other")).unwrap();
        fs::set_permissions(&state, Permissions::from_mode(0o620)).unwrap();
        assert!(own(home).unwrap_err().contains("written by others"));
        fs::remove_file(&state).unwrap();
        symlink("elsewhere", &state).unwrap();
        assert!(own(home).unwrap_err().contains("symbolic link"));
        fs::remove_file(&state).unwrap();
        fs::create_dir(&state).unwrap();
        assert!(own(home).unwrap_err().contains("no regular file"));
        fs::remove_dir(&state).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &state, Mode::RUSR).unwrap();
        assert!(own(home).unwrap_err().contains("no regular file"), "and nobody waited for a writer");
        fs::remove_file(&state).unwrap();
        fs::write(&state, vec![b'x'; 64 * 1024]).unwrap();
        assert!(own(home).unwrap_err().contains("64 KiB"));
        assert!(own(&home.join("missing")).unwrap_err().contains("isn't there"));
        assert!(own(&state).unwrap_err().contains("no folder"));
        assert!(own(Path::new("relative")).is_err());
    }
}
