//! What sshd here does with one login, as it says itself (`sshd -T -C …`).

pub mod config;
mod host_key;
pub mod pattern;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::Uid;

use crate::error::Failure;
use host_key::HostKey;

/// Where sshd is, and what it goes by.
#[derive(Debug, Clone)]
pub struct Server {
    /// The program.
    pub program: PathBuf,
    /// Its sshd_config.
    pub config: PathBuf,
}

impl Default for Server {
    fn default() -> Self {
        Self { program: "/usr/sbin/sshd".into(), config: "/etc/ssh/sshd_config".into() }
    }
}

/// The settings that hold for one login: keyword in small letters, and value,
/// in sshd's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effective(Vec<(String, String)>);

impl Effective {
    /// Reads what `sshd -T` prints.
    pub fn parse(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        Self(pairs.map(|(keyword, value)| (keyword.to_ascii_lowercase(), value.trim().to_owned())).collect())
    }

    /// The value of `keyword`; empty where this sshd doesn't know it.
    pub fn value(&self, keyword: &str) -> &str {
        self.0.iter().find(|(known, _)| known == keyword).map_or("", |(_, value)| value)
    }

    /// Whether `keyword` is off. What sshd doesn't say counts as on.
    pub fn is_off(&self, keyword: &str) -> bool {
        self.value(keyword) == "no"
    }

    /// Whether `keyword` names something.
    pub fn names(&self, keyword: &str) -> Option<&str> {
        Some(self.value(keyword)).filter(|value| !value.is_empty() && *value != "none")
    }

    /// The words of every line of `keyword`.
    pub fn words<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.0.iter().filter(move |(known, _)| known == keyword);
        lines.flat_map(|(_, value)| value.split_ascii_whitespace())
    }
}

/// Asks sshd what holds when `user` comes from `address`.
///
/// # Errors
/// When sshd is not there, or objects to its settings.
pub fn effective(server: &Server, user: &str, address: IpAddr) -> Result<Effective, Failure> {
    // Match blocks ask for all of these.
    let connection = format!("user={user},host={address},addr={address},laddr=127.0.0.1,lport=22,rdomain=none");
    let asked = ask(server, &connection, None);
    let answer = match asked {
        Err(failure) if failure.what.contains("no hostkeys") && !Uid::effective().is_root() => {
            // Only root can read the host's keys, and sshd insists on one.
            ask(server, &connection, Some(&HostKey::generate()?))?
        }
        other => other?,
    };
    Ok(Effective::parse(&answer))
}

fn ask(server: &Server, connection: &str, key: Option<&HostKey>) -> Result<String, Failure> {
    let Server { program, config } = server;
    let mut command = Command::new(program);
    command.arg("-T").arg("-f").arg(config).args(["-C", connection]).env_clear().current_dir("/").stdin(Stdio::null());
    if let Some(key) = key {
        command.arg("-h").arg(key.path());
    }
    let asked = command.output().map_err(|error| {
        Failure::undecided(format!("can't run {}: {error}", program.display())).hint("name sshd with --sshd")
    })?;
    if asked.status.success() {
        return Ok(String::from_utf8_lossy(&asked.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&asked.stderr);
    let said = said.trim().lines().last().unwrap_or_default().trim();
    let failure = Failure::undecided(format!("{} -T can't say what holds: {said}", program.display()));
    Err(failure.hint(format!("as root: {} -t -f {}", program.display(), Path::new(config).display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sshd_prints_is_read() {
        let settings = Effective::parse("port 22\nAcceptEnv LANG\nacceptenv LC_* FOO\nforcecommand none\nusepam no\n");
        assert_eq!(settings.words("acceptenv").collect::<Vec<_>>(), ["LANG", "LC_*", "FOO"]);
        assert_eq!((settings.value("port"), settings.value("nothing")), ("22", ""));
        assert_eq!(
            (settings.names("forcecommand"), settings.names("nothing"), settings.names("port")),
            (None, None, Some("22"))
        );
        assert!(settings.is_off("usepam") && !settings.is_off("nothing"), "what isn't said is not off");
    }

    #[test]
    fn a_server_that_is_not_there_is_a_clear_error() {
        let server = Server { program: "/nonexistent/sshd".into(), ..Server::default() };
        let failure = effective(&server, "root", [192, 0, 2, 1].into()).unwrap_err();
        assert!(failure.what.contains("/nonexistent/sshd") && failure.hint.unwrap().contains("--sshd"));
    }
}
