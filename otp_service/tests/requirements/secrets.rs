//! 13 to 15: the clock, secrets at rest, scratch codes.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use otp_core::Secret;
use otp_wire::message::{Enrol, Outcome, Reason};
use otp_wire::{Ask, Request, frame};

use crate::common::world::{self, ACCOUNT, NOW, ROOT, World, key, login};
use crate::common::*;
use crate::device::*;

const DAY: u64 = 86_400;

/// How root sets a last step back: `clock.rs`.
#[test]
fn r13_a_clock_set_back_reopens_nothing() {
    let world = World::new(false);
    let device = Device::of(world.at(NOW, Ask::Enrol(eight("totp", ACCOUNT))));
    let at = |now, typed: &str| world.at(now, world::verify(login(ACCOUNT, &[]), typed));
    assert!(is_accepted(&at(NOW, &device.code(NOW / 30))));
    for back in [1, 30, 3600, DAY] {
        for spent in [NOW / 30, (NOW - back) / 30, (NOW - back) / 30 + 1] {
            let told = at(NOW - back, &device.code(spent));
            assert!(refused(&told).is_some(), "{back} s back, step {spent}: {told:?}");
        }
    }
}

#[test]
fn r13_a_clock_set_back_opens_no_door() {
    let world = World::new(false);
    let device = Device::of(world.at(NOW, Ask::Enrol(eight("hotp", ACCOUNT))));
    let at = |now, typed: &str| refused(&world.at(now, world::verify(login(ACCOUNT, &[]), typed)));
    (0..3).for_each(|_| assert_eq!(at(NOW, WRONG), Some(Reason::Wrong)));
    assert_eq!(at(NOW - DAY, &device.code(0)), Some(Reason::Throttled));
    (1..98).for_each(|minute| assert_eq!(at(NOW + minute * 60, WRONG), Some(Reason::Wrong)));
    for now in [NOW + 98 * 60, NOW, NOW - 365 * DAY] {
        assert_eq!(at(now, &device.code(0)), Some(Reason::Locked), "at {now}");
    }
}

/// The clock was a year ahead once, and three codes were wrong by it.
#[test]
fn r13_a_clock_that_was_ahead_shuts_no_door_until_then() {
    let world = World::new(false);
    let device = Device::of(world.at(NOW, Ask::Enrol(Enrol { scratch: false, ..eight("totp", ACCOUNT) })));
    let ahead = NOW + 365 * DAY;
    for _ in 0..3 {
        assert_eq!(refused(&world.at(ahead, world::verify(login(ACCOUNT, &[]), WRONG))), Some(Reason::Wrong));
    }
    let begin = |now| world.at(now, Ask::Begin(login(ACCOUNT, &[])));
    assert_eq!(refused(&begin(NOW)), Some(Reason::Throttled), "the wait begins again");
    assert!(matches!(begin(NOW + 31), Outcome::Ask { .. }), "once, and ends");
    assert!(is_accepted(&world.at(NOW + 31, world::verify(login(ACCOUNT, &[]), &device.code((NOW + 31) / 30)))));
}

#[test]
fn r13_only_the_verifiers_clock_counts() {
    let world = World::new(false);
    let line = frame::encode(&Request::<otp_wire::message::Everything>::new(verify("123456")).unwrap(), 4096).unwrap();
    let text = String::from_utf8(line.to_vec()).unwrap();
    assert!(world.raw(ROOT, text.as_bytes(), NOW).is_some());
    for time in ["now", "time", "at"] {
        for place in ["\"verify\":{", "\"login\":{", "\"v\":1,"] {
            let line = text.replace(place, &format!("{place}\"{time}\":1,"));
            assert!(line != text && world.raw(ROOT, line.as_bytes(), NOW).is_none(), "{line}");
        }
    }
}

#[test]
fn r14_secrets_are_random_sealed_and_the_verifiers_alone() {
    let running = Running::start();
    let enrol = |number: u8| {
        let enrol = Enrol {
            label: Some(format!("label{number}")),
            key: Some(key(number).to_string()),
            ..eight("hotp", ACCOUNT)
        };
        Device::of(ask(&running.verifier("root"), Ask::Enrol(enrol)).unwrap())
    };
    let devices: Vec<Device> = (0..24).map(enrol).collect();
    let secrets: Vec<Secret> = devices.iter().map(|new| Secret::from_base32(new.0.secret.expose()).unwrap()).collect();
    assert!(secrets.iter().all(|secret| secret.bits() == 160));
    assert_eq!(secrets.iter().map(Secret::expose).collect::<HashSet<_>>().len(), 24);
    // 3,840 fair bits are off by more than 250 once in 10^15 times.
    let ones: u32 = secrets.iter().flat_map(|secret| secret.expose()).map(|byte| byte.count_ones()).sum();
    assert!((1670..=2170).contains(&ones), "{ones} of 3,840 bits are set");

    let hex = |secret: &Secret| secret.expose().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let forms = devices.iter().zip(&secrets).flat_map(|(device, secret)| {
        let (base32, hex) = (device.0.secret.expose(), hex(secret));
        [secret.expose().to_vec(), base32.into(), base32.to_lowercase().into(), hex.to_uppercase().into(), hex.into()]
    });
    assert_none_below(running.folder.path(), &forms.collect::<Vec<_>>());
    let kept = ["keys", "var"].map(|folder| files_below(&running.path(folder))).concat();
    assert!(kept.len() >= 2, "{kept:?}");
    for file in kept.into_iter().chain([running.path("keys"), running.path("var")]) {
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is for others too", file.display());
    }
}

#[test]
fn r15_a_scratch_code_is_hashed_and_works_once_of_thirty_uses() {
    let running = Running::start();
    let device = Device::enrol(&running.verifier("root"), "daemon", "hotp");
    for round in 0..2 {
        let scratch = device.scratch(round);
        let told = at_once(30, |_| ask(&running.verifier("root"), verify_as("daemon", scratch)).unwrap());
        assert_eq!(told.iter().filter(|told| is_accepted(told)).count(), 1, "{told:?}");
        // More than can be hashed in time are not decided.
        let no = |told: &&Outcome| refused(told) == Some(Reason::Replayed) || matches!(told, Outcome::Undecided(_));
        assert_eq!(told.iter().filter(no).count(), 29, "{told:?}");
    }
    let forms = device.0.scratch.iter().flat_map(|grouped| {
        let plain = grouped.expose().replace('-', "");
        [grouped.expose().into(), plain.to_lowercase().into(), plain.into()]
    });
    assert_none_below(running.folder.path(), &forms.collect::<Vec<_>>());
    let bits = Secret::from_base32(&device.scratch(0).replace('-', "")).map(|code| code.bits());
    assert!(bits.is_ok_and(|bits| bits >= 80));
}
