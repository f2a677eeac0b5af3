//! Who may ask what, and what comes of it: the service without its sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside of #[test] functions

#[path = "service/import.rs"]
mod import;

use std::sync::Arc;

use otp_core::{Algorithm, Digits, Fingerprint, Secret, otp};
use otp_service::access::{Peer, Role};
use otp_service::service::{Service, Settings};
use otp_store::{Journal, SealingKeys, SqliteStore, place};
use otp_wire::message::{
    AuditFilter, CredentialName, Enrol, Enrolled, GrantTo, KeyAdd, KeyGrant, KeyName, KeyPolicy, Outcome, OwnerName,
    Reason, Rename, Resync, Selection, SetBack, Unlock,
};
use otp_wire::{Ask, Login, Request, SecretText, Verify, frame};

const NOW: u64 = 1_800_000_000;
const ROOT: Peer = Peer { uid: 0, role: Role::Root };
/// An ordinary account that every system has, and its uid on Debian.
const ACCOUNT: &str = "daemon";
const OWN: Peer = Peer { uid: 1, role: Role::Account };
const OWNER: Peer = Peer { uid: 1, role: Role::Owner };

struct World {
    _folder: tempfile::TempDir,
    service: Service,
}

impl World {
    fn new(self_service: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        place::make_folder(&keys).unwrap();
        SealingKeys::create(&keys).unwrap();
        let keys = Arc::new(SealingKeys::load(&keys).unwrap());
        SqliteStore::create(&folder.path().join("store.db"), Journal::Wal).unwrap();
        let store = SqliteStore::open(&folder.path().join("store.db"), Arc::clone(&keys), Journal::Wal).unwrap();
        let settings = Settings {
            issuer: "host".to_owned(),
            self_service,
            self_enrol: self_service,
            limits: otp_core::Limits::Usual,
            place: String::new(),
            connection_grants: true,
            syslog: false,
        };
        Self { _folder: folder, service: Service::new(Box::new(store), keys, settings) }
    }

    fn send(&self, peer: Peer, request: &Request, now: u64) -> Outcome {
        let line = frame::encode(request, frame::MAX_REQUEST).unwrap();
        self.service.answer(peer, &line, now).unwrap().outcome
    }

    fn ask(&self, peer: Peer, ask: Ask) -> Outcome {
        self.send(peer, &Request::new(ask).unwrap(), NOW)
    }

    fn ask_with(&self, peer: Peer, ask: Ask, code: &str) -> Outcome {
        let authorisation = Some(SecretText::typed(code.as_bytes()));
        self.send(peer, &Request { authorisation, ..Request::new(ask).unwrap() }, NOW)
    }

    fn enrol(&self, account: &str, owner: &str, key: Option<&Fingerprint>) -> Box<Enrolled> {
        match self.ask(ROOT, Ask::Enrol(enrol(account, Some(owner), key))) {
            Outcome::Enrolled(enrolled) => enrolled,
            other => panic!("{other:?}"),
        }
    }

    fn verify(&self, peer: Peer, login: Login, code: &str) -> Outcome {
        self.ask(peer, verify(login, code))
    }
}

fn verify(login: Login, code: &str) -> Ask {
    Ask::Verify(Verify { login, code: SecretText::typed(code.as_bytes()), credential: None })
}

fn enrol(account: &str, owner: Option<&str>, key: Option<&Fingerprint>) -> Enrol {
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

fn key(number: u8) -> Fingerprint {
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

fn login(account: &str, keys: &[Fingerprint]) -> Login {
    let keys = keys.iter().map(ToString::to_string).collect();
    Login { account: account.to_owned(), keys, service: "sshd".to_owned(), ..Login::default() }
}

/// The code of an enrolled HOTP credential.
fn code(enrolled: &Enrolled, counter: u64) -> String {
    let secret = Secret::from_base32(enrolled.secret.expose()).unwrap();
    otp::code(&secret, Algorithm::Sha1, Digits::SIX, counter).to_string()
}

fn is_accepted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted { .. })
}

fn is_turned_away(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Denied(_) | Outcome::CodeNeeded(_))
}

/// Every verb that adds, shows or weakens a factor.
fn weakening(credential: &str) -> Vec<Ask> {
    let account = ACCOUNT.to_owned();
    vec![
        Ask::Enrol(enrol(ACCOUNT, None, None)),
        Ask::Import(import::import(&[import::totp("new")])),
        Ask::Revoke(CredentialName { account: Some(account.clone()), credential: credential.to_owned() }),
        Ask::Unlock(Unlock { account: account.clone(), key: None }),
        Ask::Disable(CredentialName { account: Some(account.clone()), credential: credential.to_owned() }),
        Ask::Enable(CredentialName { account: Some(account.clone()), credential: credential.to_owned() }),
        Ask::Rename(Rename {
            account: Some(account.clone()),
            credential: credential.to_owned(),
            label: "new".to_owned(),
        }),
        Ask::SetBack(SetBack {
            account: Some(account.clone()),
            credential: credential.to_owned(),
            codes: ["123456", "654321"].map(|code| SecretText::typed(code.as_bytes())),
        }),
        Ask::ScratchNew(OwnerName { account: account.clone(), owner: None }),
        Ask::KeyAdd(KeyAdd {
            account: account.clone(),
            key: key(9).to_string(),
            owner: None,
            note: None,
            credentials: vec![credential.to_owned()],
        }),
        Ask::KeyPolicy(KeyPolicy {
            account: account.clone(),
            key: key(1).to_string(),
            policy: "none".to_owned(),
            until: None,
            grant: None,
        }),
        Ask::KeyGrant(KeyGrant {
            account: account.clone(),
            key: key(1).to_string(),
            to: Some(GrantTo { address: "192.0.2.1".to_owned(), seconds: 600 }),
        }),
        Ask::KeyRemove(KeyName { account, key: key(1).to_string() }),
    ]
}

#[test]
fn a_uid_is_not_a_second_factor() {
    for (peer, self_service) in [(OWN, false), (OWN, true), (OWNER, true)] {
        let world = World::new(self_service);
        let enrolled = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
        let before = format!("{:?}", world.ask(ROOT, Ask::List(Selection::default())));
        for ask in weakening(&enrolled.credential) {
            let verb = ask.verb();
            assert!(is_turned_away(&world.ask(peer, ask)), "{peer:?} {verb} without a code");
        }
        assert_eq!(format!("{:?}", world.ask(ROOT, Ask::List(Selection::default()))), before);
        for (number, ask) in weakening(&enrolled.credential).into_iter().enumerate().take(3) {
            let verb = ask.verb();
            let outcome = world.ask_with(peer, ask, "000000");
            assert!(is_turned_away(&outcome), "{peer:?} {verb} with a wrong code ({number})");
        }
    }
}

#[test]
fn every_verb_is_in_the_test_or_harmless() {
    let harmless = ["begin", "verify", "resync", "list", "status", "audit"];
    let weakening: Vec<&str> = weakening("x").iter().map(Ask::verb).collect();
    // The wire's own list, as serde knows it.
    let error = serde_json::from_str::<Ask>("{\"x\":{}}").unwrap_err().to_string();
    let verbs: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
    assert_eq!(verbs.len(), harmless.len() + weakening.len(), "{error}");
    for verb in verbs {
        assert!(harmless.contains(&verb) != weakening.contains(&verb), "{verb}");
    }
}

#[test]
fn with_a_code_an_owner_may_what_the_settings_say() {
    let world = World::new(true);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let new = || Ask::ScratchNew(OwnerName { account: ACCOUNT.to_owned(), owner: None });
    assert!(matches!(world.ask_with(OWN, new(), &code(&enrolled, 0)), Outcome::Scratch(_)));
    assert!(matches!(world.ask_with(OWN, new(), &code(&enrolled, 0)), Outcome::CodeNeeded(_)), "the code is spent");
    let policy = Ask::KeyPolicy(KeyPolicy {
        account: ACCOUNT.to_owned(),
        key: key(1).to_string(),
        policy: "none".to_owned(),
        until: None,
        grant: None,
    });
    assert!(matches!(world.ask_with(OWN, policy, &code(&enrolled, 1)), Outcome::Denied(_)), "root's alone");
    let closed = World::new(false);
    let enrolled = closed.enrol(ACCOUNT, ACCOUNT, None);
    assert!(matches!(closed.ask_with(OWN, new(), &code(&enrolled, 0)), Outcome::Denied(_)), "no self-service");
}

#[test]
fn nobody_takes_another_owners_name() {
    let world = World::new(true);
    let own = world.enrol(ACCOUNT, ACCOUNT, None);
    world.enrol("root", "root", None);
    let bin = Ask::Enrol(enrol(ACCOUNT, Some("root"), Some(&key(2))));
    assert!(matches!(world.ask_with(OWN, bin, &code(&own, 0)), Outcome::Denied(_)));
    let unborn = Ask::Enrol(enrol(ACCOUNT, Some("unborn"), Some(&key(2))));
    assert!(matches!(world.ask_with(OWN, unborn, &code(&own, 1)), Outcome::Denied(_)));
}

#[test]
fn the_first_credential_needs_no_code_where_the_settings_say_so() {
    let world = World::new(true);
    assert!(matches!(world.ask(OWN, Ask::Enrol(enrol(ACCOUNT, None, None))), Outcome::Enrolled(_)));
    let mut second = enrol(ACCOUNT, None, None);
    second.label = Some("second".to_owned());
    assert!(matches!(world.ask(OWN, Ask::Enrol(second)), Outcome::CodeNeeded(_)));
    let closed = World::new(false);
    assert!(matches!(closed.ask(OWN, Ask::Enrol(enrol(ACCOUNT, None, None))), Outcome::Denied(_)));
}

#[test]
fn whoever_has_a_code_elsewhere_does_not_enrol_without_one() {
    let world = World::new(true);
    // The person of this name has a code for root, and nothing in the account of that name.
    world.enrol("root", ACCOUNT, Some(&key(1)));
    let outcome = world.ask(OWN, Ask::Enrol(enrol(ACCOUNT, None, None)));
    assert!(is_turned_away(&outcome), "{outcome:?}");
}

#[test]
fn others_ask_only_for_their_own_accounts() {
    let world = World::new(true);
    let enrolled = world.enrol("root", "root", None);
    let ask = || {
        [
            Ask::Begin(login("root", &[])),
            verify(login("root", &[]), &code(&enrolled, 0)),
            Ask::List(Selection { account: Some("root".to_owned()), ..Selection::default() }),
            Ask::Enrol(enrol("root", None, None)),
        ]
    };
    for ask in ask() {
        let verb = ask.verb();
        assert!(matches!(world.ask(OWN, ask), Outcome::Denied(_)), "{verb}");
    }
    assert!(matches!(world.ask(OWN, Ask::List(Selection::default())), Outcome::Invalid(_)));
    assert!(matches!(world.ask(OWN, Ask::Audit(AuditFilter::default())), Outcome::Denied(_)));
    assert!(is_accepted(&world.verify(ROOT, login("root", &[]), &code(&enrolled, 0))), "nothing was spent");
}

#[test]
fn a_claim_never_makes_pam_skip_a_code() {
    let world = World::new(true);
    let free = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let mut unbound = enrol(ACCOUNT, Some(ACCOUNT), None);
    unbound.label = Some("unbound".to_owned());
    assert!(matches!(world.ask(ROOT, Ask::Enrol(unbound)), Outcome::Enrolled(_)));
    let policy = KeyPolicy {
        account: ACCOUNT.to_owned(),
        key: key(1).to_string(),
        policy: "none".to_owned(),
        until: None,
        grant: None,
    };
    assert!(matches!(world.ask(ROOT, Ask::KeyPolicy(policy)), Outcome::Done(_)));
    // The claim helps the claiming uid's own request...
    assert_eq!(world.ask(OWN, Ask::Begin(login(ACCOUNT, &[key(1)]))), Outcome::Pass {});
    // ...and nothing else, before or after it.
    for keys in [vec![], vec![key(2)]] {
        assert!(matches!(world.ask(ROOT, Ask::Begin(login(ACCOUNT, &keys))), Outcome::Ask { .. }), "{keys:?}");
    }
    let claimed = Login { address: Some("192.0.2.1".to_owned()), ..login(ACCOUNT, &[key(1)]) };
    assert!(matches!(world.verify(OWN, claimed.clone(), &code(&free, 0)), Outcome::Accepted { .. }));
    let facts = Login { keys: vec![], ..claimed };
    assert!(matches!(world.ask(ROOT, Ask::Begin(facts)), Outcome::Ask { .. }));
}

#[test]
fn guessing_at_the_claimed_door_shuts_no_other() {
    let world = World::new(true);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    for _ in 0..5 {
        assert!(!is_accepted(&world.verify(OWN, login(ACCOUNT, &[key(1)]), "000000")));
    }
    let throttled = world.verify(OWN, login(ACCOUNT, &[key(1)]), &code(&enrolled, 0));
    assert!(matches!(throttled, Outcome::Refused { reason: Reason::Throttled, .. }));
    assert!(is_accepted(&world.verify(ROOT, login(ACCOUNT, &[key(1)]), &code(&enrolled, 0))));
}

#[test]
fn five_keys_of_five_owners_on_one_account() {
    let world = World::new(false);
    let owners = ["ann", "ben", "cat", "dan", "eve"];
    let enrolled: Vec<_> =
        owners.iter().zip(1..).map(|(owner, number)| world.enrol(ACCOUNT, owner, Some(&key(number)))).collect();
    let mut now = NOW;
    for (own, number) in (1..=5).enumerate() {
        for (other, enrolled) in enrolled.iter().enumerate() {
            let typed = [code(enrolled, 0), enrolled.scratch[own].expose().to_owned()];
            for typed in typed {
                now += 60;
                let request = Request::new(verify(login(ACCOUNT, &[key(number)]), &typed)).unwrap();
                let accepted = is_accepted(&world.send(ROOT, &request, now));
                assert_eq!(accepted, own == other, "key {own} with a code of {other}");
            }
        }
    }
}

#[test]
fn one_locked_door_leaves_the_others_open() {
    let world = World::new(false);
    let owners = ["ann", "ben", "cat", "dan", "eve"];
    let enrolled: Vec<_> =
        owners.iter().zip(1..).map(|(owner, number)| world.enrol(ACCOUNT, owner, Some(&key(number)))).collect();
    for minute in 0..200 {
        let guess = Request::new(verify(login(ACCOUNT, &[key(1)]), "000000")).unwrap();
        assert!(!is_accepted(&world.send(ROOT, &guess, NOW + minute * 60)));
    }
    let later = NOW + 200 * 60;
    let send = |number: u8, typed: &str| {
        world.send(ROOT, &Request::new(verify(login(ACCOUNT, &[key(number)]), typed)).unwrap(), later)
    };
    let outcome = send(1, &code(&enrolled[0], 0));
    assert!(matches!(&outcome, Outcome::Refused { reason: Reason::Locked, line } if line.contains("administrator")));
    for number in 2..=5 {
        assert!(is_accepted(&send(number, &code(&enrolled[usize::from(number) - 1], 0))), "key {number}");
    }
    let unlock = Ask::Unlock(Unlock { account: ACCOUNT.to_owned(), key: Some(key(1).to_string()) });
    assert!(matches!(world.ask(ROOT, unlock), Outcome::Done(_)));
    assert!(is_accepted(&send(1, &code(&enrolled[0], 0))));
}

#[test]
fn who_has_proven_nothing_is_told_nothing() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, None);
    assert!(is_accepted(&world.verify(ROOT, login(ACCOUNT, &[]), &code(&enrolled, 0))));
    let mut lines = Vec::new();
    for (account, typed) in
        [(ACCOUNT, code(&enrolled, 0)), (ACCOUNT, "000000".into()), ("root", "1".into()), ("?", "".into())]
    {
        match world.verify(ROOT, login(account, &[]), &typed) {
            Outcome::Refused { line, .. } => lines.push(line),
            other => panic!("{other:?}"),
        }
    }
    lines.dedup();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(matches!(world.ask(ROOT, Ask::Begin(login(ACCOUNT, &[]))), Outcome::Ask { label: None, line: None }));
}

#[test]
fn asking_again_with_the_same_id_gets_the_same_verdict() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, None);
    let request = Request::new(verify(login(ACCOUNT, &[]), &code(&enrolled, 0))).unwrap();
    assert!(is_accepted(&world.send(ROOT, &request, NOW)));
    assert!(is_accepted(&world.send(ROOT, &request, NOW + 5)), "the answer got lost on the way");
    let other = Peer { uid: 2, role: Role::Root };
    assert!(matches!(world.send(other, &request, NOW + 5), Outcome::Undecided(_)), "somebody else's answer");
    assert!(!is_accepted(&world.send(ROOT, &request, NOW + 20)), "by then it is a replay");
}

#[test]
fn an_enrolment_shows_its_secret_once() {
    let world = World::new(false);
    let request = Request::new(Ask::Enrol(enrol(ACCOUNT, None, None))).unwrap();
    assert!(matches!(world.send(ROOT, &request, NOW), Outcome::Enrolled(_)));
    assert!(matches!(world.send(ROOT, &request, NOW), Outcome::Invalid(_)));
}

#[test]
fn bad_input_gets_a_line_and_changes_nothing() {
    let world = World::new(false);
    world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let before = format!("{:?}", world.ask(ROOT, Ask::List(Selection::default())));
    let long = "a".repeat(10_240);
    let wrong = |change: &dyn Fn(&mut Enrol)| {
        let mut ask = enrol(ACCOUNT, None, None);
        change(&mut ask);
        Ask::Enrol(ask)
    };
    let bad = [
        wrong(&|ask| ask.account = "no-such-account".to_owned()),
        wrong(&|ask| ask.account = long.clone()),
        wrong(&|ask| ask.account = "daemon\n".to_owned()),
        wrong(&|ask| ask.account = "DAEMON".to_owned()),
        wrong(&|ask| ask.account = "../daemon".to_owned()),
        wrong(&|ask| ask.owner = Some("a/b".to_owned())),
        wrong(&|ask| ask.label = Some("two words".to_owned())),
        wrong(&|ask| ask.label = Some(String::new())),
        wrong(&|ask| ask.label = Some(ACCOUNT.to_owned())),
        wrong(&|ask| ask.digits = 5),
        wrong(&|ask| ask.digits = 9),
        wrong(&|ask| ask.kind = "steam".to_owned()),
        wrong(&|ask| ask.period = Some(30)),
        wrong(&|ask| (ask.kind, ask.period) = ("totp".to_owned(), Some(121))),
        wrong(&|ask| (ask.kind, ask.period) = ("totp".to_owned(), Some(0))),
        wrong(&|ask| ask.algorithm = "MD5".to_owned()),
        wrong(&|ask| ask.secret = SecretText::new("JBSWY3DPEHPK3PXP")),
        wrong(&|ask| ask.secret = SecretText::new("not base32!")),
        wrong(&|ask| ask.key = Some("SHA256:short".to_owned())),
        Ask::KeyPolicy(KeyPolicy {
            account: ACCOUNT.into(),
            key: key(1).to_string(),
            policy: "maybe".into(),
            until: None,
            grant: None,
        }),
        Ask::KeyPolicy(KeyPolicy {
            account: ACCOUNT.into(),
            key: key(2).to_string(),
            policy: "none".into(),
            until: None,
            grant: None,
        }),
        Ask::Revoke(CredentialName { account: None, credential: "nosuchid".into() }),
        Ask::Unlock(Unlock { account: "root".into(), key: None }),
    ];
    for (number, ask) in bad.into_iter().enumerate() {
        let outcome = world.ask(ROOT, ask);
        assert!(matches!(&outcome, Outcome::Invalid(line) if !line.is_empty()), "{number}: {outcome:?}");
    }
    assert_eq!(format!("{:?}", world.ask(ROOT, Ask::List(Selection::default()))), before);
}

#[test]
fn a_login_with_a_bad_name_is_refused_like_an_unknown_one() {
    let world = World::new(false);
    let long = "a".repeat(10_240);
    for account in ["no-such-account", "a/b", "a\nb", "DAEMON", "", &long] {
        assert!(matches!(world.ask(ROOT, Ask::Begin(login(account, &[]))), Outcome::Refused { .. }), "{account:?}");
        let outcome = world.verify(ROOT, login(account, &[]), "123456");
        assert!(matches!(outcome, Outcome::Refused { reason: Reason::NotEnrolled, .. }), "{account:?}");
    }
    let nine = (1..10).map(key).collect::<Vec<_>>();
    assert!(matches!(world.ask(ROOT, Ask::Begin(login(ACCOUNT, &nine))), Outcome::Invalid(_)));
    let service = Login { service: "two words".to_owned(), ..login(ACCOUNT, &[]) };
    assert!(matches!(world.ask(ROOT, Ask::Begin(service)), Outcome::Invalid(_)));
}

#[test]
fn the_audit_knows_and_holds_no_secret() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let address = Login { address: Some("192.0.2.1\n\u{1b}[2J".to_owned()), ..login(ACCOUNT, &[key(1)]) };
    let (right, scratch) = (code(&enrolled, 0), enrolled.scratch[0].expose().to_owned());
    for typed in [right.as_str(), &right, "000000", &scratch] {
        let _ = world.verify(ROOT, address.clone(), typed);
    }
    let Outcome::Audit(rows) = world.ask(ROOT, Ask::Audit(AuditFilter { limit: 100, ..AuditFilter::default() })) else {
        panic!("no audit")
    };
    let reasons: Vec<&str> = rows.iter().rev().map(|row| row.reason.as_str()).collect();
    let accepted = format!("code of {}", enrolled.credential);
    let first = format!("enrolled {}", enrolled.credential);
    assert_eq!(reasons, [&first, &accepted, "code already used", "wrong code", "scratch code, 9 left"]);
    let text = format!("{rows:?}{enrolled:?}");
    for secret in [right.as_str(), &scratch, enrolled.secret.expose(), "\u{1b}", "\\u{1b}[2J"] {
        assert!(!text.contains(secret) || secret == "\\u{1b}[2J", "{secret:?}");
    }
}

#[test]
fn a_key_that_needs_no_code_begins_a_record() {
    let world = World::new(false);
    let add = KeyAdd {
        account: ACCOUNT.to_owned(),
        key: key(1).to_string(),
        owner: None,
        note: Some("rescue".to_owned()),
        credentials: vec![],
    };
    assert!(matches!(world.ask(ROOT, Ask::KeyAdd(add)), Outcome::Done(_)));
    assert!(matches!(world.ask(ROOT, Ask::Begin(login(ACCOUNT, &[key(1)]))), Outcome::Refused { .. }));
    let policy = KeyPolicy {
        account: ACCOUNT.to_owned(),
        key: key(1).to_string(),
        policy: "none".to_owned(),
        until: None,
        grant: None,
    };
    assert!(matches!(world.ask(ROOT, Ask::KeyPolicy(policy)), Outcome::Done(_)));
    assert_eq!(world.ask(ROOT, Ask::Begin(login(ACCOUNT, &[key(1)]))), Outcome::Pass {});
}

#[test]
fn two_codes_in_a_row_resync_and_are_spent() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let typed = |counter| SecretText::typed(code(&enrolled, counter).as_bytes());
    let ask = |first, second| {
        Ask::Resync(Resync {
            login: login(ACCOUNT, &[key(1)]),
            codes: [typed(first), typed(second)],
            credential: Some(enrolled.credential.clone()),
        })
    };
    assert!(!is_accepted(&world.verify(ROOT, login(ACCOUNT, &[key(1)]), &code(&enrolled, 50))), "too far ahead");
    assert!(!is_accepted(&world.ask(OWN, ask(50, 52))));
    assert!(is_accepted(&world.ask(OWN, ask(50, 51))), "the own uid may");
    assert!(!is_accepted(&world.verify(ROOT, login(ACCOUNT, &[key(1)]), &code(&enrolled, 51))));
    assert!(is_accepted(&world.verify(ROOT, login(ACCOUNT, &[key(1)]), &code(&enrolled, 52))));
    let stranger = Ask::Resync(Resync { login: login("root", &[]), codes: [typed(60), typed(61)], credential: None });
    assert!(matches!(world.ask(OWN, stranger), Outcome::Denied(_)));
}

#[test]
fn a_disabled_credential_is_refused_until_it_is_enabled() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let name = || CredentialName { account: None, credential: enrolled.credential.clone() };
    assert!(matches!(world.ask(ROOT, Ask::Disable(name())), Outcome::Done(_)));
    assert!(matches!(world.ask(ROOT, Ask::Disable(name())), Outcome::Invalid(_)), "twice");
    assert!(!is_accepted(&world.verify(ROOT, login(ACCOUNT, &[key(1)]), &code(&enrolled, 0))));
    assert!(matches!(world.ask(ROOT, Ask::Enable(name())), Outcome::Done(_)));
    assert!(is_accepted(&world.verify(ROOT, login(ACCOUNT, &[key(1)]), &code(&enrolled, 0))));
    assert!(matches!(world.ask(ROOT, Ask::Revoke(name())), Outcome::Done(_)));
    assert!(matches!(world.ask(ROOT, Ask::Enable(name())), Outcome::Invalid(_)), "revoked is for ever");
}

#[test]
fn a_label_can_be_changed_but_not_doubled() {
    let world = World::new(false);
    let first = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let mut second = enrol(ACCOUNT, None, Some(&key(2)));
    second.label = Some("second".to_owned());
    assert!(matches!(world.ask(ROOT, Ask::Enrol(second)), Outcome::Enrolled(_)));
    let rename = |label: &str| {
        Ask::Rename(Rename { account: None, credential: first.credential.clone(), label: label.to_owned() })
    };
    assert!(matches!(world.ask(ROOT, rename("phone")), Outcome::Done(_)));
    assert!(matches!(world.ask(ROOT, rename("phone")), Outcome::Done(_)), "its own label is no double");
    for bad in ["second", "two words", ""] {
        assert!(matches!(world.ask(ROOT, rename(bad)), Outcome::Invalid(_)), "{bad}");
    }
}

#[test]
fn a_revoked_credential_is_refused_at_once() {
    let world = World::new(false);
    let enrolled = world.enrol(ACCOUNT, ACCOUNT, Some(&key(1)));
    let revoke = || Ask::Revoke(CredentialName { account: None, credential: enrolled.credential.clone() });
    assert!(matches!(world.ask(ROOT, revoke()), Outcome::Done(_)));
    assert!(!is_accepted(&world.verify(ROOT, login(ACCOUNT, &[key(1)]), &code(&enrolled, 0))));
    assert!(matches!(world.ask(ROOT, revoke()), Outcome::Invalid(_)), "twice");
}
