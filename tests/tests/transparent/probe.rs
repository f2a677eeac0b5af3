//! What a program finds when it starts.

use oathgate_tests::built::folder;

use crate::world::{BOTH, Way, World};

/// What may differ, and why; everything else must not.
const ALLOWED: [(&str, &str); 4] = [
    ("variable: SSH_CLIENT=", "each way has a connection of its own, so another port"),
    ("variable: SSH_CONNECTION=", "the same"),
    ("variable: SSH_TTY=", "each session has a terminal of its own"),
    ("variable: _=*", "ksh writes the number of its process in front"),
];

/// A program that shows the signals that the shell hands on, then the rest.
/// The test's own look at them comes first: Rust changes SIGPIPE in its programs.
pub fn probe() -> String {
    format!("grep ^Sig[BIC] /proc/self/status; exec {} 'a  b' 'c\"d' '' ", folder().join("probe").display())
}

/// What a report says, without what may differ. Shows the variables apart.
pub fn comparable(report: &str) -> Vec<String> {
    let kept = |line: &&str| !ALLOWED.iter().any(|(start, _)| line.starts_with(start));
    report.lines().filter(kept).map(|line| line.trim_end().to_owned()).collect()
}

/// Checks that two reports say the same.
pub fn alike(plain: &str, gated: &str, what: &str) {
    let (plain, gated) = (comparable(plain), comparable(gated));
    assert!(plain.len() > 40 && plain.iter().any(|line| line.starts_with("variable: HOME=")), "{what}: {plain:#?}");
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|line| !those.contains(line)).cloned().collect()
    };
    assert_eq!(only(&plain, &gated), only(&gated, &plain), "{what}: only without the gate, only behind it");
    assert_eq!(plain, gated, "{what}: in another order, or more often");
}

#[test]
fn a_program_finds_nothing_changed() {
    let world = World::new();
    let [plain, gated] = BOTH.map(|way| world.run(way, probe().as_bytes(), b"").text());
    alike(&plain, &gated, "without a terminal");
    for word in ["LC_OTP", "SSH_ORIGINAL_COMMAND", "ssh-otp"] {
        assert!(!gated.contains(word), "{word}: {gated}");
    }
}

#[test]
fn a_program_on_a_terminal_finds_nothing_changed() {
    let world = World::new();
    let [plain, gated] = BOTH.map(|way| world.session(way, Some(&probe())).wait().1);
    alike(&plain, &gated, "on a terminal");
}

/// Typed at the prompt, a code changes nothing either.
#[test]
fn nor_does_a_code_that_was_typed() {
    let world = World::new();
    let remote = Some(probe());
    let (_, plain) = world.direct(Way::Plain).session(remote.as_deref()).wait();
    let mut session = world.direct(Way::Gated).session(remote.as_deref());
    session.expect("Code (alice): ");
    session.send(&format!("{}\r", world.code()));
    let (_, gated) = session.wait();
    alike(&plain, gated.strip_prefix("Code (alice): \r\n").unwrap(), "typed");
}
