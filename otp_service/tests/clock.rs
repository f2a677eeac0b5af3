//! A clock that was wrong once: it is named, and set back by two codes; nothing
//! that was used or has ended begins again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside of #[test] functions

use std::sync::Arc;

use otp_core::{Algorithm, Digits, Secret, otp};
use otp_service::access::{Peer, Role};
use otp_service::service::{Service, Settings};
use otp_store::{Journal, SealingKeys, SqliteStore, place};
use otp_wire::message::{Enrol, KeyPolicy, Outcome, Reason, Selection, SetBack, StoreReport};
use otp_wire::{Ask, Login, Request, SecretText, Verify, frame};

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;
const ROOT: Peer = Peer { uid: 0, role: Role::Root };
/// An account that every system has, and its uid.
const ACCOUNT: &str = "daemon";
const OWN: Peer = Peer { uid: 1, role: Role::Account };
const KEY: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

/// A service with one TOTP credential, at the key and at no key.
struct World {
    _folder: tempfile::TempDir,
    service: Service,
    credential: String,
    secret: Secret,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (keys, store) = (folder.path().join("keys"), folder.path().join("store.db"));
        place::make_folder(&keys).unwrap();
        SealingKeys::create(&keys).unwrap();
        let keys = Arc::new(SealingKeys::load(&keys).unwrap());
        SqliteStore::create(&store).unwrap();
        let store = SqliteStore::open(&store, Arc::clone(&keys), Journal::Wal).unwrap();
        let service = Service::new(Box::new(store), keys, Settings::default());
        let Outcome::Enrolled(enrolled) = answer(&service, ROOT, Ask::Enrol(totp()), NOW) else { panic!("enrol") };
        let secret = Secret::from_base32(enrolled.secret.expose()).unwrap();
        Self { _folder: folder, service, credential: enrolled.credential.clone(), secret }
    }

    fn ask(&self, ask: Ask, now: u64) -> Outcome {
        answer(&self.service, ROOT, ask, now)
    }

    fn code(&self, time: u64) -> SecretText {
        let code = otp::code(&self.secret, Algorithm::Sha1, Digits::SIX, time / 30);
        SecretText::typed(code.as_bytes())
    }

    /// A login with the code of this moment.
    fn login(&self, now: u64) -> Outcome {
        self.ask(Ask::Verify(Verify { login: login(), code: self.code(now), credential: None }), now)
    }

    fn set_back(&self, peer: Peer, now: u64) -> Outcome {
        let codes = [self.code(now - 30), self.code(now)];
        let (account, credential) = (Some(ACCOUNT.to_owned()), self.credential.clone());
        answer(&self.service, peer, Ask::SetBack(SetBack { account, credential, codes }), now)
    }

    fn status(&self, now: u64) -> StoreReport {
        let Outcome::Status(report) = self.ask(Ask::Status {}, now) else { panic!("status") };
        report.store.unwrap()
    }
}

fn answer(service: &Service, peer: Peer, ask: Ask, now: u64) -> Outcome {
    let line = frame::encode(&Request::new(ask).unwrap(), frame::MAX_REQUEST).unwrap();
    service.answer(peer, &line, now).unwrap().outcome
}

fn totp() -> Enrol {
    Enrol {
        account: ACCOUNT.to_owned(),
        owner: None,
        key: Some(KEY.to_owned()),
        note: None,
        label: None,
        kind: "totp".to_owned(),
        algorithm: "SHA1".to_owned(),
        digits: 6,
        period: None,
        secret: None,
        scratch: false,
    }
}

fn login() -> Login {
    Login { account: ACCOUNT.to_owned(), keys: vec![KEY.to_owned()], service: "sshd".to_owned(), ..Login::default() }
}

fn is_accepted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted { .. })
}

#[test]
fn a_last_step_in_the_future_is_named_and_set_back_by_root_with_two_codes() {
    let world = World::new();
    assert!(is_accepted(&world.login(NOW)));
    assert!(is_accepted(&world.login(NOW + 30 * DAY)), "the clock is a month ahead");
    assert_eq!(world.status(NOW + 30 * DAY).ahead, 0, "it can't know");
    let back = NOW + 3600;
    assert!(!is_accepted(&world.login(back)));
    assert_eq!(world.status(back).ahead, 1);
    let Outcome::Listing(owners) = world.ask(Ask::List(Selection::default()), back) else { panic!("list") };
    assert_eq!(owners[0].credentials[0].ahead, Some(30 * DAY - 3600 - 30));

    assert!(matches!(world.set_back(OWN, back), Outcome::Denied(_)), "a uid is not a second factor");
    assert!(matches!(world.set_back(ROOT, NOW + 30), Outcome::Invalid(_)), "codes that may have been used");
    assert!(!is_accepted(&world.login(back + 30)), "nothing was changed by it");
    assert!(matches!(world.set_back(ROOT, back + 60), Outcome::Done(_)));
    assert_eq!(world.status(back + 60).ahead, 0);
    assert!(!is_accepted(&world.login(back + 60)), "both codes are spent");
    assert!(is_accepted(&world.login(back + 90)));
    assert!(matches!(world.set_back(ROOT, back + 120), Outcome::Invalid(_)), "there is nothing to set back");

    let outcome = world.login(NOW + 30 * DAY);
    assert!(matches!(outcome, Outcome::Refused { reason: Reason::Replayed, .. }), "that day has come: {outcome:?}");
    assert!(is_accepted(&world.login(NOW + 30 * DAY + 90)));
}

#[test]
fn a_key_without_a_code_does_not_come_in_again_when_the_clock_is_set_back() {
    let world = World::new();
    let (policy, until) = ("none".to_owned(), Some(NOW + 600));
    let ask =
        Ask::KeyPolicy(KeyPolicy { account: ACCOUNT.to_owned(), key: KEY.to_owned(), policy, until, grant: None });
    assert!(matches!(world.ask(ask, NOW), Outcome::Done(_)));
    assert_eq!(world.ask(Ask::Begin(login()), NOW + 599), Outcome::Pass {});
    assert!(matches!(world.ask(Ask::Begin(login()), NOW + 600), Outcome::Ask { .. }));
    assert!(matches!(world.ask(Ask::Begin(login()), NOW), Outcome::Ask { .. }), "the clock is set back");
    assert!(is_accepted(&world.login(NOW)));
}

#[test]
fn locked_doors_are_counted() {
    let world = World::new();
    let wrong = |now| {
        let code = SecretText::typed(b"1234567"); // every code has six digits
        world.ask(Ask::Verify(Verify { login: login(), code, credential: None }), now)
    };
    for number in 0..100 {
        assert_eq!(world.status(NOW + 60 * number).locked, 0);
        wrong(NOW + 60 * number);
    }
    assert_eq!(world.status(NOW + 60 * 100).locked, 1);
}
