//! SSH keys: `key add`, `list`, `policy`, `remove`, and reading one from a file.

use std::fs::File;
use std::io::Read;

use otp_core::Fingerprint;
use otp_core::ssh_key::MAX_BLOB;
use otp_wire::Ask;
use otp_wire::message::{
    EntryRow, GrantTo, KeyAdd as AddAsk, KeyGrant as GrantAsk, KeyName as NameAsk, KeyPolicy as PolicyAsk,
};
use otp_wire::syslog::escape;
use serde::Serialize;

use crate::cli::{KeyAdd, KeyGrant, KeyName, KeyPolicy, List, Policy};
use crate::client::Client;
use crate::clock;
use crate::credential::done;
use crate::error::Failure;
use crate::list;
use crate::output::{Output, table};

/// An SSH key that was named on the command line.
#[derive(Debug, PartialEq, Eq)]
pub struct SshKey {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// Its comment, where there is one: at most 256 bytes without control characters.
    pub comment: Option<String>,
}

impl SshKey {
    /// Reads `SHA256:…` or the file of a public key.
    ///
    /// # Errors
    /// When it is neither.
    pub fn read(name: &str) -> Result<Self, Failure> {
        if name.starts_with("SHA256:") {
            let fingerprint = name.parse().map_err(|error| {
                Failure::usage(error).hint("ssh-keygen -lf FILE.pub prints it; the file itself will do as well")
            })?;
            return Ok(Self { fingerprint, comment: None });
        }
        let limit = u64::try_from(MAX_BLOB * 2).unwrap_or(u64::MAX);
        let mut text = String::new();
        File::open(name).and_then(|file| file.take(limit).read_to_string(&mut text)).map_err(|error| {
            Failure::usage(format!("can't read the key {name:?}: {error}"))
                .hint("give the path of a .pub file, or SHA256:… as ssh-keygen -l prints it")
        })?;
        Self::of_file(&text, name)
    }

    fn of_file(text: &str, name: &str) -> Result<Self, Failure> {
        if text.contains("PRIVATE KEY") {
            return Err(Failure::usage(format!("{name:?} is a private key")).hint(format!("give {name}.pub instead")));
        }
        let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
        let mut keys = lines.map(Fingerprint::of_line);
        match (keys.next(), keys.next()) {
            (Some(Ok((fingerprint, comment))), None) => Ok(Self { fingerprint, comment: tidy(&comment) }),
            (Some(_), Some(_)) => Err(Failure::usage(format!("{name:?} holds several lines"))
                .hint("name one key by its fingerprint: ssh-keygen -lf prints them")),
            _ => Err(Failure::usage(format!("{name:?} is not an OpenSSH public key")).hint("give the .pub file")),
        }
    }
}

fn tidy(comment: &str) -> Option<String> {
    let mut text: String = comment.chars().filter(|character| !character.is_control()).collect();
    while text.len() > 256 {
        text.pop();
    }
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Lets a further key in.
///
/// # Errors
/// When that was not done.
pub fn add(client: &Client, arguments: &KeyAdd, out: &mut Output) -> Result<(), Failure> {
    let key = SshKey::read(&arguments.key.key)?;
    let account = client.account(arguments.key.account.as_ref())?.to_string();
    let line = client.done(Ask::KeyAdd(AddAsk {
        account: account.clone(),
        key: key.fingerprint.to_string(),
        owner: arguments.owner.as_ref().map(ToString::to_string),
        note: arguments.note.clone().or(key.comment),
        credentials: arguments.credentials.clone(),
    }))?;
    done(&line, arguments.key.json.json, out)?;
    if arguments.credentials.is_empty() && !arguments.key.json.json {
        let (call, key) = (&client.call, key.fingerprint);
        let owner =
            arguments.owner.as_ref().map_or_else(String::new, |owner| format!(" --owner {}", escape(owner.as_str())));
        out.line("No code is bound to it yet, so only a scratch code opens it. Either of these goes on:")?;
        out.line(format!("  {call} enrol {}{owner} --ssh-key {key}    a code of its own", escape(&account)))?;
        out.line(format!("  {call} key policy {key} none --account {}    no code at all", escape(&account)))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Keys<'a> {
    keys: Vec<KeyRow<'a>>,
}

#[derive(Serialize)]
struct KeyRow<'a> {
    owner: &'a str,
    #[serde(flatten)]
    entry: &'a EntryRow,
}

/// Shows the keys.
///
/// # Errors
/// When they can't be read.
pub fn list(client: &Client, arguments: &List, out: &mut Output) -> Result<(), Failure> {
    let owners = list::owners(client, client.scope(arguments.account.as_ref())?, None)?;
    let keyed = |entry: &&EntryRow| entry.key.is_some();
    if arguments.json.json {
        return out.json(&Keys { keys: owners.iter().flat_map(key_rows).collect() });
    }
    let mut rows = Vec::new();
    for owner in &owners {
        for entry in owner.entries.iter().filter(keyed) {
            let mut cells = list::entry_cells(entry, &owner.credentials);
            cells.insert(0, owner.owner.clone());
            rows.push(cells);
        }
    }
    if rows.is_empty() {
        return out.line(format!("No SSH key is enrolled. To begin: {} enrol --ssh-key FILE.pub", client.call));
    }
    out.print(&table(&["OWNER", "ACCOUNT", "ASKED FOR", "AT LOGINS"], &rows))
}

fn key_rows(owner: &otp_wire::message::OwnerRow) -> Vec<KeyRow<'_>> {
    let rows = owner.entries.iter().filter(|entry| entry.key.is_some());
    rows.map(|entry| KeyRow { owner: &owner.owner, entry }).collect()
}

/// Says what is asked for at a key.
///
/// # Errors
/// When that was not done.
pub fn policy(client: &Client, arguments: &KeyPolicy, out: &mut Output) -> Result<(), Failure> {
    let key = SshKey::read(&arguments.key.key)?;
    let now = clock::now();
    let until = arguments.until.as_deref().map(|text| clock::point(text, now, u64::checked_add)).transpose()?;
    let policy = match arguments.policy {
        Policy::Code if until.is_some() => {
            return Err(Failure::usage("only the policy none can end").hint("leave --until out"));
        }
        Policy::Code => "code",
        Policy::None if until.is_some_and(|until| until <= now) => {
            return Err(Failure::usage("--until lies in the past").hint("choose a later time, or the policy code"));
        }
        Policy::None => "none",
    };
    let account = client.account(arguments.key.account.as_ref())?.to_string();
    let grant = arguments.grant.as_deref().map(clock::time).transpose()?;
    let ask = PolicyAsk { account, key: key.fingerprint.to_string(), policy: policy.to_owned(), until, grant };
    let line = client.done(Ask::KeyPolicy(ask))?;
    done(&line, arguments.key.json.json, out)
}

/// Lets a key in from an address without a code for a while, or stops that.
///
/// # Errors
/// When that was not done.
pub fn grant(client: &Client, arguments: &KeyGrant, out: &mut Output) -> Result<(), Failure> {
    let key = SshKey::read(&arguments.key.key)?.fingerprint.to_string();
    let account = client.account(arguments.key.account.as_ref())?.to_string();
    let to = match (arguments.from, &arguments.time) {
        (Some(address), Some(time)) => Some(GrantTo { address: address.to_string(), seconds: clock::time(time)? }),
        _ => None,
    };
    let line = client.done(Ask::KeyGrant(GrantAsk { account, key, to }))?;
    done(&line, arguments.key.json.json, out)
}

/// Forgets a key.
///
/// # Errors
/// When that was not done.
pub fn remove(client: &Client, name: &KeyName, out: &mut Output) -> Result<(), Failure> {
    let key = SshKey::read(&name.key)?;
    let account = client.account(name.account.as_ref())?.to_string();
    let line = client.done(Ask::KeyRemove(NameAsk { account, key: key.fingerprint.to_string() }))?;
    done(&line, name.json.json, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn keys_are_read_from_files() {
        let key = SshKey::of_file(&format!("# mine\n\n{LINE} alice@laptop\x1b[31m\n"), "x").unwrap();
        assert_eq!(key.comment.as_deref(), Some("alice@laptop[31m"));
        assert_eq!(SshKey::of_file(LINE, "x").unwrap(), SshKey { comment: None, ..key });
        let long = SshKey::of_file(&format!("{LINE} {}", "\u{e4}".repeat(200)), "x").unwrap();
        assert_eq!(long.comment.unwrap().len(), 256);
    }

    #[test]
    fn what_is_no_key_says_what_to_do() {
        let private = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
        for (text, hint) in
            [(private, "id.pub"), (&format!("{LINE}\n{LINE}\n"), "fingerprint"), ("", ".pub"), ("x", ".pub")]
        {
            let failure = SshKey::of_file(text, "id").unwrap_err();
            assert!(failure.hint.unwrap().contains(hint), "{text}");
        }
        assert!(SshKey::read("SHA256:short").is_err());
        assert!(SshKey::read("/nonexistent").is_err());
    }
}
