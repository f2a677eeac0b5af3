//! Work in a person's home, done by a child that is that person: what root
//! opens there by mistake, the person could have made root open.
//!
//! The child is this program again, `oathgate as-person NAME TASK`, with an
//! empty environment. It takes the person's uid, gid and groups for good before
//! it looks at anything, does the task with its standard input, and answers on
//! its standard output.

use std::ffi::CString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::unistd::{Gid, Uid, User, getresgid, getresuid, initgroups, setgid, setuid};

use crate::error::Failure;

/// The longest answer, in bytes: a few files of keys, as JSON.
const MAX_ANSWER: u64 = 64 * 1024 * 1024;

/// This program, whatever happened to its name since it was started.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// Somebody in the user database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The login name as the database spells it.
    pub name: String,
    /// The uid.
    pub uid: u32,
    /// The first group.
    pub gid: u32,
    /// The home directory.
    pub home: PathBuf,
    /// The login shell, never empty (passwd(5): /bin/sh).
    pub shell: PathBuf,
}

impl Person {
    /// Finds `name`.
    ///
    /// # Errors
    /// When nobody is called so, or nobody can say.
    pub fn named(name: &str) -> Result<Self, Failure> {
        let found = User::from_name(name).map_err(|error| Failure::undecided(format!("who is {name}? {error}")))?;
        found.map(Self::of).ok_or_else(|| Failure::no(format!("there is no account {name}")))
    }

    /// Whoever runs this program.
    ///
    /// # Errors
    /// When the user database doesn't know the uid.
    pub fn caller() -> Result<Self, Failure> {
        let found = User::from_uid(Uid::effective()).ok().flatten();
        found.map(Self::of).ok_or_else(|| Failure::undecided("your uid has no account here").hint("name the account"))
    }

    fn of(user: User) -> Self {
        let shell = if user.shell.as_os_str().is_empty() { PathBuf::from("/bin/sh") } else { user.shell };
        Self { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), home: user.dir, shell }
    }

    /// Has a child of theirs do `task` (the words of the hidden verb), with `input`.
    ///
    /// # Errors
    /// When the child can't be started, is refused their identity, or fails.
    pub fn ask(&self, task: &[&str], input: &[u8]) -> Result<Vec<u8>, Failure> {
        let failed = |what: &dyn std::fmt::Display| Failure::undecided(format!("as {}: {what}", self.name));
        let mut command = Command::new(THIS_PROGRAM);
        command.args(["as-person", &self.name]).args(task).env_clear().current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failed(&error))?;
        let answer = converse(&mut child, input).map_err(|error| failed(&error));
        if answer.is_err() {
            let _ = child.kill();
        }
        let finished = child.wait_with_output().map_err(|error| failed(&error))?;
        if !finished.status.success() {
            let said = String::from_utf8_lossy(&finished.stderr);
            return Err(failed(&said.trim().trim_start_matches("error: ")));
        }
        answer
    }

    /// Becomes this person for good: groups, gid, uid. Whoever is not root may
    /// only be the person already.
    ///
    /// # Errors
    /// When that fails, or would be another person.
    pub fn become_them(&self) -> Result<(), Failure> {
        let failed = |what: &dyn std::fmt::Display| Failure::undecided(format!("can't become {}: {what}", self.name));
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        if Uid::effective().is_root() {
            let name = CString::new(self.name.as_str()).map_err(|error| failed(&error))?;
            let changed = initgroups(&name, gid).and_then(|()| setgid(gid)).and_then(|()| setuid(uid));
            changed.map_err(|error| failed(&error))?;
            let gids = getresgid().map_err(|error| failed(&error))?;
            if [gids.real, gids.effective, gids.saved] != [gid; 3] {
                return Err(failed(&"the group stayed another"));
            }
        }
        let uids = getresuid().map_err(|error| failed(&error))?;
        if [uids.real, uids.effective, uids.saved] == [uid; 3] {
            Ok(())
        } else {
            Err(failed(&"only root and they themselves may"))
        }
    }
}

/// Hands over `input`, then reads the answer. The child reads all before it answers.
fn converse(child: &mut Child, input: &[u8]) -> std::io::Result<Vec<u8>> {
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input)?;
    }
    let mut answer = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MAX_ANSWER + 1).read_to_end(&mut answer)?;
    }
    match u64::try_from(answer.len()) {
        Ok(length) if length <= MAX_ANSWER => Ok(answer),
        _ => Err(std::io::Error::other("the answer is too long")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_found_by_name() {
        let root = Person::named("root").unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(Person::named("no-such-account-here").unwrap_err().what.contains("no account"));
        assert_eq!(Person::caller().unwrap().uid, Uid::effective().as_raw());
    }

    #[test]
    fn whoever_is_not_root_becomes_nobody_else() {
        if Uid::effective().is_root() {
            eprintln!("skipped: root would become them");
            return;
        }
        assert!(Person::named("root").unwrap().become_them().is_err());
        Person::caller().unwrap().become_them().unwrap();
    }
}
