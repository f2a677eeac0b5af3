//! What cryptsetup calls, with Rust's types. The one place where an end becomes
//! an error number (crypt_token_open_func and others in libcryptsetup.h).

use libc::{EINVAL, ENOANO, ENOENT, ENOMEM};
use luks_cryptsetup::{Errno, Handle, Level, SafeBuffer, TokenOf, moment};
use luks_unlock::{Refusal, StoreToken, Token, TokenError, ready, unlock};

/// Asked without an answer: it is always needed.
pub fn open(handle: &Handle, number: i32) -> Errno {
    match ready(&TokenOf { handle, number }, &moment()) {
        Ok(()) => Errno(ENOANO),
        Err(refusal) => errno(refusal),
    }
}

/// Asked with an answer.
pub fn open_pin(handle: &Handle, number: i32, answer: &[u8]) -> Result<SafeBuffer, Errno> {
    let key = unlock(&TokenOf { handle, number }, answer, &moment()).map_err(errno)?;
    SafeBuffer::copy(key.expose()).ok_or(Errno(ENOMEM))
}

/// Everything but these two ends cryptsetup's search through the other tokens.
fn errno(refusal: Refusal) -> Errno {
    match refusal {
        // Asks again.
        Refusal::Again => Errno(ENOANO),
        // Tries the next token, and then the passphrase.
        Refusal::Aside => Errno(ENOENT),
    }
}

/// Whether a token is one of ours that this version can use.
pub fn validate(handle: &Handle, json: &str) -> Result<(), Errno> {
    let usable = match Token::parse(json) {
        Err(TokenError::Store) => StoreToken::parse(json).map(drop),
        other => other.map(drop),
    };
    usable.map_err(|error| {
        handle.log(Level::Error, &format!("oathgate: {error}."));
        Errno(EINVAL)
    })
}

/// Lines for `cryptsetup luksDump`.
pub fn dump(handle: &Handle, json: &str) {
    match Token::parse(json) {
        Ok(token) => described(&token).iter().for_each(|line| handle.log(Level::Normal, line)),
        Err(TokenError::Store) => handle.log(Level::Normal, "\tGate:       store (code; the verifier keeps the key)"),
        Err(error) => handle.log(Level::Normal, &format!("\tUnusable:   {error}")),
    }
}

fn described(token: &Token) -> [String; 4] {
    let cost = token.pin.cost;
    [
        "\tGate:       header (PIN, then code)".to_owned(),
        format!("\tCode:       {}", token.code),
        format!("\tPIN:        Argon2id, {} KiB, {} passes", cost.memory, cost.passes),
        format!("\tFailures:   {} since the last unlock", token.failures.all),
    ]
}
