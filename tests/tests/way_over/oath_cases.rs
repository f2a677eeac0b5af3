//! The cases of pam_oath's own test as root: midnight of 7 December 2006, a key of
//! one byte, a window of 20, six digits.

use oathgate_tests::sshd::id;

use crate::cases::Said::{No, Unasked, Yes};
use crate::cases::{Case, Said, Try, other};

pub const T: u64 = 1_165_449_600;

const WINDOW: &str = "a step before and after counts; window= only narrows that";
const PIN: &str = "a PIN is a password module's to ask for";
const UNKNOWN: &str = "whoever is unknown is asked all the same";

fn check(name: &str, user: &str, row: &str, tries: &[(&'static str, Said, Said, &'static str)]) {
    let at_midnight = |(typed, theirs, ours, because): &(&'static str, Said, Said, &'static str)| {
        other(T, typed, *theirs, *ours, because)
    };
    check_at(name, user, row, "window=20 digits=6", &tries.iter().map(at_midnight).collect::<Vec<_>>());
}

/// The same with times of its own.
pub fn check_at(name: &str, user: &str, row: &str, options: &str, tries: &[Try]) {
    let state = format!("{row}\n").replace("USER", &id("-un"));
    Case { name, state: &state, user, options, tries }
        .check("pam_oath.so", |path| format!("pam_oath.so usersfile={}", path.display()));
}

#[test]
fn counters() {
    let tries = [("328482", Yes, Yes, ""), ("073348", Yes, Yes, ""), ("073348", No, No, ""), ("812658", No, No, "")];
    check("HOTP", "", "HOTP USER - 00", &tries);
}

#[test]
fn counters_behind_a_pin() {
    let pin = |typed, theirs| (typed, theirs, No, if theirs == No { "" } else { PIN });
    let tries = [pin("pw328482", Yes), pin("pw073348", Yes), pin("pw073348", No), pin("pw887919", Yes)];
    check("PIN", "", "HOTP USER pw 00", &tries);
    check("without the PIN", "", "HOTP USER pw 00", &[("328482", No, Yes, PIN)]);
}

#[test]
fn times() {
    let tries = [
        ("068866", Yes, Yes, ""),
        ("068866", No, No, ""),
        ("963013", No, No, ""),
        ("047407", Yes, No, WINDOW),
        ("533058", No, No, ""),
        ("619507", Yes, No, WINDOW),
    ];
    check("T30", "", "HOTP/T30 USER - 00", &tries);
}

#[test]
fn whoever_is_unknown() {
    check("unknown", "nobody", "HOTP USER - 00", &[("328482", Unasked, No, UNKNOWN)]);
}
