//! The cases of google-authenticator's own test of its module, in its order. `t` is
//! 10,000 steps; there a code may be used again where the file does not forbid it.

use std::path::Path;

use oathgate_tests::sshd::id;
use otp_core::Secret;

use crate::cases::Said::{No, Unasked, Yes};
use crate::cases::{Case, Try, other, same};
use crate::stage::code;

pub const MODULE: &str = "pam_google_authenticator.so";
pub const SECRET: &str = "2SH3V3GDW7ZNMGYE";
/// The code of step 10,000, and of no step near it.
const CODE: &str = "050548";

const ONCE: &str = "a code counts once, whatever the file says";
const EVEN: &str = "a window reaches as far back as ahead";
const LIMIT: &str = "only failures are limited, and who is refused is asked all the same";
const SKEW: &str = "a skew is taken by oathgate resync, not by three wrong tries";

pub fn check(name: &str, options: &str, lines: &str, tries: &[Try]) {
    let state = format!("{SECRET}\n{lines}");
    Case { name, state: &state, user: "", options, tries }.check(MODULE, line);
}

/// The module's words in a stack, for a file of this user's.
pub fn line(path: &Path) -> String {
    format!("{MODULE} secret={} user={}", path.display(), id("-un"))
}

pub fn code_of(step: u64) -> String {
    code(&Secret::from_base32(SECRET).unwrap(), step)
}

#[test]
fn codes_and_their_length() {
    const T: u64 = 10_000 * 30;
    for typed in ["123456", "50548", "0050548", "00050548", ""] {
        check("length", "", "\" TOTP_AUTH\n", &[same(T, typed, No)]);
    }
    check("right", "", "\" TOTP_AUTH\n", &[same(T, CODE, Yes)]);
}

#[test]
fn windows_and_steps() {
    for (lines, seconds, tries) in [
        (
            "\" STEP_SIZE 60\n\" TOTP_AUTH\n",
            60,
            [(9998, No, No), (9999, Yes, Yes), (10_001, Yes, Yes), (10_002, No, No)],
        ),
        ("\" TOTP_AUTH\n", 30, [(9998, No, No), (9999, Yes, Yes), (10_001, Yes, Yes), (10_002, No, No)]),
        (
            "\" WINDOW_SIZE 6\n\" TOTP_AUTH\n",
            30,
            [(9996, No, No), (9997, Yes, Yes), (10_002, Yes, Yes), (10_003, No, Yes)],
        ),
    ] {
        for (step, theirs, ours) in tries {
            let because = if theirs == ours { "" } else { EVEN };
            check(lines, "", lines, &[other(step * seconds, CODE, theirs, ours, because)]);
        }
        let at = |step: u64| step * seconds;
        check(lines, "", lines, &[same(at(9999), CODE, Yes), other(at(10_000), CODE, Yes, No, ONCE)]);
    }
}

#[test]
fn rate_limits() {
    let codes: Vec<String> = (20_000..=20_006).map(code_of).collect();
    let at = |place: usize| (20_000 + place as u64) * 30;
    let right = |place: usize| same(at(place), &codes[place], Yes);
    check(
        "rate",
        "",
        "\" RATE_LIMIT 4 120\n\" TOTP_AUTH\n",
        &[right(0), right(1), right(2), right(3), other(at(4), &codes[4], Unasked, Yes, LIMIT), right(6)],
    );
}

#[test]
fn skews() {
    let codes: Vec<String> = (0..4).map(|index| code_of(11_000 + index)).collect();
    let at = |index: u64| (12_000 + index) * 30;
    let lines = "\" TOTP_AUTH\n";
    let refused = |index: usize| same(at(index as u64), &codes[index], No);
    let taken = |index: usize| other(at(index as u64), &codes[index], Yes, No, SKEW);
    check("skew", "", lines, &[refused(0), refused(1), taken(2), taken(3)]);
    check("no skew", "noskewadj", lines, &[refused(0), refused(1), refused(2), refused(3)]);
    // What was found there stays: its device is 1,000 steps behind.
    let known = "\" TIME_SKEW -1000\n\" TOTP_AUTH\n";
    check("known skew", "noskewadj", known, &[same(at(2), &codes[2], Yes), same(at(3), &codes[3], Yes)]);
}

#[test]
fn used_steps() {
    let lines = "\" DISALLOW_REUSE 10000\n\" TOTP_AUTH\n";
    let next = code_of(10_001);
    check("used", "", lines, &[same(300_000, CODE, No), same(300_000, &next, Yes), same(300_000, &next, No)]);
}

#[test]
fn scratch_codes() {
    const T: u64 = 10_000 * 30;
    check("none", "", "\" TOTP_AUTH\n", &[same(T, "12345678", No)]);
    check("one", "", "\" TOTP_AUTH\n12345678\n", &[same(T, "12345678", Yes), same(T, "12345678", No)]);
}

#[test]
fn counters() {
    const T: u64 = 10_000 * 30;
    let tries = [same(T, "293240", Yes), same(T, "293240", No), same(T, "932068", Yes)];
    check("counter", "", "\" HOTP_COUNTER 1\n", &tries);
}
