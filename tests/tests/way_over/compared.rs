//! What the README says of other modules, shown by them; beside it ours.

use crate::cases::Said::{No, Yes};
use crate::cases::{other, same, together};
use crate::google_cases::{self, MODULE, SECRET, code_of};
use crate::oath_cases;

const BACK: &str = "what was accepted is kept, whatever the clock says";
const STILL: &str = "a counter moves only when a code is right";

/// A time in the past, at which nobody's clock is.
const T: u64 = 10_000 * 30;

#[test]
fn two_logins_held_at_the_prompt() {
    let state = format!("{SECRET}\n\" HOTP_COUNTER 1\n");
    // It reads its state before it asks, and looks whether that is the same file still
    // before it writes another: both look in time as long as the first one's fsync lasts.
    let both = (0..10).any(|_| {
        let (ours, theirs) = together(MODULE, &state, "293240", google_cases::line);
        assert_eq!(ours, 1);
        theirs.is_none_or(|theirs| theirs == 2)
    });
    assert!(both, "never both");
}

#[test]
fn a_clock_that_is_set_back() {
    let (first, later) = (code_of(10_000), code_of(10_020));
    let lines = "\" DISALLOW_REUSE\n\" TOTP_AUTH\n";
    let tries = [same(T, &first, Yes), same(T + 600, &later, Yes), other(T, &first, Yes, No, BACK)];
    google_cases::check("set back", "", lines, &tries);
    let t = oath_cases::T;
    let tries = [same(t, "963013", Yes), same(t + 600, "329683", Yes), other(t, "963013", Yes, No, BACK)];
    oath_cases::check_at("set back", "", "HOTP/T30 USER - 00", "window=1 digits=6", &tries);
}

#[test]
fn wrong_codes_and_counters() {
    // Far enough from each other that nobody's rate is limited.
    let wrong = |round: u64| same(T + round * 60, "000000", No);
    let right = other(T + 300, "293240", No, Yes, STILL);
    google_cases::check("moved on", "", "\" HOTP_COUNTER 1\n", &[wrong(1), wrong(2), wrong(3), right]);
}

#[test]
fn an_option_that_is_misspelt() {
    let t = oath_cases::T;
    // Ours refuses such a stack: pam_module/bad_input.rs.
    oath_cases::check_at("misspelt", "", "HOTP USER - 00", "windw=20 digits=6", &[same(t, "328482", Yes)]);
}
