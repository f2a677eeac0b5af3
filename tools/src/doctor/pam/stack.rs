//! The `auth` lines of a PAM service with all that they include, in order.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Where services are described; the first that has one counts.
const FOLDERS: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];

/// The longest file in bytes, how deep files may include others, how many may be
/// included, and the most lines: more is no PAM that works.
const MAX_FILE: u64 = 256 * 1024;
const MAX_DEPTH: usize = 16;
const MAX_INCLUDES: usize = 256;
const MAX_LINES: usize = 4096;

/// What a module's answer does to the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Goes on; success counts.
    Ok,
    /// As [`Action::Ok`], and ends the stack.
    Done,
    /// Goes on as if the line weren't there.
    Ignore,
    /// Fails in the end.
    Bad,
    /// Fails at once.
    Die,
    /// Forgets what came before.
    Reset,
    /// Passes over so many lines.
    Jump(usize),
}

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// `FILE:LINE`.
    pub place: String,
    /// The module's file; empty for the head of a substack.
    pub module: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// How many substacks it is in.
    pub level: usize,
    control: Vec<(String, Action)>,
}

impl Entry {
    /// Whether the line is of `module`, wherever that lies.
    pub fn is(&self, module: &str) -> bool {
        self.module.ends_with(module)
    }

    /// Whether `argument` is given.
    pub fn has(&self, argument: &str) -> bool {
        self.arguments.iter().any(|given| given == argument)
    }

    /// Whether people with nothing enrolled are let by: `nullok`, or with an end.
    pub fn nullok(&self) -> bool {
        self.arguments.iter().any(|given| given == "nullok" || given.starts_with("nullok_until="))
    }

    /// Whether `action` leaves the straight way down.
    pub fn turns(&self, action: Action) -> bool {
        matches!(action, Action::Jump(1..) | Action::Done | Action::Reset)
    }

    /// What may happen here, other than that `guard` says yes: whether the
    /// module did, and what that does.
    pub fn outcomes(&self, guard: &str) -> Vec<(bool, Action)> {
        if self.module.is_empty() {
            return vec![(true, Action::Ignore)];
        }
        let mut outcomes = Vec::new();
        if !self.is(guard) && !self.is("pam_deny.so") {
            outcomes.push((true, self.on("success")));
        }
        if !self.is("pam_permit.so") {
            let others = self.control.iter().filter(|(value, _)| value != "success" && value != "new_authtok_reqd");
            // What asks for a code never says "ignore" unless it is told to, which is named apart.
            let ignores = !self.is(guard) && !self.is("pam_deny.so");
            let others = others.filter(|(value, _)| value != "ignore" || ignores);
            outcomes.extend(others.map(|(_, action)| (false, *action)));
            outcomes.push((false, self.on("default")));
        }
        outcomes
    }

    fn on(&self, value: &str) -> Action {
        let of = |wanted: &str| self.control.iter().rev().find(|(value, _)| value == wanted).map(|(_, action)| *action);
        of(value).or_else(|| of("default")).unwrap_or(Action::Bad)
    }
}

/// A service's `auth` lines.
#[derive(Debug, Default)]
pub struct Stack {
    /// The lines.
    pub entries: Vec<Entry>,
    /// What could not be read or understood, and why.
    pub unseen: Vec<String>,
    /// Its file, and those that are included.
    pub files: Vec<PathBuf>,
    includes: usize,
}

/// Finds a service's file by its name or path: where it is, and what it holds.
pub type Find<'a> = &'a dyn Fn(&str) -> std::io::Result<(PathBuf, String)>;

impl Stack {
    /// Reads this host's `service`.
    pub fn of_service(service: &str) -> Self {
        Self::read(service, &find)
    }

    /// Reads `service` where the host's own stacks are in `folder`.
    pub fn in_folder(folder: &Path, service: &str) -> Self {
        let [_, vendors] = FOLDERS.map(Path::new);
        Self::read(service, &|name| find_in(&[folder, vendors], name))
    }

    /// Reads `service` from wherever `find` finds it, and what it includes.
    pub fn read(service: &str, find: Find<'_>) -> Self {
        let mut stack = Self::default();
        match find(service) {
            // Linux-PAM asks for `other` then.
            Err(error) if error.kind() == ErrorKind::NotFound => stack.include("other", 0, 0, find),
            Err(error) => stack.unseen.push(format!("{service}: {error}")),
            Ok(found) => stack.add(&found, 0, 0, find),
        }
        stack
    }

    fn include(&mut self, name: &str, level: usize, depth: usize, find: Find<'_>) {
        self.includes += 1;
        if depth > MAX_DEPTH || self.includes > MAX_INCLUDES {
            // Said once: others may be without number.
            let text = format!("{name}: included too deep, or too often");
            if self.unseen.last() != Some(&text) {
                self.unseen.push(text);
            }
            return;
        }
        match find(name) {
            Ok(found) => self.add(&found, level, depth, find),
            Err(error) => self.unseen.push(format!("{name}: {error}")),
        }
    }

    fn add(&mut self, (path, text): &(PathBuf, String), level: usize, depth: usize, find: Find<'_>) {
        self.files.push(path.clone());
        for (number, line) in joined(text) {
            if self.entries.len() >= MAX_LINES {
                return self.unseen.push(format!("{}: too many lines", path.display()));
            }
            self.line(&format!("{}:{number}", path.display()), &line, (level, depth), find);
        }
    }

    fn line(&mut self, place: &str, line: &str, (level, depth): (usize, usize), find: Find<'_>) {
        let words = words(line);
        let mut words = words.iter().map(String::as_str);
        let kind = words.next().unwrap_or_default().to_ascii_lowercase();
        if kind == "@include" {
            return self.include(words.next().unwrap_or_default(), level, depth + 1, find);
        }
        if kind.trim_start_matches('-') != "auth" {
            return;
        }
        let (control, module) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match control.to_ascii_lowercase().as_str() {
            "include" => self.include(module, level, depth + 1, find),
            "substack" => {
                self.push(place, String::new(), vec![], level, vec![]);
                self.include(module, level + 1, depth + 1, find);
            }
            word => match actions(word) {
                Some(actions) => {
                    self.push(place, module.to_owned(), words.map(str::to_owned).collect(), level, actions)
                }
                None => self.unseen.push(format!("{place}: {control} is no control that is known here")),
            },
        }
    }

    fn push(
        &mut self,
        place: &str,
        module: String,
        arguments: Vec<String>,
        level: usize,
        control: Vec<(String, Action)>,
    ) {
        self.entries.push(Entry { place: place.to_owned(), module, arguments, level, control });
    }
}

fn find(name: &str) -> std::io::Result<(PathBuf, String)> {
    find_in(&FOLDERS.map(Path::new), name)
}

fn find_in(folders: &[&Path], name: &str) -> std::io::Result<(PathBuf, String)> {
    let mut last = std::io::Error::from(ErrorKind::NotFound);
    for folder in folders {
        let path = folder.join(name);
        match read(&path) {
            Ok(text) => return Ok((path, text)),
            Err(error) if error.kind() == ErrorKind::NotFound => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Lines with their numbers, those that end in a backslash joined with the next.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default();
        let (part, more) = line.strip_suffix('\\').map_or((line, false), |part| (part, true));
        match lines.last_mut() {
            Some((_, before)) if open => before.extend([" ", part]),
            _ => lines.push((number, part.to_owned())),
        }
        open = more;
    }
    lines
}

/// Words at blanks; what stands in brackets is one word.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('[') {
            Some(inner) => inner.split_once(']').map_or((rest, ""), |(word, after)| (word, after)),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

/// What a control says: one of the four words, or `value=action` pairs.
fn actions(control: &str) -> Option<Vec<(String, Action)>> {
    let (success, default) = match control {
        "required" => (Action::Ok, Action::Bad),
        "requisite" => (Action::Ok, Action::Die),
        "sufficient" => (Action::Done, Action::Ignore),
        "optional" => (Action::Ok, Action::Ignore),
        pairs => return pairs.split_whitespace().map(pair).collect(),
    };
    let table = [("success", success), ("ignore", Action::Ignore), ("default", default)];
    Some(table.map(|(value, action)| (value.to_owned(), action)).into())
}

fn pair(text: &str) -> Option<(String, Action)> {
    let (value, action) = text.split_once('=')?;
    let action = match action {
        "ok" => Action::Ok,
        "done" => Action::Done,
        "ignore" => Action::Ignore,
        "bad" => Action::Bad,
        "die" => Action::Die,
        "reset" => Action::Reset,
        count => Action::Jump(count.parse().ok()?),
    };
    Some((value.to_owned(), action))
}

#[cfg(test)]
pub mod testing {
    use super::*;

    /// A stack of these files; the first is the service's.
    pub fn stack(files: &[(&str, &str)]) -> Stack {
        let find = |name: &str| {
            let found =
                files.iter().find(|(file, _)| *file == name).map(|(file, text)| (file.into(), (*text).to_owned()));
            found.ok_or_else(|| ErrorKind::NotFound.into())
        };
        Stack::read(files[0].0, &find)
    }
}
