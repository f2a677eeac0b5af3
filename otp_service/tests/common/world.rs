//! A service with a store of its own, and short ways to ask it.

use std::sync::Arc;

use otp_core::{Algorithm, Digits, Fingerprint, Limits, Secret, otp};
use otp_service::access::{Export, Peer, Role, Rules};
use otp_service::delegate::Delegate;
use otp_service::service::{Service, Settings};
use otp_store::{Journal, SealingKeys, SqliteStore, Store, place};
use otp_wire::message::{Enrol, Enrolled, Outcome};
use otp_wire::{Ask, Login, Request, SecretText, Verify, frame};

pub const NOW: u64 = 1_800_000_000;
pub const ROOT: Peer = Peer { uid: 0, role: Role::Root };
/// An ordinary account that every system has, and its uid on Debian.
pub const ACCOUNT: &str = "daemon";
pub const OWN: Peer = Peer { uid: 1, role: Role::Account };
pub const OWNER: Peer = Peer { uid: 1, role: Role::Owner };

pub struct World {
    _folder: tempfile::TempDir,
    service: Service,
}

impl World {
    pub fn new(self_service: bool) -> Self {
        Self::over(self_service, Limits::Usual, |store| Box::new(store))
    }

    /// One with this setting for `export`.
    pub fn with_export(self_service: bool, export: Export) -> Self {
        Self::made(Rules { self_service, export }, Limits::Usual, vec![], |store| Box::new(store))
    }

    /// One with these delegates.
    pub fn with_delegates(delegates: Vec<Delegate>) -> Self {
        Self::made(Rules::default(), Limits::Usual, delegates, |store| Box::new(store))
    }

    /// One over whatever `wrap` puts around the store.
    pub fn over(self_service: bool, limits: Limits, wrap: impl FnOnce(SqliteStore) -> Box<dyn Store>) -> Self {
        let export = if self_service { Export::OwnerWithCode } else { Export::Root };
        Self::made(Rules { self_service, export }, limits, vec![], wrap)
    }

    fn made(
        rules: Rules,
        limits: Limits,
        delegates: Vec<Delegate>,
        wrap: impl FnOnce(SqliteStore) -> Box<dyn Store>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        place::make_folder(&keys).unwrap();
        SealingKeys::create(&keys).unwrap();
        let keys = Arc::new(SealingKeys::load(&keys).unwrap());
        SqliteStore::create(&folder.path().join("store.db")).unwrap();
        let store = SqliteStore::open(&folder.path().join("store.db"), Arc::clone(&keys), Journal::Wal).unwrap();
        let settings = Settings { rules, self_enrol: rules.self_service, limits, delegates, ..Settings::default() };
        Self { _folder: folder, service: Service::new(wrap(store), keys, settings) }
    }

    pub fn send(&self, peer: Peer, request: &Request, now: u64) -> Outcome {
        let line = frame::encode(request, frame::MAX_REQUEST).unwrap();
        self.raw(peer, &line, now).unwrap()
    }

    /// What the service says to a line of whatever it is.
    pub fn raw(&self, peer: Peer, line: &[u8], now: u64) -> Option<Outcome> {
        self.service.answer(peer, line, now).map(|reply| reply.outcome)
    }

    /// What root is told at that time.
    pub fn at(&self, now: u64, ask: Ask) -> Outcome {
        self.send(ROOT, &Request::new(ask).unwrap(), now)
    }

    pub fn ask(&self, peer: Peer, ask: Ask) -> Outcome {
        self.send(peer, &Request::new(ask).unwrap(), NOW)
    }

    pub fn ask_with(&self, peer: Peer, ask: Ask, code: &str) -> Outcome {
        let authorisation = Some(SecretText::typed(code.as_bytes()));
        self.send(peer, &Request { authorisation, ..Request::new(ask).unwrap() }, NOW)
    }

    pub fn enrol(&self, account: &str, owner: &str, key: Option<&Fingerprint>) -> Box<Enrolled> {
        match self.ask(ROOT, Ask::Enrol(enrol(account, Some(owner), key))) {
            Outcome::Enrolled(enrolled) => enrolled,
            other => panic!("{other:?}"),
        }
    }

    pub fn verify(&self, peer: Peer, login: Login, code: &str) -> Outcome {
        self.ask(peer, verify(login, code))
    }
}

pub fn verify(login: Login, code: &str) -> Ask {
    Ask::Verify(Verify { login, code: SecretText::typed(code.as_bytes()), credential: None })
}

pub fn enrol(account: &str, owner: Option<&str>, key: Option<&Fingerprint>) -> Enrol {
    Enrol {
        account: account.to_owned(),
        owner: owner.map(str::to_owned),
        key: key.map(ToString::to_string),
        note: None,
        label: None,
        kind: "hotp".to_owned(),
        algorithm: "SHA1".to_owned(),
        digits: 6,
        period: None,
        secret: None,
        scratch: true,
    }
}

pub fn key(number: u8) -> Fingerprint {
    let blob = [0, 0, 0, 1, b'k', 0, 0, 0, 1, number];
    let base64: String = {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for chunk in blob.chunks(3) {
            let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            for place in 0..4 {
                let digit = DIGITS[(word >> (18 - 6 * place) & 63) as usize] as char;
                text.push(if place > chunk.len() { '=' } else { digit });
            }
        }
        text
    };
    Fingerprint::of_key("k", &base64).unwrap()
}

pub fn login(account: &str, keys: &[Fingerprint]) -> Login {
    let keys = keys.iter().map(ToString::to_string).collect();
    Login { account: account.to_owned(), keys, service: "sshd".to_owned(), ..Login::default() }
}

/// The code of an enrolled HOTP credential.
pub fn code(enrolled: &Enrolled, counter: u64) -> String {
    let secret = Secret::from_base32(enrolled.secret.expose()).unwrap();
    otp::code(&secret, Algorithm::Sha1, Digits::SIX, counter).to_string()
}

pub fn is_accepted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted { .. })
}

pub fn is_turned_away(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Denied(_) | Outcome::CodeNeeded(_))
}
