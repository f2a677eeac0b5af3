//! `scratch new` and `scratch status`.

use otp_wire::message::{Outcome, OwnerName, ScratchAdd as ScratchAddAsk};
use otp_wire::syslog::escape;
use otp_wire::{Ask, SecretText};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::{Owned, ScratchAdd};
use crate::client::{Client, unexpected};
use crate::credential::done;
use crate::error::Failure;
use crate::list;
use crate::output::Output;
use crate::terminal::Typed;
use crate::verify::standard_input;

/// The longest standard input in bytes: more than twenty codes in groups.
const MAX_INPUT: usize = 2048;

#[derive(Serialize)]
struct New<'a> {
    codes: &'a [SecretText],
}

#[derive(Serialize)]
struct Status<'a> {
    owners: Vec<Left<'a>>,
}

#[derive(Serialize)]
struct Left<'a> {
    owner: &'a str,
    left: usize,
    made: usize,
}

/// Makes new scratch codes.
///
/// # Errors
/// When that was not done.
pub fn new(client: &Client, owned: &Owned, out: &mut Output) -> Result<(), Failure> {
    let account = client.account(owned.account.as_ref())?.to_string();
    let owner = owned.owner.as_ref().map(ToString::to_string);
    let codes = match client.answer(Ask::ScratchNew(OwnerName { account, owner }))? {
        Outcome::Scratch(codes) => codes,
        other => return Err(unexpected(&other)),
    };
    if owned.json.json {
        return out.json(&New { codes: &codes });
    }
    out.line("New scratch codes; the old ones don't work any more.")?;
    show(&codes, out)
}

/// Takes codes that exist already.
///
/// # Errors
/// When one is none, or they were not taken; then none of them was.
pub fn add(client: &Client, arguments: &ScratchAdd, out: &mut Output) -> Result<(), Failure> {
    let account = client.account(arguments.account.as_ref())?.to_string();
    let owner = arguments.owner.as_ref().map(ToString::to_string);
    let codes = if arguments.from.is_some() { codes(&standard_input(MAX_INPUT + 1)?)? } else { typed(client)? };
    if codes.is_empty() {
        return Err(Failure::usage("no scratch codes were given").hint("one a line, on standard input or the terminal"));
    }
    let line = client.done(Ask::ScratchAdd(ScratchAddAsk { account, owner, codes }))?;
    done(&line, arguments.json.json, out)
}

/// One code a line; empty lines don't count.
fn codes(input: &[u8]) -> Result<Vec<SecretText>, Failure> {
    if input.len() > MAX_INPUT {
        return Err(Failure::no(format!("more than {MAX_INPUT} bytes of scratch codes; nothing was added")));
    }
    let lines = input.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    Ok(lines.filter(|line| !line.is_empty()).map(SecretText::typed).collect())
}

fn typed(client: &Client) -> Result<Vec<SecretText>, Failure> {
    let mut codes = Vec::new();
    loop {
        match client.code("A scratch code (an empty line ends): ") {
            Typed::Code(code) if code.expose().is_empty() => return Ok(codes),
            Typed::Code(code) => codes.push(code),
            Typed::Cancelled => return Err(Failure::no("cancelled; nothing was added")),
            Typed::NoTerminal => {
                return Err(Failure::usage("there is no terminal to ask for the codes on")
                    .hint("run it in a terminal, or give - and the codes on standard input"));
            }
        }
    }
}

/// Prints scratch codes, two in a row.
///
/// # Errors
/// When they can't be printed.
pub fn show(codes: &[SecretText], out: &mut Output) -> Result<(), Failure> {
    let mut text = Zeroizing::new(String::with_capacity(codes.len() * 64));
    for pair in codes.chunks(2) {
        for code in pair {
            text.push_str("   ");
            text.push_str(code.expose());
        }
        text.push('\n');
    }
    out.print(&text)?;
    out.line("Each works once, when the phone is lost. Write them down; they are not shown again.")
}

/// Shows how many are left.
///
/// # Errors
/// When that can't be read.
pub fn status(client: &Client, owned: &Owned, out: &mut Output) -> Result<(), Failure> {
    let account = client.account(owned.account.as_ref())?.to_string();
    let owner = owned.owner.as_ref().map(ToString::to_string);
    let owners = list::owners(client, Some(account.clone()), owner)?;
    if owned.json.json {
        return out.json(&Status { owners: owners.iter().map(left).collect() });
    }
    if owners.is_empty() {
        return Err(Failure::no(format!("nothing is enrolled for {account}"))
            .hint(format!("to begin: {} enrol {account}", client.call)));
    }
    for row in &owners {
        out.line(format!("{}: {} of {} left", escape(&row.owner), row.scratch_left, row.scratch_made))?;
        if row.scratch_left < 3 {
            out.line(format!("Make new ones: {}", make_new(client, &account, &row.owner)))?;
        }
    }
    Ok(())
}

/// The command; whoever bears the account's name need not be named twice.
fn make_new(client: &Client, account: &str, owner: &str) -> String {
    let person = if owner == account { String::new() } else { format!(" --owner {}", escape(owner)) };
    format!("{} scratch new {}{person}", client.call, escape(account))
}

fn left(row: &otp_wire::message::OwnerRow) -> Left<'_> {
    Left { owner: &row.owner, left: row.scratch_left, made: row.scratch_made }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Json;
    use crate::error::Exit;
    use crate::output::Style;
    use crate::testing::{Script, Typist, owner};

    fn adding(typist: &Typist, script: &Script) -> Result<(), Failure> {
        let arguments = ScratchAdd { from: None, account: None, owner: None, json: Json::default() };
        let mut text = Vec::new();
        add(&Client::of(script, typist), &arguments, &mut Output::to(&mut text, Style::default()))
    }

    #[test]
    fn codes_are_typed_until_an_empty_line() {
        let script = Script::of([Outcome::Done("Added.".to_owned())]);
        adding(&Typist::of(&["12345678", "MZXW-6YTB-OI2D-EMRU", ""]), &script).unwrap();
        let codes = &script.asked()[0]["ask"]["scratch_add"]["codes"];
        assert_eq!(codes, &serde_json::json!(["12345678", "MZXW-6YTB-OI2D-EMRU"]));
        for (typed, exit) in [(&["12345678", "^C"][..], Exit::No), (&["12345678"], Exit::Usage), (&[""], Exit::Usage)] {
            let script = Script::of([]);
            assert_eq!(adding(&Typist::of(typed), &script).unwrap_err().exit, exit);
            assert!(script.asked().is_empty());
        }
    }

    #[test]
    fn new_codes_are_made_for_the_person_whose_are_few() {
        let mut rows = [owner(), owner()];
        rows[0].owner = "ann".to_owned();
        rows.iter_mut().for_each(|row| row.scratch_left = 2);
        let (script, typist) = (Script::of([Outcome::Listing(rows.to_vec())]), Typist::default());
        let arguments = Owned { account: Some("alice".parse().unwrap()), owner: None, json: Json::default() };
        let mut text = Vec::new();
        let client = Client::of(&script, &typist);
        status(&client, &arguments, &mut Output::to(&mut text, Style::default())).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("scratch new alice --owner ann\n"), "{text}");
        assert!(text.contains("scratch new alice\n"), "{text}");
    }

    #[test]
    fn lines_are_codes_and_their_number_is_bounded() {
        let read: Vec<SecretText> = codes(b"12345678\r\n\n  MZXW-6YTB-OI2D-EMRU\n").unwrap();
        let read: Vec<&str> = read.iter().map(SecretText::expose).collect();
        assert_eq!(read, ["12345678", "MZXW-6YTB-OI2D-EMRU"]);
        assert!(codes(&[b'1'; MAX_INPUT + 1]).is_err());
    }
}
