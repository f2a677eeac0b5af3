//! `verify` and `resync`: whether codes are right.

use std::io::Read;

use otp_wire::message::{Outcome, Reason, Resync as ResyncAsk, SetBack, Verify as VerifyAsk};
use otp_wire::syslog::escape;
use otp_wire::{Ask, Login, SecretText};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::{Resync, Verify};
use crate::client::{Client, unexpected};
use crate::credential;
use crate::error::Failure;
use crate::key::SshKey;
use crate::output::Output;
use crate::terminal::Typed;

/// The service under which this program asks.
pub const SERVICE: &str = "oathgate";

#[derive(Serialize)]
struct Judged<'a> {
    accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scratch_left: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<&'a str>,
}

/// Asks for a code and says whether it is right.
///
/// # Errors
/// When it is not, or nothing was decided.
pub fn run(client: &Client, arguments: &Verify, out: &mut Output) -> Result<(), Failure> {
    let key = arguments.ssh_key.as_deref().map(SshKey::read).transpose()?;
    let keys: Vec<_> = key.iter().map(|key| key.fingerprint.to_string()).collect();
    let account = client.account(arguments.account.as_ref())?.to_string();
    let code = if arguments.stdin { from_stdin()? } else { from_terminal(client, &account)? };
    let login = Login { account, keys, service: SERVICE.to_owned(), ..Login::default() };
    let outcome = client.answer(Ask::Verify(VerifyAsk { login, code, credential: None }))?;
    if arguments.json.json {
        out.json(&judged(&outcome)?)?;
    }
    match &outcome {
        Outcome::Accepted { .. } if arguments.json.json => Ok(()),
        Outcome::Accepted { .. } => out.line(accepted(&outcome)),
        Outcome::Refused { .. } if arguments.json.json => Err(Failure::no("")),
        // Who names no key is told nothing by the line, not even as root.
        Outcome::Refused { reason, .. } if client.root && key.is_none() => Err(Failure::no(reason)),
        Outcome::Refused { reason: Reason::NotEnrolled, line } if key.is_none() => Err(Failure::no(line).hint(
            "this asks as a login without a key; name a key with --ssh-key, or see what is enrolled: oathgate list",
        )),
        other => Err(unexpected(other)),
    }
}

/// Asks for two codes in a row and follows the device that shows them.
///
/// # Errors
/// When they don't follow each other, are used, or nothing was decided.
pub fn resync(client: &Client, arguments: &Resync, out: &mut Output) -> Result<(), Failure> {
    let key = arguments.ssh_key.as_deref().map(SshKey::read).transpose()?;
    let keys: Vec<_> = key.iter().map(|key| key.fingerprint.to_string()).collect();
    let account = client.account(arguments.account.as_ref())?.to_string();
    let codes = [
        prompted(client, "The code that the device shows now: ")?,
        prompted(client, "Wait for the next one, and type it: ")?,
    ];
    if let Some(name) = &arguments.set_back {
        let account = client.scope(arguments.account.as_ref())?;
        let line = client.done(Ask::SetBack(SetBack { account, credential: name.clone(), codes }))?;
        return credential::done(&line, arguments.json.json, out);
    }
    let login = Login { account, keys, service: SERVICE.to_owned(), ..Login::default() };
    let outcome = client.answer(Ask::Resync(ResyncAsk { login, codes, credential: None }))?;
    if arguments.json.json {
        out.json(&judged(&outcome)?)?;
    }
    match &outcome {
        Outcome::Accepted { .. } if arguments.json.json => Ok(()),
        Outcome::Accepted { .. } => out.line("The device is followed: its next code is accepted."),
        Outcome::Refused { .. } if arguments.json.json => Err(Failure::no("")),
        Outcome::Refused { reason, .. } => Err(Failure::no(reason)
            .hint("type two codes that follow each other and were not used yet; name the key with --ssh-key")),
        other => Err(unexpected(other)),
    }
}

fn from_terminal(client: &Client, account: &str) -> Result<SecretText, Failure> {
    prompted(client, &format!("Code for {}: ", escape(account)))
}

fn prompted(client: &Client, prompt: &str) -> Result<SecretText, Failure> {
    match client.code(prompt) {
        Typed::Code(code) => Ok(code),
        Typed::Cancelled => Err(Failure::no("cancelled")),
        Typed::NoTerminal => Err(Failure::usage("there is no terminal to ask for the code on")
            .hint("run it in a terminal; verify also takes it with --stdin")),
    }
}

fn from_stdin() -> Result<SecretText, Failure> {
    // One byte more than any code: too long a line stays too long.
    Ok(SecretText::typed(standard_input(257)?.trim_ascii()))
}

/// Standard input, as far as `most` bytes, in a place that is wiped.
///
/// # Errors
/// When it can't be read.
pub fn standard_input(most: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(vec![0; most]);
    let (mut length, mut stdin) = (0, Unbuffered);
    while let Some(place) = bytes.get_mut(length..).filter(|place| !place.is_empty()) {
        match stdin.read(place) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) => return Err(Failure::undecided(format!("can't read standard input: {error}"))),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Standard input without a buffer, in which a code would stay.
pub struct Unbuffered;

impl Read for Unbuffered {
    fn read(&mut self, place: &mut [u8]) -> std::io::Result<usize> {
        Ok(rustix::io::read(rustix::stdio::stdin(), place)?)
    }
}

fn judged(outcome: &Outcome) -> Result<Judged<'_>, Failure> {
    let no = Judged { accepted: false, credential: None, label: None, scratch_left: None, reason: None, line: None };
    match outcome {
        Outcome::Accepted { credential, label, scratch_left, .. } => Ok(Judged {
            accepted: true,
            credential: credential.as_deref(),
            label: label.as_deref(),
            scratch_left: *scratch_left,
            ..no
        }),
        Outcome::Refused { reason, line } => Ok(Judged { reason: Some(*reason), line: Some(line), ..no }),
        other => Err(unexpected(other)),
    }
}

/// An acceptance in words.
pub fn accepted(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted { label: Some(label), .. } => format!("Right: a code of {}. It is spent now.", escape(label)),
        Outcome::Accepted { scratch_left: Some(0), .. } => {
            "Right: the last scratch code. Make new ones: oathgate scratch new".to_owned()
        }
        Outcome::Accepted { scratch_left: Some(left), .. } => {
            format!("Right: a scratch code. It is spent now; {left} are left.")
        }
        _ => "Right. It is spent now.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Json;
    use crate::error::Exit;
    use crate::output::Style;
    use crate::testing::{Script, Typist};

    fn verified(outcome: Outcome, json: bool) -> (Result<(), Failure>, String) {
        let arguments = Verify { account: None, ssh_key: None, stdin: false, json: Json { json } };
        let (script, typist, mut text) = (Script::of([outcome]), Typist::of(&["123456"]), Vec::new());
        let result = run(&Client::of(&script, &typist), &arguments, &mut Output::to(&mut text, Style::default()));
        let asked = script.asked();
        assert_eq!(asked[0]["ask"]["verify"]["code"], "123456");
        assert_eq!(asked[0]["ask"]["verify"]["login"], serde_json::json!({"account": "alice", "service": "oathgate"}));
        (result, String::from_utf8(text).unwrap())
    }

    fn code() -> Outcome {
        Outcome::Accepted {
            credential: Some("aaaaaaaa".into()),
            label: Some("phone".into()),
            scratch_left: None,
            digits: None,
        }
    }

    #[test]
    fn only_accepted_is_a_yes() {
        assert_eq!(verified(code(), false), (Ok(()), "Right: a code of phone. It is spent now.\n".to_owned()));
        let line = || "Wrong code.".to_owned();
        let cases: [(Outcome, Exit); 6] = [
            (Outcome::Refused { reason: Reason::Wrong, line: line() }, Exit::No),
            (Outcome::Denied("Only root may.".to_owned()), Exit::No),
            (Outcome::Undecided(line()), Exit::Undecided),
            (Outcome::Pass {}, Exit::Undecided),
            (Outcome::Absent { now: 0 }, Exit::Undecided),
            (Outcome::Done(line()), Exit::Undecided),
        ];
        for (outcome, exit) in cases {
            for json in [false, true] {
                let same = serde_json::from_str(&serde_json::to_string(&outcome).unwrap()).unwrap();
                assert_eq!(verified(same, json).0.unwrap_err().exit, exit, "{outcome:?}");
            }
        }
    }

    #[test]
    fn verdicts_for_programs() {
        let (result, text) = verified(code(), true);
        assert_eq!(
            (result.is_ok(), text.as_str()),
            (true, "{\"accepted\":true,\"credential\":\"aaaaaaaa\",\"label\":\"phone\"}\n")
        );
        let (result, text) = verified(Outcome::Refused { reason: Reason::Replayed, line: "Used.".to_owned() }, true);
        assert_eq!(result.unwrap_err(), Failure::no(""));
        assert_eq!(text, "{\"accepted\":false,\"reason\":\"replayed\",\"line\":\"Used.\"}\n");
        let (_, text) =
            verified(Outcome::Accepted { credential: None, label: None, scratch_left: Some(3), digits: None }, true);
        assert_eq!(text, "{\"accepted\":true,\"scratch_left\":3}\n");
    }

    #[test]
    fn the_last_scratch_code_asks_for_new_ones() {
        let left = |left| {
            accepted(&Outcome::Accepted { credential: None, label: None, scratch_left: Some(left), digits: None })
        };
        assert!(left(0).contains("scratch new") && left(2).contains("2 are left"));
    }
}
