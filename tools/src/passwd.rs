//! Who has an account here, as far as getent(1) lists them: directories mostly don't.

use std::process::{Command, Stdio};

use otp_wire::passwd::entries;

use crate::as_person::Person;

/// Every account, those of services too: some of them log in.
pub fn all() -> Vec<Person> {
    let mut getent = Command::new("/usr/bin/getent");
    getent.arg("passwd").env_clear().stderr(Stdio::null());
    of(&getent.output().map(|output| output.stdout).unwrap_or_default())
}

fn of(passwd: &[u8]) -> Vec<Person> {
    entries(passwd).map(Person::from).collect()
}

/// Whether it may be a person's: root's, or no service's by its number. `nobody` is nobody.
pub fn is_person(person: &Person) -> bool {
    person.uid == 0 || (person.uid >= 1000 && person.uid != 65534)
}

/// Whether there is a shell to log in to.
pub fn logs_in(person: &Person) -> bool {
    !["nologin", "false"].iter().any(|none| person.shell.ends_with(none))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_from_services() {
        let passwd = b"root:x:0:0:root:/root:/bin/bash\n\
            daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
            alice:x:1000:1000::/home/alice:\n\
            bob:x:1001:1002::/home/bob:/bin/false\n\
            nobody:x:65534:65534::/:/bin/sh\n\
            carol:x:1200000:1200000::/home/carol:/bin/sh\n\
            broken:line\n";
        assert_eq!(of(passwd).len(), 6, "services have accounts, too");
        let people: Vec<Person> = of(passwd).into_iter().filter(is_person).collect();
        let names: Vec<(&str, bool)> = people.iter().map(|one| (one.name.as_str(), logs_in(one))).collect();
        assert_eq!(names, [("root", true), ("alice", true), ("bob", false), ("carol", true)]);
        assert_eq!((people[2].uid, people[2].gid, people[2].home.to_str()), (1001, 1002, Some("/home/bob")));
        assert_eq!(people[1].shell.to_str(), Some("/bin/sh"), "passwd(5)");
    }
}
