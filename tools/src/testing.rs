//! Fakes for tests: a verifier with a script, and somebody who types.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Instant;

use otp_wire::message::bulk::More;
use otp_wire::message::{CredentialRow, EntryRow, Outcome, OwnerRow, VERSION};
use otp_wire::{Converse, Error, Reply, Request, SecretText, Verifier};

use crate::terminal::{Person, Typed};

/// Answers from a script, and remembers what was asked.
#[derive(Default)]
pub struct Script {
    replies: RefCell<VecDeque<Outcome>>,
    asked: RefCell<Vec<serde_json::Value>>,
    /// What was said in a conversation.
    pub said: RefCell<Vec<More>>,
}

impl Script {
    pub fn of(replies: impl IntoIterator<Item = Outcome>) -> Self {
        Self { replies: RefCell::new(replies.into_iter().collect()), ..Self::default() }
    }

    /// What was asked, in order; every reply must have been used.
    pub fn asked(&self) -> Vec<serde_json::Value> {
        assert!(self.replies.borrow().is_empty(), "fewer requests than replies");
        let asked = self.asked.borrow().clone();
        let ids: std::collections::HashSet<String> = asked.iter().map(|ask| ask["id"].to_string()).collect();
        assert_eq!(ids.len(), asked.len(), "every request has an id of its own");
        asked
    }
}

impl Verifier for &Script {
    fn ask(&self, request: &Request, _: Instant) -> Result<Reply, Error> {
        self.asked.borrow_mut().push(serde_json::to_value(request).unwrap());
        let outcome = self.replies.borrow_mut().pop_front().ok_or(Error::Late)?;
        Ok(Reply { v: VERSION, id: request.id.clone(), outcome })
    }
}

impl Converse for &Script {
    fn converse(&self, request: &Request, next: &mut dyn FnMut(&Outcome) -> Option<More>) -> Result<Outcome, Error> {
        self.asked.borrow_mut().push(serde_json::to_value(request).unwrap());
        let mut answer = self.replies.borrow_mut().pop_front().ok_or(Error::Late)?;
        while let Some(more) = next(&answer) {
            self.said.borrow_mut().push(more);
            answer = self.replies.borrow_mut().pop_front().ok_or(Error::Late)?;
        }
        Ok(answer)
    }
}

/// Types these, one at each prompt; then nobody is there.
#[derive(Default)]
pub struct Typist(RefCell<VecDeque<&'static str>>);

impl Typist {
    pub fn of(codes: &[&'static str]) -> Self {
        Self(RefCell::new(codes.iter().copied().collect()))
    }
}

impl Person for Typist {
    fn code(&self, _: &str) -> Typed {
        match self.0.borrow_mut().pop_front() {
            Some("^C") => Typed::Cancelled,
            Some(code) => Typed::Code(SecretText::new(code).unwrap()),
            None => Typed::NoTerminal,
        }
    }

    fn answer(&self, _: &str) -> Option<String> {
        self.0.borrow_mut().pop_front().filter(|typed| *typed != "^C").map(str::to_owned)
    }

    fn agrees(&self, _: &str) -> Option<bool> {
        self.0.borrow_mut().pop_front().map(|key| key == "y")
    }
}

/// alice: a key with the credential `laptop`, and `phone` where no key is used.
pub fn owner() -> OwnerRow {
    let credential = |id: &str, label: &str| CredentialRow {
        id: id.to_owned(),
        label: label.to_owned(),
        kind: "totp".to_owned(),
        algorithm: "SHA1".to_owned(),
        digits: 6,
        period: Some(30),
        bits: 160,
        created: 1_700_000_000,
        confirmed: None,
        last_used: None,
        state: "active".to_owned(),
        ahead: None,
    };
    let entry = |key: Option<&str>, id: &str| EntryRow {
        account: "alice".to_owned(),
        key: key.map(str::to_owned),
        note: key.map(|_| "alice\x1b[2J@laptop".to_owned()),
        policy: "code".to_owned(),
        until: None,
        credentials: vec![id.to_owned()],
        grant: None,
        grants: vec![],
    };
    OwnerRow {
        owner: "alice".to_owned(),
        credentials: vec![credential("aaaaaaaa", "laptop"), credential("dddddddd", "phone")],
        entries: vec![entry(Some(KEY), "aaaaaaaa"), entry(None, "dddddddd")],
        scratch_left: 8,
        scratch_made: 10,
        doors: vec![],
    }
}

/// A fingerprint.
pub const KEY: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
