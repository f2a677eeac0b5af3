//! Who has an account here, as far as getent(1) lists them: directories mostly don't.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::as_person::Person;

/// A line of passwd(5) that may be a person's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The login name.
    pub name: String,
    /// The uid.
    pub uid: u32,
    /// The first group.
    pub gid: u32,
    /// The home directory.
    pub home: PathBuf,
    /// The shell.
    shell: String,
}

impl Line {
    /// Whether there is a shell to log in to.
    pub fn logs_in(&self) -> bool {
        !self.shell.ends_with("/nologin") && !self.shell.ends_with("/false")
    }

    fn of(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, shell] = fields.as_slice() else { return None };
        let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
        let person = uid == 0 || (1000..65534).contains(&uid);
        person.then(|| Self {
            name: (*name).to_owned(),
            uid,
            gid,
            home: PathBuf::from(home),
            shell: (*shell).to_owned(),
        })
    }
}

impl From<Person> for Line {
    fn from(person: Person) -> Self {
        let Person { name, uid, gid, home, shell } = person;
        Self { name, uid, gid, home, shell: shell.display().to_string() }
    }
}

/// Everybody.
pub fn people() -> Vec<Line> {
    let mut getent = Command::new("/usr/bin/getent");
    getent.arg("passwd").env_clear().stderr(Stdio::null());
    let listed = getent.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&listed).lines().filter_map(Line::of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_from_services() {
        let passwd = [
            "root:x:0:0:root:/root:/bin/bash",
            "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin",
            "alice:x:1000:1000::/home/alice:/bin/sh",
            "bob:x:1001:1002::/home/bob:/bin/false",
            "nobody:x:65534:65534::/:/bin/sh",
            "broken:line",
        ];
        let people: Vec<Line> = passwd.iter().filter_map(|line| Line::of(line)).collect();
        let names: Vec<(&str, bool)> = people.iter().map(|person| (person.name.as_str(), person.logs_in())).collect();
        assert_eq!(names, [("root", true), ("alice", true), ("bob", false)]);
        let (uid, gid, home) = (1001, 1002, PathBuf::from("/home/bob"));
        assert_eq!(people[2], Line { name: "bob".to_owned(), uid, gid, home, shell: "/bin/false".to_owned() });
    }
}
