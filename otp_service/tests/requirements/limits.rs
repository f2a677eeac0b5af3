//! 6 to 9: failures, and what comes of them.

use std::fs;

use otp_core::Limits;
use otp_wire::Ask;
use otp_wire::message::{AuditFilter, Enrol, Outcome, Reason, Selection, Unlock};

use crate::common::world::{ACCOUNT, NOW, World, login, verify};
use crate::common::{Running, WRONG, ask, verify_as};
use crate::device::*;

const MINUTE: u64 = 60;
const YEARS: u64 = 10 * 365 * 86_400;

/// A person who has a code for every service without a key, and tries one there.
struct Door {
    world: World,
    device: Device,
}

impl Door {
    fn with(limits: Limits) -> Self {
        let world = World::over(false, limits, |store| Box::new(store));
        let device = Device::of(world.at(NOW, Ask::Enrol(eight("hotp", ACCOUNT))));
        Self { world, device }
    }

    fn at(&self, service: &str, typed: &str, now: u64) -> Outcome {
        let login = otp_wire::Login { service: service.to_owned(), ..login(ACCOUNT, &[]) };
        self.world.at(now, verify(login, typed))
    }

    /// Wrong codes at these services in turn, one a minute; each is judged.
    /// Returns when the last was.
    fn fail(&self, services: &[&str], times: u64, from: u64) -> u64 {
        for (number, service) in (0..times).zip(services.iter().cycle()) {
            let told = self.at(service, WRONG, from + number * MINUTE);
            assert_eq!(refused(&told), Some(Reason::Wrong), "number {number} at {service}");
        }
        from + (times - 1) * MINUTE
    }
}

#[test]
fn r06_a_hundred_failures_in_a_row_lock_until_an_administrator_acts() {
    let door = Door::with(Limits::Usual);
    let last = door.fail(&["su"], 99, NOW);
    assert!(is_accepted(&door.at("su", &door.device.code(0), last + MINUTE)), "99 do not lock");
    let last = door.fail(&["su"], 100, last + 2 * MINUTE);
    for later in [MINUTE, 86_400, YEARS] {
        let told = door.at("su", &door.device.code(1), last + later);
        assert_eq!(refused(&told), Some(Reason::Locked), "after {later} s");
    }
    let unlock = Ask::Unlock(Unlock { account: ACCOUNT.to_owned(), key: None });
    assert!(is_done(&door.world.at(last + YEARS, unlock)));
    assert!(is_accepted(&door.at("su", &door.device.code(1), last + YEARS + MINUTE)), "the code was not spent");
}

#[test]
fn r07_a_profile_has_ten_tries_and_a_lock_of_thirty_minutes() {
    let services = ["su", "sudo", "login", "cron"];
    let nine = Door::with(Limits::Pci);
    let last = nine.fail(&services, 9, NOW);
    assert!(is_accepted(&nine.at("su", &nine.device.code(0), last + 1)), "nine do not lock");

    let ten = Door::with(Limits::Pci);
    let last = ten.fail(&services, 10, NOW);
    for (seconds, service) in (1..1800).step_by(257).chain([1799]).zip(services.iter().cycle()) {
        let told = ten.at(service, &ten.device.code(0), last + seconds);
        assert_eq!(refused(&told), Some(Reason::Locked), "{service}, {seconds} s after the last failure");
    }
    assert!(is_accepted(&ten.at("su", &ten.device.code(0), last + 1800)), "trying while locked extends nothing");
}

/// The lock is of all of an owner's doors, whichever account an administrator names.
#[test]
fn r07_an_administrator_ends_the_lock() {
    let ten = Door::with(Limits::Pci);
    let last = ten.fail(&["su", "sudo", "login", "cron"], 10, NOW);
    let elsewhere = Enrol { owner: Some(ACCOUNT.to_owned()), label: Some("roots".to_owned()), ..eight("hotp", "root") };
    assert!(matches!(ten.world.at(last, Ask::Enrol(elsewhere)), Outcome::Enrolled(_)));
    assert!(is_done(&ten.world.at(last, Ask::Unlock(Unlock { account: "root".to_owned(), key: None }))));
    assert!(is_accepted(&ten.at("su", &ten.device.code(0), last + 1)));
}

#[test]
fn r07_the_profile_is_one_line_of_the_settings() {
    let mut running = Running::start();
    running.restart(|folder| fs::write(folder.join("oathgate.toml"), "profile = \"pci\"\n").unwrap());
    let device = Device::enrol(&running.verifier("root"), "daemon", "hotp");
    let at = |service: &str, typed: &str| {
        let login = otp_wire::Login { service: service.to_owned(), ..login("daemon", &[]) };
        refused(&ask(&running.verifier("root"), verify(login, typed)).unwrap())
    };
    // Three at a door, or it is throttled.
    for number in 0..10 {
        assert_eq!(at(&format!("door{}", number / 3), WRONG), Some(Reason::Wrong), "number {number}");
    }
    assert_eq!(at("another", &device.code(0)), Some(Reason::Locked));
}

#[test]
fn r08_no_failure_of_64_at_once_is_lost_and_three_are_judged() {
    let running = Running::start();
    let root = || running.verifier("root");
    let device = Device::enrol(&root(), "daemon", "hotp");
    let told = at_once(64, |_| refused(&ask(&root(), verify_as("daemon", WRONG)).unwrap()));
    let count = |reason| told.iter().filter(|told| **told == Some(reason)).count();
    assert_eq!((count(Reason::Wrong), count(Reason::Throttled)), (3, 61), "{told:?}");

    let Ok(Outcome::Listing(owners)) = ask(&root(), Ask::List(Selection::default())) else { panic!("no listing") };
    let doors: Vec<_> = owners[0].doors.iter().map(|door| (door.failures, door.state.as_str())).collect();
    assert_eq!(doors, [(3, "throttled")]);
    let filter = AuditFilter { verdict: Some("refuse".to_owned()), limit: 100, ..AuditFilter::default() };
    let Ok(Outcome::Audit(rows)) = ask(&root(), Ask::Audit(filter)) else { panic!("no audit") };
    assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), 64, "{rows:?}");
    let right = ask(&root(), verify_as("daemon", &device.code(0))).unwrap();
    assert_eq!(refused(&right), Some(Reason::Throttled), "a right code tells a guesser nothing");
}

#[test]
fn r09_a_success_resets_the_count() {
    let door = Door::with(Limits::Usual);
    let wrong = |reason| assert_eq!(refused(&door.at("su", WRONG, NOW)), Some(reason));
    for counter in 0..3 {
        wrong(Reason::Wrong);
        wrong(Reason::Wrong);
        assert!(is_accepted(&door.at("su", &door.device.code(counter), NOW)), "round {counter}");
    }
    let Outcome::Listing(owners) = door.world.at(NOW, Ask::List(Selection::default())) else { panic!("no listing") };
    assert!(owners[0].doors.is_empty(), "{:?}", owners[0].doors);
    (0..3).for_each(|_| wrong(Reason::Wrong));
    wrong(Reason::Throttled);
}
