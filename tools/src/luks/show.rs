//! `luks status` and `luks list`.

use luks_unlock::order::{Held, Listed, Order, Outcome, View};
use luks_unlock::{StoreToken, Token, TokenError};
use otp_wire::syslog::escape;
use serde::Serialize;

use super::arguments::{Gate, Status};
use super::helper::{look, order, unexpected, volume};
use crate::cli::Json;
use crate::error::Failure;
use crate::output::{Output, table};

/// A disk, for programs.
#[derive(Serialize)]
struct Shown<'a> {
    device: &'a str,
    uuid: &'a str,
    open_as: &'a [String],
    keyslots_without_code: Vec<i32>,
    /// Those of other tokens among them.
    keyslots_held: &'a [Held],
    tokens: Vec<ShownToken>,
}

/// A token, for programs.
#[derive(Serialize)]
struct ShownToken {
    token: i32,
    keyslots: Vec<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unusable: Option<String>,
    #[serde(flatten)]
    usable: Option<Usable>,
}

#[derive(Serialize)]
#[serde(tag = "gate", rename_all = "lowercase")]
enum Usable {
    Header { code: luks_unlock::token::Code, argon2id: luks_unlock::Cost, failures: u32 },
    Store { failures: u32 },
}

/// Shows what opens a disk.
///
/// # Errors
/// When that can't be seen.
pub fn status(arguments: &Status, out: &mut Output) -> Result<(), Failure> {
    let volume = volume(&arguments.disk)?;
    let view = look(&volume)?;
    if arguments.json.json {
        return out.json(&shown(&volume.device, &view));
    }
    describe(&volume.device, &view, out)
}

/// Shows the disks of this machine that ask for a code.
///
/// # Errors
/// When that can't be seen.
pub fn list(json: Json, out: &mut Output) -> Result<(), Failure> {
    let listed = match order(&Order::List {})? {
        Outcome::Volumes(listed) => listed,
        other => return Err(unexpected(&other)),
    };
    if json.json {
        let all: Vec<Shown> = listed.iter().map(|each| shown(&each.device, &each.view)).collect();
        return out.json(&all);
    }
    if listed.is_empty() {
        return out.line("No disk of this machine asks for a code; only root can look at all of them.");
    }
    let row = |Listed { device, view }: &Listed| {
        let names = if view.names.is_empty() { "closed".to_owned() } else { view.names.join(" ") };
        vec![device.clone(), view.uuid.clone(), names]
    };
    out.print(&table(&["DEVICE", "UUID", "OPEN AS"], &listed.iter().map(row).collect::<Vec<_>>()))
}

fn shown<'a>(device: &'a str, view: &'a View) -> Shown<'a> {
    let keyslots_without_code = without_code(view);
    let tokens = view.tokens.iter().map(|(number, json)| token(*number, json)).collect();
    let (uuid, open_as, keyslots_held) = (&view.uuid, &view.names, &view.held);
    Shown { device, uuid, open_as, keyslots_without_code, keyslots_held, tokens }
}

fn token(number: i32, json: &str) -> ShownToken {
    let keyslots = luks_unlock::token::keyslots(json);
    let usable = match Token::parse(json) {
        Err(TokenError::Store) => StoreToken::parse(json).map(|token| Usable::Store { failures: token.failures.all }),
        Err(error) => Err(error),
        Ok(token) => {
            let (code, argon2id, failures) = (token.code, token.pin.cost, token.failures.all);
            Ok(Usable::Header { code, argon2id, failures })
        }
    };
    match usable {
        Ok(usable) => ShownToken { token: number, keyslots, unusable: None, usable: Some(usable) },
        Err(error) => ShownToken { token: number, keyslots, unusable: Some(error.to_string()), usable: None },
    }
}

/// The gate of a token, before anybody is asked for anything.
///
/// # Errors
/// When there is no such token.
pub fn known(view: &View, token: i32) -> Result<Gate, Failure> {
    match view.tokens.iter().find(|(number, _)| *number == token) {
        Some((_, json)) if is_of_store(json) => Ok(Gate::Store),
        Some(_) => Ok(Gate::Header),
        None => Err(Failure::no(format!("there is no token {token} of oathgate's"))
            .hint("oathgate luks status shows the tokens")),
    }
}

/// Whether the verifier keeps the key of a token.
pub fn is_of_store(json: &str) -> bool {
    Token::parse(json) == Err(TokenError::Store)
}

/// The keyslots that open the disk and belong to no token of ours.
pub fn without_code(view: &View) -> Vec<i32> {
    let with: Vec<i32> = view.tokens.iter().flat_map(|(_, json)| luks_unlock::token::keyslots(json)).collect();
    view.keyslots.iter().copied().filter(|slot| !with.contains(slot)).collect()
}

/// Those of them that people have a passphrase for.
pub fn of_passphrases(view: &View) -> Vec<i32> {
    let mut slots = without_code(view);
    slots.retain(|slot| view.held.iter().all(|held| held.keyslot != *slot));
    slots
}

fn describe(device: &str, view: &View, out: &mut Output) -> Result<(), Failure> {
    out.line(out.bold(&format!("{device}, UUID {}", view.uuid)))?;
    for (number, json) in &view.tokens {
        out.line(sentence(&token(*number, json)))?;
    }
    if view.tokens.is_empty() {
        out.line("No token of oathgate's: no code is asked for.")?;
    }
    for Held { keyslot, by } in &view.held {
        out.line(format!("Keyslot {keyslot} opens it without a code: a token of type {} has it.", escape(by)))?;
    }
    let slots: Vec<String> = of_passphrases(view).iter().map(ToString::to_string).collect();
    match slots.len() {
        0 => out.line(out.warning("No keyslot opens it by a passphrase alone: there is no recovery passphrase."))?,
        _ => out.line(format!("Keyslots that open it without a code: {}.", slots.join(", ")))?,
    }
    match view.names.as_slice() {
        [] => out.line("It is closed."),
        names => out.line(format!("It is open as {}.", names.join(", "))),
    }
}

fn sentence(token: &ShownToken) -> String {
    let slots = token.keyslots.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let head = format!("Token {} for keyslot {slots}", token.token);
    match (&token.usable, &token.unusable) {
        (Some(Usable::Store { failures }), _) => {
            format!("{head}: store gate, a code; {failures} wrong answers since the last unlock.")
        }
        (Some(Usable::Header { code, argon2id, failures }), _) => {
            format!(
                "{head}: header gate, PIN and code ({code}), Argon2id with {} KiB and {} passes, \
                 {failures} wrong answers since the last unlock.",
                argon2id.memory, argon2id.passes
            )
        }
        (None, why) => format!("{head}: not usable: {}", why.as_deref().unwrap_or("unknown")),
    }
}
