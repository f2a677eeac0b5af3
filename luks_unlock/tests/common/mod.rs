//! A header in memory, and a disk enrolled in it.

#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use std::cell::{Cell, RefCell};

use luks_unlock::token::{Code, Kind, State};
use luks_unlock::{Cost, Enrolment, Header, HeaderError, Moment, Refusal, SlotKey, Token, Unsealed, seal, unlock};
use otp_core::{Algorithm, Digits, Secret, otp};
use zeroize::Zeroizing;

pub const PIN: &str = "correct horse";
pub const SECRET: &[u8] = b"12345678901234567890";
pub const NOW: u64 = 1_800_000_000;
/// Enough for a test, and far below what people may choose.
pub const QUICK: Cost = Cost { memory: 8, passes: 1 };

pub fn totp() -> Code {
    Code { kind: Kind::Totp, algorithm: "SHA1".to_owned(), digits: 6, period: Some(30) }
}

pub fn hotp() -> Code {
    Code { kind: Kind::Hotp, period: None, ..totp() }
}

pub fn key() -> SlotKey {
    SlotKey::fill::<()>(|place| {
        place.copy_from_slice(b"the key of a keyslot, 32 bytes..");
        Ok(())
    })
    .unwrap()
}

pub fn enrolled(code: Code, next: u64) -> Token {
    let (secret, state) = (Secret::copy(SECRET).unwrap(), State { next, skew: 0 });
    seal(Enrolment { pin: PIN.as_bytes(), code, state, secret, slot_key: key(), cost: QUICK }).unwrap()
}

pub fn moment(now: u64) -> Moment {
    Moment { now, floor: 0, boot: "one".to_owned() }
}

/// The device's code for a step or a counter.
pub fn shown(factor: u64) -> Zeroizing<String> {
    otp::code(&Secret::copy(SECRET).unwrap(), Algorithm::Sha1, Digits::SIX, factor)
}

/// The device's code at a time.
pub fn at(time: u64) -> Zeroizing<String> {
    shown(time / 30)
}

/// A header that remembers what it was told to write and to say.
pub struct Fake {
    pub json: RefCell<String>,
    pub said: RefCell<Vec<String>>,
    /// Whether it can be written.
    pub writable: Cell<bool>,
    pub writes: Cell<u32>,
}

impl Fake {
    pub fn of(token: &Token) -> Self {
        Self::text(token.to_json().unwrap())
    }

    pub fn text(json: String) -> Self {
        Self { json: json.into(), said: RefCell::default(), writable: true.into(), writes: 0.into() }
    }

    /// Tries an answer: the PIN, and what follows it.
    pub fn answer(&self, codes: &str, now: u64) -> Result<SlotKey, Refusal> {
        unlock(self, format!("{PIN}{codes}").as_bytes(), &moment(now))
    }

    pub fn opens(&self, codes: &str, now: u64) -> bool {
        self.answer(codes, now).is_ok_and(|opened| opened.expose() == key().expose())
    }

    pub fn now(&self) -> Token {
        Token::parse(&self.json.borrow()).unwrap()
    }

    pub fn last(&self) -> String {
        self.said.borrow().last().cloned().unwrap_or_default()
    }
}

impl Header for Fake {
    fn token(&self) -> Result<String, HeaderError> {
        Ok(self.json.borrow().clone())
    }

    fn replace(&self, json: &str) -> Result<(), HeaderError> {
        if !self.writable.get() {
            return Err(HeaderError);
        }
        self.writes.set(self.writes.get() + 1);
        *self.json.borrow_mut() = json.to_owned();
        Ok(())
    }

    fn unseal(&self, _: Option<&[u8]>) -> Unsealed {
        Unsealed::Unasked("there is no verifier".to_owned())
    }

    fn say(&self, line: &str) {
        self.said.borrow_mut().push(line.to_owned());
    }
}
