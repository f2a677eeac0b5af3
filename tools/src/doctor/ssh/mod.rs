//! `doctor ssh`: every way around the code at logins over SSH.
//!
//! One thin layer looks: sshd says what holds for the login ([`crate::sshd`]),
//! and a child with the person's rights reads what is in their home
//! ([`crate::look`]). The rest judges text: [`ways`] the methods of logging in,
//! [`lines`] authorized_keys, [`server`] sshd's settings, [`shell`] the login
//! shell and its start files, [`mod@store`] what the verifier asks nobody for.

mod lines;
mod options;
mod server;
mod shell;
mod store;
mod ways;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use crate::as_person::Person;
use crate::cli::{DoctorSsh, Reach};
use crate::client::Client;
use crate::doctor::finding::{Finding, State, report};
use crate::doctor::pam::stack::Stack;
use crate::doctor::pam::{Guard, OATHGATE};
use crate::error::Failure;
use crate::look::{Found, Seen, Wanted, look};
use crate::output::Output;
use crate::sshd::config::Written;
use crate::sshd::{self, Effective, Server};
use crate::terminal::Console;
use lines::{Facts, Line};
use ways::Login;

/// Somewhere outside (RFC 5737), where nobody named an address.
const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// Looks for ways around the code, and says how to close them.
///
/// # Errors
/// When there are any, or it could not be looked.
pub fn run(reach: &Reach, arguments: &DoctorSsh, out: &mut Output) -> Result<(), Failure> {
    let person = person(arguments)?;
    let server = Server { program: arguments.sshd.clone(), config: arguments.config.clone() };
    let settings = sshd::effective(&server, &person.name, arguments.address.unwrap_or(OUTSIDE))?;
    let service = service(&settings, &server.program);
    let (written, stack) = (Written::read(&server.config), Stack::of_service(&service));
    let own = Person::caller().is_ok_and(|caller| caller.uid == person.uid);
    let host = Host { settings, written, stack, service, own };
    let seen = Home::look(&person, &host.settings)?;
    let mut findings = judge(&person, &host, &seen);
    findings.extend(stores(reach, &person, &host, &all_lines(&seen.keys)));
    findings.extend(elsewhere(&host.written, arguments.address, host.another(&person)));
    if findings.is_empty() {
        let line = format!("each way in to {} that sshd offers asks for a code", person.name);
        findings.push(Finding::new(State::Good, line));
    }
    report(&findings, arguments.json.json, out)
}

/// Others' homes are for root to look into.
fn person(arguments: &DoctorSsh) -> Result<Person, Failure> {
    let caller = Person::caller();
    let Some(account) = &arguments.account else { return caller };
    let person = Person::named(account.as_str())?;
    let may = nix::unistd::Uid::effective().is_root() || caller.is_ok_and(|caller| caller.uid == person.uid);
    let denied = || Failure::no(format!("logins to {} are for root to look at", person.name));
    if may { Ok(person) } else { Err(denied().hint(format!("sudo oathgate doctor ssh {}", person.name))) }
}

/// sshd's PAM service: its own name, unless it is told another.
fn service(settings: &Effective, program: &Path) -> String {
    let own = program.file_name().map_or_else(|| "sshd".to_owned(), |name| name.to_string_lossy().into_owned());
    settings.names("pamservicename").map_or(own, str::to_owned)
}

/// What was read of the host.
struct Host {
    settings: Effective,
    written: Written,
    stack: Stack,
    service: String,
    /// Whether people ask about themselves.
    own: bool,
}

impl Host {
    /// The account to name in commands.
    fn another<'a>(&self, person: &'a Person) -> Option<&'a str> {
        (!self.own).then_some(person.name.as_str())
    }
}

/// What was seen with the person's rights.
struct Home {
    /// Files of keys, in sshd's order.
    keys: Vec<(PathBuf, Seen)>,
    rc: Seen,
    start_files: Vec<(PathBuf, Seen)>,
    programs: HashMap<String, Seen>,
}

impl Home {
    fn look(person: &Person, settings: &Effective) -> Result<Self, Failure> {
        let keys: Vec<PathBuf> = settings.words("authorizedkeysfile").filter_map(|name| expand(name, person)).collect();
        let keys = together(person, keys, true)?;
        let start_files = together(person, shell::start_files(&person.shell, &person.home), true)?;
        let rc = look(person, &[Wanted { path: person.home.join(".ssh/rc"), text: false }])?.pop();
        let programs = all_lines(&keys).iter().filter_map(Line::program).map(PathBuf::from).collect();
        let programs = together(person, programs, false)?;
        let programs = programs.into_iter().map(|(path, seen)| (path.display().to_string(), seen)).collect();
        Ok(Self { keys, rc: rc.unwrap_or(Seen::Missing), start_files, programs })
    }
}

fn together(person: &Person, paths: Vec<PathBuf>, text: bool) -> Result<Vec<(PathBuf, Seen)>, Failure> {
    let wanted: Vec<Wanted> = paths.iter().map(|path| Wanted { path: path.clone(), text }).collect();
    Ok(paths.into_iter().zip(look(person, &wanted)?).collect())
}

fn all_lines(keys: &[(PathBuf, Seen)]) -> Vec<Line> {
    let texts = keys.iter().filter_map(|(path, seen)| match seen {
        Seen::File(found) => Some(lines::lines(&path.display().to_string(), &found.text)),
        Seen::Missing | Seen::Unseen(_) => None,
    });
    texts.flatten().collect()
}

/// A word of AuthorizedKeysFile (sshd_config(5), TOKENS).
fn expand(word: &str, person: &Person) -> Option<PathBuf> {
    let mut path = String::new();
    let mut rest = word.chars();
    while let Some(c) = rest.next() {
        match (c, if c == '%' { rest.next() } else { None }) {
            ('%', Some('h')) => path.push_str(&person.home.to_string_lossy()),
            ('%', Some('u')) => path.push_str(&person.name),
            ('%', Some('U')) => path.push_str(&person.uid.to_string()),
            ('%', Some(other)) => path.push(other),
            (c, _) => path.push(c),
        }
    }
    (word != "none").then(|| person.home.join(path))
}

/// Judges what was seen.
fn judge(person: &Person, host: &Host, home: &Home) -> Vec<Finding> {
    let lines = all_lines(&home.keys);
    let (gated, open) = (lines.iter().any(Line::is_gated), lines.iter().any(Line::is_open));
    let ways = ways::judge(&Login {
        account: &person.name,
        root: person.uid == 0,
        settings: &host.settings,
        written: &host.written,
        stack: &host.stack,
        service: &host.service,
        gated,
        open,
    });
    let mut findings = ways.findings;
    if !ways.lines_decide {
        return findings;
    }
    findings.extend(home.keys.iter().filter_map(|(path, seen)| unseen(path, seen)));
    if gated || matches!(host.stack.guard(OATHGATE), Guard::Absent) {
        let usual_file = person.home.join(".ssh/authorized_keys").display().to_string();
        let facts = Facts {
            usual_file: &usual_file,
            settings: &host.settings,
            root: person.uid == 0,
            rc: home.rc != Seen::Missing,
            programs: &home.programs,
            uid: person.uid,
            account: host.another(person),
        };
        findings.extend(lines::judge(&lines, &facts));
    }
    findings.extend(server::judge(&host.settings, &host.written, &person.name, gated));
    if gated {
        findings.extend(shell::judge(&person.shell, &person.name));
        findings.extend(home.start_files.iter().flat_map(|(path, seen)| start_file(path, seen)));
        findings
            .extend(home.keys.iter().filter_map(|(path, seen)| writers(path, seen, &lines, person, &host.settings)));
    }
    findings
}

/// Judges the stores that are asked at logins here: the system's, and the person's own.
fn stores(reach: &Reach, person: &Person, host: &Host, lines: &[Line]) -> Vec<Finding> {
    let any = |own| lines.iter().any(|line| line.is_gated() && line.is_user_store() == own);
    let mut findings = Vec::new();
    if any(false) || !matches!(host.stack.guard(OATHGATE), Guard::Absent) {
        let system = Reach { user_store: false, socket: reach.socket.clone() };
        findings.extend(store::judge(Client::new(&system, &Console), &person.name));
    }
    if any(true) && host.own {
        let own = Reach { user_store: true, socket: None };
        findings.extend(store::judge(Client::new(&own, &Console), &person.name));
    } else if any(true) {
        let finding = store::unseen(&format!("{} alone can ask their own store", person.name));
        findings.push(finding.run(format!("sudo -iu {} oathgate doctor ssh", person.name)));
    }
    findings
}

fn unseen(path: &Path, seen: &Seen) -> Option<Finding> {
    let pattern = path.to_string_lossy().contains(['*', '?', '[']);
    match seen {
        Seen::Unseen(why) => Some(Finding::unseen(format!("{}: {why}", path.display()))),
        Seen::Missing if pattern => Some(Finding::unseen(format!("{} is a pattern: name each file", path.display()))),
        Seen::Missing | Seen::File(_) => None,
    }
}

fn start_file(path: &Path, seen: &Seen) -> Vec<Finding> {
    match seen {
        Seen::File(found) => shell::start_file(&path.display().to_string(), &found.text),
        _ => unseen(path, seen).into_iter().collect(),
    }
}

/// Who could take the code out of a file with lines that ask.
fn writers(path: &Path, seen: &Seen, lines: &[Line], person: &Person, settings: &Effective) -> Option<Finding> {
    let file = path.display().to_string();
    let mut gated = lines.iter().filter(|line| line.is_gated() && line.file() == file).peekable();
    let (Seen::File(found), Some(_)) = (seen, gated.peek()) else { return None };
    let binding = person.uid != 0 && gated.any(|line| !line.is_user_store());
    others(found, person, settings).or_else(|| {
        let node = found.owned_by(person.uid).filter(|_| binding)?;
        let text = format!(
            "{} can change {}, and take the code out: the code binds thieves of the key, not {0}",
            person.name,
            node.path.display()
        );
        let change = "AuthorizedKeysFile /etc/ssh/authorized_keys/%u, with files of root's; or PAM";
        Some(Finding::warning(text).at(file).change(change))
    })
}

fn others(found: &Found, person: &Person, settings: &Effective) -> Option<Finding> {
    let node = found.open_to_others(person.uid)?;
    let path = node.path.display();
    let text = if settings.is_off("strictmodes") {
        format!("others can change {path}, and sshd does not mind (StrictModes no)")
    } else {
        format!("others can change {path}: sshd may refuse the file")
    };
    Some(
        Finding::bad(text)
            .at(path.to_string())
            .run(format!("chmod go-w {path}, and chown it to {} or root", person.name)),
    )
}

/// Match blocks that hold for other addresses than the one looked at.
fn elsewhere(written: &Written, address: Option<IpAddr>, account: Option<&str>) -> Vec<Finding> {
    let account = account.map_or_else(String::new, |account| format!("{account} "));
    let of_people = |word: &str| ["user", "group", "all", "invalid-user"].contains(&word.to_ascii_lowercase().as_str());
    let criteria = |words: &[String]| words.iter().step_by(2).any(|word| !of_people(word));
    let blocks = written.lines("match").filter(|line| address.is_none() && criteria(&line.words));
    let mut findings: Vec<Finding> = blocks
        .map(|line| {
            let text = format!("what holds under Match {} was not looked at", line.words.join(" "));
            Finding::unseen(text).at(&line.place).run(format!("oathgate doctor ssh {account}--address ADDRESS"))
        })
        .collect();
    findings.extend(written.unread.iter().map(|path| {
        Finding::warning(format!(
            "{} can't be read: sshd was asked what holds, but not where it stands",
            path.display()
        ))
    }));
    findings
}

#[cfg(test)]
mod tests;
