//! Volumes: a key for a code.

use otp_wire::message::{
    AuditFilter, CredentialName, DiskEnrol, DiskKey, Enrolled, KeyAdd, Outcome, Reason, Selection, Unlock, Unseal,
    VolumeName,
};
use otp_wire::{Ask, Request, SecretText};

use crate::world::*;

const VOLUME: &str = "0a1b2c3d-0000-4000-8000-00000000000f";
const OTHER: &str = "0a1b2c3d-0000-4000-8000-000000000001";
/// 256 bits.
const SLOT_KEY: &str = "AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPQ";

fn text(text: &str) -> SecretText {
    SecretText::new(text).unwrap()
}

/// Every verb about volumes.
pub fn all() -> Vec<Ask> {
    vec![keep(VOLUME, SLOT_KEY), new(VOLUME, "totp"), forget(VOLUME), unseal(VOLUME, "000000")]
}

fn keep(volume: &str, key: &str) -> Ask {
    Ask::DiskKey(DiskKey { volume: volume.to_owned(), key: text(key) })
}

fn new(volume: &str, kind: &str) -> Ask {
    let (volume, kind, algorithm) = (volume.to_owned(), kind.to_owned(), "SHA1".to_owned());
    Ask::DiskEnrol(DiskEnrol { volume, label: None, kind, algorithm, digits: 6, period: None })
}

fn forget(volume: &str) -> Ask {
    Ask::DiskRemove(VolumeName { volume: volume.to_owned() })
}

fn unseal(volume: &str, code: &str) -> Ask {
    Ask::Unseal(Unseal { volume: volume.to_owned(), code: text(code), next: None })
}

fn unseal_by_two(volume: &str, codes: [String; 2]) -> Ask {
    let [code, next] = codes.map(|code| text(&code));
    Ask::Unseal(Unseal { volume: volume.to_owned(), code, next: Some(next) })
}

fn refused(outcome: &Outcome) -> Option<Reason> {
    match outcome {
        Outcome::Refused { reason, .. } => Some(*reason),
        _ => None,
    }
}

fn opened() -> Outcome {
    Outcome::Unsealed(text(SLOT_KEY))
}

/// A volume with a counter-based credential.
fn enrolled(world: &World, volume: &str) -> Box<Enrolled> {
    assert!(matches!(world.ask(ROOT, keep(volume, SLOT_KEY)), Outcome::Done(_)));
    match world.ask(ROOT, new(volume, "hotp")) {
        Outcome::Enrolled(enrolled) => enrolled,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_code_opens_a_volume_once() {
    let world = World::new(true);
    let device = enrolled(&world, VOLUME);
    assert_eq!(
        (device.account.as_str(), device.label.as_str()),
        (format!("disk:{VOLUME}").as_str(), device.label.as_str())
    );
    assert_eq!(refused(&world.ask(ROOT, unseal(VOLUME, "000000"))), Some(Reason::Wrong));
    assert_eq!(world.ask(ROOT, unseal(VOLUME, &code(&device, 0))), opened());
    assert_eq!(refused(&world.ask(ROOT, unseal(VOLUME, &code(&device, 0)))), Some(Reason::Replayed));
    assert_eq!(world.ask(ROOT, unseal(VOLUME, &code(&device, 3))), opened());
    let Outcome::Audit(rows) = world.ask(ROOT, Ask::Audit(AuditFilter { limit: 9, ..AuditFilter::default() })) else {
        panic!("no audit")
    };
    assert_eq!((rows[0].verdict.as_str(), rows[0].service.as_str()), ("accept", "luks"));
    assert!(rows.iter().all(|row| row.account == device.account && !format!("{row:?}").contains(SLOT_KEY)));
}

#[test]
fn each_volume_has_its_own_codes() {
    let world = World::new(true);
    let (one, other) = (enrolled(&world, VOLUME), enrolled(&world, OTHER));
    assert_eq!(refused(&world.ask(ROOT, unseal(VOLUME, &code(&other, 0)))), Some(Reason::Wrong));
    assert_eq!(world.ask(ROOT, unseal(VOLUME, &code(&one, 0))), opened());
    let unknown = "0a1b2c3d-0000-4000-8000-000000000002";
    assert_eq!(refused(&world.ask(ROOT, unseal(unknown, &code(&one, 1)))), Some(Reason::NotEnrolled));
}

#[test]
fn a_repeated_request_repeats_no_key() {
    let world = World::new(true);
    let device = enrolled(&world, VOLUME);
    let request = Request::new(unseal(VOLUME, &code(&device, 0))).unwrap();
    assert_eq!(world.send(ROOT, &request, NOW), opened());
    assert!(matches!(world.send(ROOT, &request, NOW + 1), Outcome::Invalid(_)));
}

#[test]
fn only_root_speaks_of_volumes() {
    for peer in [OWN, OWNER] {
        let world = World::new(true);
        let device = enrolled(&world, VOLUME);
        for ask in all() {
            let verb = ask.verb();
            assert!(matches!(world.ask(peer, ask), Outcome::Denied(_)), "{peer:?} {verb}");
        }
        let right = world.ask_with(peer, unseal(VOLUME, &code(&device, 0)), &code(&device, 1));
        assert!(matches!(right, Outcome::Denied(_)), "{right:?}");
        assert_eq!(world.ask(ROOT, unseal(VOLUME, &code(&device, 0))), opened());
    }
}

#[test]
fn a_logins_code_opens_no_disk_and_a_disks_no_login() {
    let world = World::new(true);
    let (disk, person) = (enrolled(&world, VOLUME), world.enrol(ACCOUNT, ACCOUNT, None));
    assert_eq!(refused(&world.ask(ROOT, unseal(VOLUME, &code(&person, 0)))), Some(Reason::Wrong));
    let scratch = person.scratch[0].expose();
    assert!(refused(&world.ask(ROOT, unseal(VOLUME, scratch))).is_some());
    assert!(!is_accepted(&world.verify(ROOT, login(ACCOUNT, &[]), &code(&disk, 0))));
    // No login leads to a volume's record, and no verb makes one that does.
    for account in [disk.account.as_str(), ACCOUNT] {
        assert!(!is_accepted(&world.verify(ROOT, login(account, &[key(1)]), &code(&disk, 0))), "{account}");
        let owner = Some(disk.account.as_str());
        assert!(matches!(world.ask(ROOT, Ask::Enrol(enrol(account, owner, Some(&key(1))))), Outcome::Invalid(_)));
        let add = KeyAdd {
            account: account.to_owned(),
            owner: Some(disk.account.clone()),
            key: key(1).to_string(),
            note: None,
            credentials: vec![disk.credential.clone()],
        };
        assert!(matches!(world.ask(ROOT, Ask::KeyAdd(add)), Outcome::Invalid(_)), "{account}");
    }
    assert_eq!(world.ask(ROOT, unseal(VOLUME, &code(&disk, 0))), opened());
}

#[test]
fn guesses_shut_a_volumes_door_until_root_opens_it() {
    let world = World::new(true);
    let device = enrolled(&world, VOLUME);
    for _ in 0..3 {
        assert_eq!(refused(&world.ask(ROOT, unseal(VOLUME, "000000"))), Some(Reason::Wrong));
    }
    assert_eq!(refused(&world.ask(ROOT, unseal(VOLUME, &code(&device, 0)))), Some(Reason::Throttled));
    let door = || Unlock { account: device.account.clone(), key: None };
    assert!(matches!(
        world.ask(OWN, Ask::Unlock(door())),
        Outcome::Denied(_) | Outcome::CodeNeeded(_) | Outcome::Invalid(_)
    ));
    assert!(matches!(world.ask(ROOT, Ask::Unlock(door())), Outcome::Done(_)));
    assert_eq!(world.ask(ROOT, unseal(VOLUME, &code(&device, 0))), opened());
}

#[test]
fn two_codes_in_a_row_bring_a_device_back() {
    let world = World::new(true);
    let device = enrolled(&world, VOLUME);
    let far = |counter| code(&device, counter);
    assert_eq!(refused(&world.ask(ROOT, unseal(VOLUME, &far(15)))), Some(Reason::Wrong));
    assert!(refused(&world.ask(ROOT, unseal_by_two(VOLUME, [far(15), far(17)]))).is_some());
    assert_eq!(world.ask(ROOT, unseal_by_two(VOLUME, [far(15), far(16)])), opened());
    assert_eq!(world.ask(ROOT, unseal(VOLUME, &far(17))), opened());
}

#[test]
fn what_is_removed_opens_nothing() {
    let world = World::new(true);
    let (gone, kept) = (enrolled(&world, VOLUME), enrolled(&world, OTHER));
    assert!(matches!(world.ask(ROOT, forget(VOLUME)), Outcome::Done(_)));
    assert!(refused(&world.ask(ROOT, unseal(VOLUME, &code(&gone, 0)))).is_some());
    assert!(matches!(world.ask(ROOT, new(VOLUME, "totp")), Outcome::Invalid(_)), "there is no key for it");
    let name = CredentialName { account: None, credential: kept.credential.clone() };
    assert!(matches!(world.ask(ROOT, Ask::Disable(name)), Outcome::Done(_)));
    assert!(refused(&world.ask(ROOT, unseal(OTHER, &code(&kept, 0)))).is_some());
    let selection = Selection { owner: Some(kept.account.clone()), ..Selection::default() };
    let Outcome::Listing(rows) = world.ask(ROOT, Ask::List(selection)) else { panic!("no listing") };
    assert_eq!(rows[0].credentials[0].state, "disabled");
}

#[test]
fn bad_requests_change_nothing() {
    let world = World::new(true);
    for ask in [
        keep("/dev/sda1", SLOT_KEY),
        keep(VOLUME, "AAAQEAYEAUDAOCAJ"),
        keep(VOLUME, "not base32!"),
        new(VOLUME, "totp"),
        new("", "hotp"),
        forget(VOLUME),
        unseal("disk:", "123456"),
    ] {
        let outcome = world.ask(ROOT, ask);
        assert!(matches!(outcome, Outcome::Invalid(_)), "{outcome:?}");
    }
    let Outcome::Listing(rows) = world.ask(ROOT, Ask::List(Selection::default())) else { panic!("no listing") };
    assert_eq!(rows.len(), 0);
}
